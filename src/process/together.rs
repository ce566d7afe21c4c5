//! Several participants that begin at the same time.

use super::Participant;
use super::value::Value;
use crate::outcome::{Failure, Outcome};
use crate::sys::Errno;

/// The gate at which those meet that [`together`] starts.
const START: &str = "start";

/// Runs `body` in so many participants, which inherit all descriptors and are let go once all are there: what each returned, by number.
///
/// # Errors
/// The case *fails* if a participant ends otherwise; it is unresolved where one cannot be started, or returns an error.
#[track_caller]
pub fn together<T: Value>(name: &str, count: u8, body: impl Fn(u8) -> Result<T, Errno>) -> Result<Vec<T>, Failure> {
    let mut participants = Vec::new();
    for number in 0..count {
        participants.push(Participant::spawn_inheriting(&format!("{name} {number}"), |link| {
            link.meet(START);
            body(number)
        })?);
    }
    let_go(&participants, START)?;
    let mut values = Vec::new();
    for participant in participants {
        values.push(participant.join()??);
    }
    Ok(values)
}

/// Opens a gate for several participants as soon as all of them wait there.
///
/// # Errors
/// The case *fails* if a participant does not reach the gate.
#[track_caller]
pub fn let_go<T: Value>(participants: &[Participant<T>], gate: &str) -> Outcome {
    for participant in participants {
        participant.until_reached(gate)?;
    }
    for participant in participants {
        participant.open(gate)?;
    }
    Ok(())
}
