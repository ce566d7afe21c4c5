//! Points between the instructions of a stretch of user code, from the return of the victim's first [`crate::sys::mark`] to the
//! beginning of its second.
//!
//! A first victim is single-stepped through the stretch, and its instructions are recorded. Each later one runs to its instruction by
//! itself, from trap to trap (see [`recording`]): a step costs an exception and two context switches.

mod choice;
mod recording;
mod stepped;
mod trap;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::OnceLock;

use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::WaitPidFlag;
use recording::Recording;
use stepped::{Halt, Stepped};

use super::traced::start;
use super::{Injection, Reach, Report, Scene, Victim, attempt, conclude};
use crate::outcome::{CaseResult, Cause, Failure, Outcome};
use crate::process::Value;
use crate::process::child::end_of;
use crate::process::{Descriptors, Link, Participant, context};
use crate::sys::process::wait::wait_with;
use crate::sys::symbol;

/// More instructions to kill at than a critical section has: a longer stretch is sampled.
const MOST_KILLS: u32 = 500;

/// Instructions to kill at where a victim has to be stepped to each of them, and the steps that are made in all.
const STEPPED_KILLS: u32 = 16;
const STEPS: u32 = 4_500;

/// How a victim is brought to its instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Traps,
    Steps,
}

/// Where a victim is let go.
#[derive(Debug)]
pub(super) enum Target {
    /// To its end; the instructions between its marks are recorded.
    TheEnd(RefCell<Option<Recording>>),
    /// To an instruction of the recorded ones, where it is killed.
    Instruction { number: u32, recording: Rc<Recording>, way: Way },
}

impl Target {
    pub(super) fn number(&self) -> u32 {
        match self {
            Target::TheEnd(_) => 0,
            Target::Instruction { number, .. } => *number,
        }
    }
}

/// The best way that there is here, found by going it once.
fn best_way() -> Option<Way> {
    static ANSWER: OnceLock<Option<Way>> = OnceLock::new();
    *ANSWER.get_or_init(|| probe().unwrap_or(None))
}

fn probe() -> Result<Option<Way>, Failure> {
    #[inline(never)]
    fn landing() {
        std::hint::black_box(());
    }
    let child = Participant::spawn("stepping probe", (), |(), _| {
        if ptrace::traceme().is_ok() {
            let _ = raise(Signal::SIGSTOP);
            landing();
        }
    })?;
    if let Some(end) = end_of(wait_with(child.id(), WaitPidFlag::WUNTRACED)?) {
        child.has_ended(end);
        return Ok(None);
    }
    match try_out(&mut Stepped::new(child.id()), (landing as fn()) as usize) {
        Ok(way) => Ok(way),
        Err(Halt::Ended(end)) => {
            child.has_ended(end);
            Ok(None)
        }
        Err(Halt::Failed(failure)) => Err(*failure),
    }
}

/// Steps the process, and has it run into a trap at an address that it will come to.
fn try_out(stepped: &mut Stepped, ahead: usize) -> Result<Option<Way>, Halt> {
    let before = stepped.address()?;
    for _ in 0..3 {
        stepped.step()?;
    }
    if stepped.address()? == before {
        return Ok(None);
    }
    let trapped = stepped.run_into(ahead).is_ok() && stepped.address()? == ahead;
    Ok(Some(if trapped { Way::Traps } else { Way::Steps }))
}

#[track_caller]
pub(super) fn sweep(scenario: &impl Fn(&Injection) -> Outcome, reach: Reach) -> Outcome {
    let Some(best) = best_way() else {
        context::weak_evidence(super::NO_STEPS);
        return super::sweep(scenario);
    };
    let recording = Rc::new(record(scenario)?);
    let length = recording.length();
    let (way, most) = match (reach, best) {
        (Reach::BestMeans, Way::Traps) => (Way::Traps, MOST_KILLS),
        (Reach::StepsAlone, _) => (Way::Steps, u32::MAX),
        (Reach::BestMeans, Way::Steps) => {
            context::weak_evidence("no trap can be written into a victim here: it was killed at a few of its instructions only");
            (Way::Steps, (2 * STEPS / length.max(1)).clamp(8, STEPPED_KILLS))
        }
    };
    let chosen = choice::spread(recording.points(), context::property_cases().unwrap_or(most), context::seed());
    let mut missed = 0;
    for &number in &chosen {
        // A victim that went another way than the recorded one was not stopped, and finished: the next one is stepped.
        let reached =
            kill_at(scenario, number, &recording, way)? || way == Way::Traps && kill_at(scenario, number, &recording, Way::Steps)?;
        missed += usize::from(!reached);
    }
    if missed > 0 {
        let all = chosen.len();
        context::weak_evidence(&format!(
            "{missed} of {all} instructions were not reached: victims took other ways than the first one"
        ));
    }
    Ok(())
}

/// Lets the victim of a first run finish.
#[track_caller]
fn record(scenario: &impl Fn(&Injection) -> Outcome) -> Result<Recording, Failure> {
    let injection = Injection::at(super::Target::Instruction(Target::TheEnd(RefCell::new(None))));
    attempt(scenario, &injection)?;
    match injection.target {
        super::Target::Instruction(Target::TheEnd(recording)) => recording.into_inner(),
        _ => None,
    }
    .ok_or_else(|| unresolved("the victim of an instruction sweep left no record".to_owned()))
}

/// Runs the scenario once: whether its victim came to the instruction.
#[track_caller]
fn kill_at(scenario: &impl Fn(&Injection) -> Outcome, number: u32, recording: &Rc<Recording>, way: Way) -> Result<bool, Failure> {
    let target = Target::Instruction { number, recording: Rc::clone(recording), way };
    Ok(!attempt(scenario, &Injection::at(super::Target::Instruction(target)))?.finished)
}

#[track_caller]
pub(super) fn run<D: Descriptors, P, T: Value>(
    target: &Target,
    scene: Scene<'_, D, impl FnOnce(&D) -> P, impl FnOnce() -> Outcome>,
    body: impl FnOnce(D, P, &Link) -> T,
) -> Result<(Victim<T>, Report), Failure> {
    let Scene { name, descriptors, prepare, meanwhile, .. } = scene;
    let participant = start(name, descriptors, prepare, body)?;
    let mut stepped = Stepped::new(participant.id());
    let killed = match stepped.prepare(meanwhile).and_then(|()| go(&mut stepped, target, participant.link_number())) {
        Ok(killed) => killed,
        Err(Halt::Ended(end)) => {
            participant.has_ended(end);
            if !matches!(target, Target::Instruction { way: Way::Traps, .. }) {
                conclude(participant, false)?;
                return Err(unresolved("the victim ended before its second mark".to_owned()));
            }
            false
        }
        Err(Halt::Failed(failure)) => return Err(*failure),
    };
    let (what, address) = match target {
        Target::Instruction { number, recording, .. } if killed => {
            nix::sys::signal::kill(participant.id(), Signal::SIGKILL)?;
            let address = stepped.stands_at;
            (format!("killed at instruction {number} of {}{}", recording.length(), place(address)), Some(address))
        }
        _ => ("the victim was not killed".to_owned(), None),
    };
    let value = conclude(participant, killed)?;
    Ok((Victim { value, completed: Vec::new(), entered: None, address }, Report { finished: !killed, what }))
}

/// Whether the victim stands where it is to be killed; it has been let go otherwise.
fn go(stepped: &mut Stepped, target: &Target, link_to_case: i32) -> Result<bool, Halt> {
    match target {
        Target::TheEnd(recorded) => {
            stepped.pass_the_first_mark(link_to_case)?;
            *recorded.borrow_mut() = Some(stepped.record()?);
            stepped.let_go()?;
            Ok(false)
        }
        Target::Instruction { number, recording, way: Way::Steps } => {
            stepped.pass_the_first_mark(link_to_case)?;
            stepped.step_to(*number, recording)
        }
        Target::Instruction { number, recording, way: Way::Traps } => stepped.run_to(*number, recording),
    }
}

/// The function that the address is in, where it is one that a library exports. The victim is a fork: what is where in it is where
/// it is here.
fn place(address: usize) -> String {
    symbol::containing(address).map_or_else(String::new, |(name, offset)| format!(", {offset} bytes into {name}"))
}

#[track_caller]
fn unresolved(message: String) -> Failure {
    Failure::new(CaseResult::Unresolved, Cause::Setup, message)
}
