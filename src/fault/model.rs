//! Models: a real object is driven through random steps beside a state machine of what may be done with it, and held against what
//! is promised after each step. A failing sequence is shrunk against the real kernel.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use proptest::collection::SizeRange;
use proptest::test_runner::Config;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use super::property::property;
use crate::outcome::{Failure, Outcome};

/// State of a subject's reference.
pub type State<S> = <<S as Subject>::Reference as ReferenceStateMachine>::State;

/// Step of a subject's reference.
pub type Step<S> = <<S as Subject>::Reference as ReferenceStateMachine>::Transition;

/// The real object that a model is held against.
///
/// Where a standard leaves a choice (how much of a write fits) the reference cannot know what was chosen: then it only knows which
/// steps are possible, and the subject keeps what follows from the choices that it saw.
pub trait Subject: Sized {
    /// Which steps there are, and when.
    type Reference: ReferenceStateMachine;

    /// A fresh object in the initial state.
    ///
    /// # Errors
    /// It cannot be made: the case is unresolved.
    fn start(initial: &State<Self>) -> Result<Self, Failure>;

    /// Does one step and expects what is promised of it; `after` is the reference's state after the step.
    ///
    /// # Errors
    /// The step did not do as promised.
    fn step(&mut self, after: &State<Self>, step: Step<Self>) -> Outcome;

    /// Expects what must hold between any two steps.
    ///
    /// # Errors
    /// It does not hold.
    fn check(&self, state: &State<Self>) -> Outcome;
}

/// Drives fresh subjects through sequences of so many steps.
///
/// # Errors
/// The failure that the smallest failing sequence ends with.
pub fn follows_its_model<S: Subject>(steps: impl Into<SizeRange>) -> Outcome {
    let sequences = <S::Reference as ReferenceStateMachine>::sequential_strategy(steps);
    property(&sequences, |(initial, steps, seen)| {
        let run = || Driven::<S>::test_sequential(Config::default(), initial, steps, seen);
        catch_unwind(AssertUnwindSafe(run)).map_err(|payload| match payload.downcast::<Failure>() {
            Ok(failure) => *failure,
            Err(other) => resume_unwind(other),
        })
    })
}

/// Carries failures past the signatures of [`StateMachineTest`], which know panics only; without the panic's message.
struct Driven<S>(PhantomData<S>);

fn carry<T>(result: Result<T, Failure>) -> T {
    result.unwrap_or_else(|failure| resume_unwind(Box::new(failure)))
}

impl<S: Subject> StateMachineTest for Driven<S> {
    type SystemUnderTest = S;
    type Reference = S::Reference;

    fn init_test(initial: &State<S>) -> S {
        carry(S::start(initial))
    }

    fn apply(mut subject: S, after: &State<S>, step: Step<S>) -> S {
        carry(subject.step(after, step));
        subject
    }

    fn check_invariants(subject: &S, state: &State<S>) {
        carry(subject.check(state));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::expect;
    use crate::outcome::CaseResult;

    struct Additions;

    impl ReferenceStateMachine for Additions {
        type State = u32;
        type Transition = u32;

        fn init_state() -> BoxedStrategy<u32> {
            Just(0).boxed()
        }

        fn transitions(_: &u32) -> BoxedStrategy<u32> {
            (0..10_u32).boxed()
        }

        fn apply(sum: u32, step: &u32) -> u32 {
            sum + step
        }
    }

    /// Adds, but forgets each sum above `MOST`.
    struct Adder<const MOST: u32>(u32);

    impl<const MOST: u32> Subject for Adder<MOST> {
        type Reference = Additions;

        fn start(initial: &u32) -> Result<Self, Failure> {
            Ok(Adder(*initial))
        }

        fn step(&mut self, _: &u32, step: u32) -> Outcome {
            self.0 = if self.0 + step > MOST { 0 } else { self.0 + step };
            Ok(())
        }

        fn check(&self, sum: &u32) -> Outcome {
            expect!(self.0 == *sum);
            Ok(())
        }
    }

    #[test]
    fn a_subject_that_does_as_its_model_passes() {
        assert_eq!(follows_its_model::<Adder<1000>>(1..20), Ok(()));
    }

    #[test]
    fn a_failing_sequence_is_shrunk_and_shown() {
        let failure = follows_its_model::<Adder<8>>(1..20).unwrap_err();
        assert_eq!(failure.result, CaseResult::Fail);
        let (label, text) = &failure.finding.details[0];
        assert_eq!(label, "input");
        // No step of it can be left out or made smaller: the sum is the smallest above 8.
        let steps = text.trim_start_matches("(0, [").split(']').next().unwrap_or_default();
        let sum: u32 = steps.split(", ").map(|step| step.parse::<u32>().unwrap_or(0)).sum();
        assert_eq!(sum, 9, "{text}");
    }
}
