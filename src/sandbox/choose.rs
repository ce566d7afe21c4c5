//! Which isolation is to be had here: found by entering it once, never from a version or a user id.

use super::error::SandboxError;
use super::isolation::{Isolation, IsolationChoice};
use super::journal;
use super::private;
use super::worker::try_out;

/// Finds the strongest isolation that was asked for and that works here.
///
/// # Errors
/// Private isolation was demanded and is impossible.
pub fn choose(wanted: IsolationChoice) -> Result<Isolation, SandboxError> {
    if wanted == IsolationChoice::None {
        return Ok(ambient("asked for".to_owned()));
    }
    // Of the plans that need the same right, the last asks for least: its refusal says most.
    let mut refusals = [None, None];
    for candidate in private::candidates() {
        match try_out(&Isolation::Private(candidate.clone())) {
            Ok(surroundings) => return Ok(Isolation::Private(candidate.confirmed(surroundings))),
            Err(error) => {
                let why = match error {
                    SandboxError::Setup(why) => why,
                    SandboxError::Fork(errno) => format!("clone fails with {errno:?}"),
                    other => other.to_string(),
                };
                refusals[usize::from(candidate.in_user_namespace())] = Some(format!("for {}, {why}", candidate.description()));
            }
        }
    }
    let refusals: Vec<String> = refusals.into_iter().flatten().collect();
    let why = if refusals.is_empty() { private::NOT_HERE.to_owned() } else { refusals.join("; ") };
    if wanted == IsolationChoice::Private { Err(SandboxError::Refused { why }) } else { Ok(ambient(why)) }
}

/// The ambient surroundings, freed of what killed runs left. Errors are left to the first worker, which meets them too.
fn ambient(why: String) -> Isolation {
    let _ = journal::clean();
    Isolation::None { why }
}
