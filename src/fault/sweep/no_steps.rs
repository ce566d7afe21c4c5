//! Where nothing can be stepped; also where atomic operations are loops of load-linked and store-conditional: stepping through one
//! starts it anew for ever.

use super::{Report, Victim};
use crate::outcome::{CaseResult, Cause, Failure, Outcome};
use crate::process::{Descriptors, Link, Value};

/// How far a victim would be let go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    TheEnd,
    Instruction { number: u32, of: u32 },
}

pub(super) fn available() -> bool {
    false
}

#[track_caller]
pub(super) fn run<D: Descriptors, P, T: Value>(
    until: Until,
    _: &str,
    _: D,
    _: impl FnOnce(&D) -> P,
    _: impl FnOnce() -> Outcome,
    _: impl FnOnce(D, P, &Link) -> T,
) -> Result<(Victim<T>, Report), Failure> {
    let place = match until {
        Until::TheEnd => "the end".to_owned(),
        Until::Instruction { number, of } => format!("instruction {number} of {of}"),
    };
    Err(Failure::new(CaseResult::Unresolved, Cause::Setup, format!("a victim cannot be stepped to {place} here")))
}
