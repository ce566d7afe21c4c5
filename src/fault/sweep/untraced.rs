//! Points without tracing: the victim kills itself before or after one of the wrappers of `sys`.

use super::{Report, Scene, Victim, conclude};
use crate::outcome::{Failure, Outcome};
use crate::process::{Descriptors, Link, Participant, Value, context};
use crate::sys::point;

/// The gate at which a victim waits for the case to have set the scene.
const PREPARED: &str = "prepared";

#[track_caller]
pub(super) fn run<D: Descriptors, P, T: Value>(
    number: u32,
    scene: Scene<'_, D, impl FnOnce(&D) -> P, impl FnOnce() -> Outcome>,
    body: impl FnOnce(D, P, &Link) -> T,
) -> Result<(Victim<T>, Report), Failure> {
    context::weak_evidence(
        "no system-call tracing here: victims were killed before and after the calls they make through wrappers only",
    );
    let Scene { name, descriptors, prepare, meanwhile, .. } = scene;
    let participant = Participant::spawn(name, descriptors, |descriptors, link| {
        let prepared = prepare(&descriptors);
        link.meet(PREPARED);
        point::arm(number);
        let value = body(descriptors, prepared, link);
        point::disarm();
        value
    })?;
    participant.until_reached(PREPARED)?;
    meanwhile()?;
    participant.open(PREPARED)?;
    let killed = participant.ended_by_kill()?;
    let value = conclude(participant, killed)?;
    let what = if killed { format!("killed at cooperative point {number}") } else { "not killed".to_owned() };
    let victim = Victim { value, completed: Vec::new(), entered: None, address: None };
    Ok((victim, Report { finished: !killed, what }))
}
