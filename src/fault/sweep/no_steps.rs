//! Where nothing can be stepped; also where atomic operations are loops of load-linked and store-conditional: stepping through one
//! starts it anew for ever.

use super::{Injection, Reach, Report, Scene, Victim};
use crate::outcome::{Failure, Outcome};
use crate::process::Value;
use crate::process::{Descriptors, Link, context};

/// No victim is killed at an instruction here.
#[derive(Debug)]
pub(super) enum Target {}

impl Target {
    pub(super) fn number(&self) -> u32 {
        match *self {}
    }
}

#[track_caller]
pub(super) fn sweep(scenario: &impl Fn(&Injection) -> Outcome, _: Reach) -> Outcome {
    context::weak_evidence(super::NO_STEPS);
    super::sweep(scenario)
}

pub(super) fn run<D: Descriptors, P, T: Value>(
    target: &Target,
    _: Scene<'_, D, impl FnOnce(&D) -> P, impl FnOnce() -> Outcome>,
    _: impl FnOnce(D, P, &Link) -> T,
) -> Result<(Victim<T>, Report), Failure> {
    match *target {}
}
