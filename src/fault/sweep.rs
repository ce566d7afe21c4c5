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

use crate::outcome::{CaseResult, Cause, Failure, Outcome};
use crate::process::Value;
use crate::process::{Descriptors, End, Link, Participant};

/// More points than any scenario has: a victim that never finishes is a mistake of the case.
const MOST_POINTS: u32 = 5_000;

/// Why an instruction sweep was another one.
const NO_STEPS: &str = "no single steps here: victims were killed at their calls and not at their instructions";

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
    /// In an instruction sweep, the address of the instruction that it was killed before. Victims are forks: the same address is the
    /// same instruction in all of them.
    pub address: Option<usize>,
}

impl<T> Victim<T> {
    /// Results of the completed calls of that name.
    pub fn returned(&self, name: &str) -> Vec<i64> {
        self.completed.iter().filter(|call| call.name == name).map(|call| call.returned).collect()
    }
}

/// A victim, and the scene that is set before it is swept; made by [`Injection::scene`].
#[derive(Debug)]
pub struct Scene<'r, D, Prepare = fn(&D), Meanwhile = fn() -> Outcome> {
    injection: &'r Injection,
    name: &'r str,
    descriptors: D,
    prepare: Prepare,
    meanwhile: Meanwhile,
}

impl<'r, D: Descriptors, Prepare, Meanwhile> Scene<'r, D, Prepare, Meanwhile> {
    /// What the victim does first, where it is not killed.
    pub fn prepare<P, F: FnOnce(&D) -> P>(self, prepare: F) -> Scene<'r, D, F, Meanwhile> {
        let Scene { injection, name, descriptors, meanwhile, .. } = self;
        Scene { injection, name, descriptors, prepare, meanwhile }
    }

    /// What the case does next, while the victim stands still: has others block on what the victim holds, say.
    pub fn meanwhile<F: FnOnce() -> Outcome>(self, meanwhile: F) -> Scene<'r, D, Prepare, F> {
        let Scene { injection, name, descriptors, prepare, .. } = self;
        Scene { injection, name, descriptors, prepare, meanwhile }
    }

    /// Runs the victim until it is killed in `body` at the point of this run, or finishes untouched. It is gone when this returns.
    ///
    /// # Errors
    /// The case *fails* if the victim panics or ends otherwise; it is unresolved if the victim cannot be made or traced. Those of
    /// what is done meanwhile.
    #[track_caller]
    pub fn victim<P, T: Value>(self, body: impl FnOnce(D, P, &Link) -> T) -> Result<Victim<T>, Failure>
    where
        Prepare: FnOnce(&D) -> P,
        Meanwhile: FnOnce() -> Outcome,
    {
        let injection = self.injection;
        let (victim, report) = match &injection.target {
            Target::Instruction(target) => steps::run(target, self, body)?,
            Target::Call(point) => traced::run(*point, self, body)?,
        };
        *injection.report.borrow_mut() = Some(report);
        Ok(victim)
    }
}

/// One run of a sweep: the victim is to be killed at the point with a certain number.
#[derive(Debug)]
pub struct Injection {
    target: Target,
    report: RefCell<Option<Report>>,
}

/// Where a victim is to be killed.
#[derive(Debug)]
enum Target {
    /// At the entry or the exit of a call.
    Call(u32),
    /// Between two instructions.
    #[cfg_attr(not(has_single_steps), expect(dead_code, reason = "there is no such target"))]
    Instruction(steps::Target),
}

/// How an instruction sweep brings its victims to an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// As costs least here.
    BestMeans,
    StepsAlone,
}

#[derive(Debug)]
struct Report {
    finished: bool,
    what: String,
}

impl Injection {
    /// Number of the point, from 0; in an instruction sweep the number of the instruction.
    pub fn point(&self) -> u32 {
        match &self.target {
            Target::Call(point) => *point,
            Target::Instruction(target) => target.number(),
        }
    }

    /// A victim of that name, which is handed the descriptors.
    pub fn scene<'r, D: Descriptors>(&'r self, name: &'r str, descriptors: D) -> Scene<'r, D> {
        Scene { injection: self, name, descriptors, prepare: |_| (), meanwhile: || Ok(()) }
    }

    /// [`Scene::victim`] of a scene in which nothing is done before.
    ///
    /// # Errors
    /// As for [`Scene::victim`].
    #[track_caller]
    pub fn victim<D: Descriptors, T: Value>(
        &self,
        name: &str,
        descriptors: D,
        body: impl FnOnce(D, &Link) -> T,
    ) -> Result<Victim<T>, Failure> {
        self.scene(name, descriptors).victim(|descriptors, (), link| body(descriptors, link))
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
        if attempt(&scenario, &Injection::at(Target::Call(point)))?.finished {
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
/// [`crate::sys::mark`] and ends with another; a system call counts as one instruction, and must not block. Between the marks the
/// victim starts neither a thread nor a process.
///
/// The first run lets the victim finish and records its instructions. Of those in this executable, where it can be told from the
/// libraries, only the first of a row counts: it is the C library that is under test. The victim is killed at every one of the others;
/// at fewer of them, spread evenly and placed by the seed, where there are more than a critical section has, where `--property-cases`
/// asks for fewer, or where a victim has to be stepped to its end. In ascending order, so that a scenario can see its victim progress
/// from run to run. The victim's `completed` calls are not recorded.
///
/// # Errors
/// The first failure of a run; it names the instruction.
#[track_caller]
pub fn instruction_sweep(scenario: impl Fn(&Injection) -> Outcome) -> Outcome {
    steps::sweep(&scenario, Reach::BestMeans)
}

/// As [`instruction_sweep`], and each victim is brought to its end by single steps alone, at whatever cost. The two have to see the
/// same.
///
/// # Errors
/// As for [`instruction_sweep`].
#[track_caller]
pub fn stepped_instruction_sweep(scenario: impl Fn(&Injection) -> Outcome) -> Outcome {
    steps::sweep(&scenario, Reach::StepsAlone)
}

impl Injection {
    fn at(target: Target) -> Self {
        Injection { target, report: RefCell::new(None) }
    }
}

/// Runs the scenario once.
#[track_caller]
fn attempt(scenario: &impl Fn(&Injection) -> Outcome, injection: &Injection) -> Result<Report, Failure> {
    let outcome = scenario(injection);
    let Some(report) = injection.report.take() else {
        outcome?;
        return Err(Failure::new(CaseResult::Unresolved, Cause::Setup, "the scenario of a sweep made no victim"));
    };
    outcome.map_err(|failure| failure.detail("injection point", format!("{}: {}", injection.point(), report.what)))?;
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
