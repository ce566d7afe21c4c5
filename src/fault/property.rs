//! Properties: a requirement over a range of inputs, tried with proptest and shrunk against the real kernel.

use std::cell::RefCell;
use std::fmt::Debug;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::outcome::{CaseResult, Cause, Failure, Outcome};
use crate::process::{context, panics};

/// Inputs that a property tries where the user does not say how many.
pub const USUAL_CASES: u32 = 24;

/// Attempts to make a failing input smaller, at most.
const SHRINKING: u32 = 400;

/// Tries `check` on inputs of `strategy`; the case fails with the smallest input that was found to fail.
///
/// The loop runs in the calling process; participants belong below `check`, a fresh set for each input.
///
/// # Errors
/// The failure of `check` on the smallest input. Where `check` could not even be set up, its first such failure, unshrunk: while
/// shrinking, a rejection would count as a pass.
#[track_caller]
pub fn property<S>(strategy: &S, check: impl Fn(S::Value) -> Outcome) -> Outcome
where
    S: Strategy,
    S::Value: Debug,
{
    let mut seed = [0; 32];
    for (index, chunk) in seed.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&context::seed().wrapping_add(index as u64).to_le_bytes());
    }
    let config = Config {
        cases: context::property_cases().unwrap_or(USUAL_CASES),
        max_shrink_iters: SHRINKING,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let last = RefCell::new(None);
    let not_set_up = RefCell::new(None);
    let result = runner.run(strategy, |input| {
        if not_set_up.borrow().is_some() {
            return Ok(());
        }
        match panics::catch(|| check(input)).unwrap_or_else(|panic| Err(panicked(panic))) {
            Ok(()) => Ok(()),
            Err(failure) if failure.result == CaseResult::Fail => {
                *last.borrow_mut() = Some(failure);
                Err(TestCaseError::fail("see the finding"))
            }
            Err(failure) => {
                *not_set_up.borrow_mut() = Some(failure);
                Ok(())
            }
        }
    });
    if let Some(failure) = not_set_up.into_inner() {
        return Err(failure);
    }
    match (result, last.into_inner()) {
        (Ok(()), _) => Ok(()),
        (Err(TestError::Fail(_, input)), Some(failure)) => Err(failure.detail("input", format!("{input:?}"))),
        (Err(error), _) => {
            let message = format!("the property could not be tried: {error}");
            Err(Failure::new(CaseResult::Unresolved, Cause::Setup, message))
        }
    }
}

/// A panic in a check is a failure of its input like any other.
fn panicked((message, place): panics::Panic) -> Failure {
    let mut failure = Failure::new(CaseResult::Fail, Cause::Panic, format!("the case panicked: {message}"));
    failure.finding.location = place;
    failure
}
