//! Kill sweep: one scenario, run once for each point at which its victim can be killed.
//!
//! [`sweep`]: where the system can trace, the points are the entry and the exit of each system call of the victim's body. Elsewhere they are
//! the places before and after each wrapper of [`crate::sys`], and the case's record says so.
//!
//! [`instruction_sweep`]: the points are the instructions between two [`crate::sys::mark`]s, for what happens in user space. It takes
//! tracing with single steps; elsewhere it is a [`sweep`], and the case's record says so.

#[cfg(has_ptrace_sweep)]
#[path = "sweep/untraced.rs"]
mod cooperative;
#[cfg_attr(not(has_single_steps), path = "sweep/no_steps.rs")]
mod steps;
#[cfg_attr(not(has_ptrace_sweep), path = "sweep/untraced.rs")]
mod traced;

use std::cell::RefCell;

use steps::Until;

use super::storm::Nemesis;
use crate::outcome::{CaseResult, Cause, Failure, Outcome};
use crate::process::{Descriptors, End, Link, Participant, Value, context};

/// More points than any scenario has: a victim that never finishes is a mistake of the case.
const MOST_POINTS: u32 = 5_000;

/// Instructions at which an instruction sweep kills where the user does not say how many, and the steps that it makes in all: a
/// step costs two context switches.
const USUAL_INSTRUCTIONS: u32 = 16;
const USUAL_STEPS: u32 = 4_500;

/// A system call of the victim that has returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name; empty where the system does not show it.
    pub name: String,
    /// What it returned: a negated error number where it failed.
    pub returned: i64,
}

/// What became of a victim.
#[derive(Debug)]
pub struct Victim<T> {
    /// What its body returned, if it was let finish.
    pub value: Option<T>,
    /// The calls that returned before it was killed.
    pub completed: Vec<Call>,
    /// The call that it was killed at the entry of: begun, and without any effect.
    pub entered: Option<String>,
}

impl<T> Victim<T> {
    /// Results of the completed calls of that name.
    pub fn returned(&self, name: &str) -> Vec<i64> {
        self.completed.iter().filter(|call| call.name == name).map(|call| call.returned).collect()
    }
}

/// One run of a sweep: the victim is to be killed at the point with a certain number.
#[derive(Debug)]
pub struct Injection {
    point: u32,
    /// For an instruction sweep, in place of a point.
    until: Option<Until>,
    report: RefCell<Option<Report>>,
}

#[derive(Clone, Debug)]
struct Report {
    finished: bool,
    what: String,
    /// The instructions that an instruction sweep may kill at, in order; the last is the end of the stretch.
    instructions: Vec<u32>,
}

impl Injection {
    /// Number of the point, from 0; in an instruction sweep the number of the instruction.
    pub fn point(&self) -> u32 {
        self.point
    }

    /// Runs the victim until it is killed at the point of this run, or finishes untouched. It is gone when this returns.
    ///
    /// # Errors
    /// The case *fails* if the victim panics or ends otherwise; it is unresolved if the victim cannot be made or traced.
    #[track_caller]
    pub fn victim<D: Descriptors, T: Value>(
        &self,
        name: &str,
        descriptors: D,
        body: impl FnOnce(D, &Link) -> T,
    ) -> Result<Victim<T>, Failure> {
        self.prepared_victim(name, descriptors, |_| (), || Ok(()), |descriptors, (), link| body(descriptors, link))
    }

    /// As [`Injection::victim`], with a scene set before: the victim first does `prepare`, where it is not killed; then the case
    /// does `meanwhile` while the victim stands still (has others block on what the victim holds, say); and then `body` is swept.
    ///
    /// # Errors
    /// As for [`Injection::victim`], and those of `meanwhile`.
    #[track_caller]
    pub fn prepared_victim<D: Descriptors, P, T: Value>(
        &self,
        name: &str,
        descriptors: D,
        prepare: impl FnOnce(&D) -> P,
        meanwhile: impl FnOnce() -> Outcome,
        body: impl FnOnce(D, P, &Link) -> T,
    ) -> Result<Victim<T>, Failure> {
        let (victim, report) = match self.until {
            Some(until) => steps::run(until, name, descriptors, prepare, meanwhile, body)?,
            None => traced::run(self.point, name, descriptors, prepare, meanwhile, body)?,
        };
        *self.report.borrow_mut() = Some(report);
        Ok(victim)
    }

    fn report(&self) -> Option<Report> {
        self.report.borrow().clone()
    }
}

/// Runs the scenario with its victim killed at the first point, the second, and so on, until the victim finishes untouched. Each
/// run has to check what must hold after *that* prefix of the victim's calls.
///
/// # Errors
/// The first failure of a run; it names the point.
#[track_caller]
pub fn sweep(scenario: impl Fn(&Injection) -> Outcome) -> Outcome {
    for point in 0..MOST_POINTS {
        if attempt(&scenario, point, None)?.finished {
            return Ok(());
        }
    }
    Err(Failure::new(
        CaseResult::Unresolved,
        Cause::Setup,
        format!("the victim of a sweep was not finished after {MOST_POINTS} points"),
    ))
}

/// Runs the scenario with its victim killed between any two instructions of a short critical section, which begins with a
/// [`crate::sys::mark`] and ends with another; a system call counts as one instruction, and must not block.
///
/// The first run lets the victim finish and counts the instructions. Of those in this executable, where it can be told from the
/// libraries, only the first of a row counts: it is the C library that is under test. Where they are more than a few, so many of
/// them are taken as the user asks for with `--property-cases`, or else as cost little, spread evenly and placed by the seed; in
/// ascending order, so that a scenario can see its victim progress from run to run. The victim's `completed` calls are not recorded.
///
/// # Errors
/// The first failure of a run; it names the instruction.
#[track_caller]
pub fn instruction_sweep(scenario: impl Fn(&Injection) -> Outcome) -> Outcome {
    if !steps::available() {
        context::weak_evidence("no single steps here: victims were killed at their calls and not at their instructions");
        return sweep(scenario);
    }
    let instructions = attempt(&scenario, 0, Some(Until::TheEnd))?.instructions;
    let of = instructions.last().copied().unwrap_or(0);
    for number in chosen(&instructions, context::property_cases(), context::seed()) {
        attempt(&scenario, number, Some(Until::Instruction { number, of }))?;
    }
    Ok(())
}

/// The instructions to kill at: one at random out of each of several rows of the same length.
fn chosen(instructions: &[u32], wanted: Option<u32>, seed: u64) -> Vec<u32> {
    let steps = instructions.last().copied().unwrap_or(0).max(1);
    let usual = (2 * USUAL_STEPS / steps).clamp(8, USUAL_INSTRUCTIONS);
    let all = instructions.len();
    let count = usize::try_from(wanted.unwrap_or(usual)).unwrap_or(usize::MAX).clamp(1, all.max(1));
    let mut nemesis = Nemesis::seeded(seed);
    let mut choice = |row: usize| {
        let (first, end) = (row * all / count, (row + 1) * all / count);
        instructions.get(first + nemesis.below(end - first)).copied()
    };
    (0..count).filter_map(&mut choice).collect()
}

/// Runs the scenario once.
#[track_caller]
fn attempt(scenario: impl Fn(&Injection) -> Outcome, point: u32, until: Option<Until>) -> Result<Report, Failure> {
    let injection = Injection { point, until, report: RefCell::new(None) };
    let outcome = scenario(&injection);
    let Some(report) = injection.report() else {
        outcome?;
        return Err(Failure::new(CaseResult::Unresolved, Cause::Setup, "the scenario of a sweep made no victim"));
    };
    outcome.map_err(|failure| failure.detail("injection point", format!("{point}: {}", report.what)))?;
    Ok(report)
}

/// What is left to do once a victim's process has been let go or killed: its value, or its end.
#[track_caller]
fn conclude<T: Value>(participant: Participant<T>, killed: bool) -> Result<Option<T>, Failure> {
    if !killed {
        return participant.join().map(Some);
    }
    match participant.end()? {
        End::Killed(nix::sys::signal::Signal::SIGKILL) => Ok(None),
        other => Err(Failure::new(
            CaseResult::Fail,
            Cause::ParticipantDied,
            format!("the victim {other} where it should have been killed"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{USUAL_INSTRUCTIONS, chosen};

    #[test]
    fn few_instructions_are_all_chosen() {
        assert_eq!(chosen(&[0, 1, 2, 7, 8], None, 1), [0, 1, 2, 7, 8]);
        assert_eq!(chosen(&[0], None, 1), [0]);
    }

    #[test]
    fn many_instructions_are_sampled_in_order_and_by_the_seed() {
        let all: Vec<u32> = (0..=400).collect();
        let numbers = chosen(&all, None, 1);
        assert_eq!(numbers.len(), USUAL_INSTRUCTIONS as usize, "{numbers:?}");
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        assert_eq!(numbers, chosen(&all, None, 1));
        assert_ne!(numbers, chosen(&all, None, 2));
    }

    #[test]
    fn as_many_are_chosen_as_are_asked_for() {
        let all: Vec<u32> = (0..=600).collect();
        assert_eq!(chosen(&all, Some(10), 1).len(), 10);
        assert_eq!(chosen(&all, Some(100_000), 1), all);
    }

    #[test]
    fn long_stretches_are_sampled_thinly() {
        assert_eq!(chosen(&(0..=100_000).collect::<Vec<_>>(), None, 1).len(), 8);
    }
}
