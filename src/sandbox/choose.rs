//! Which isolation is to be had here: found by entering it once, never from a version or a user id.

use super::journal;
use super::private::{self, PrivatePlan};
use super::worker::try_out;
use crate::run::IsolationChoice;
use crate::sys::Errno;

/// What workers run in.
#[derive(Clone, Debug)]
pub enum Isolation {
    /// Namespaces of their own, entered as planned.
    Private(PrivatePlan),
    /// The ambient surroundings.
    None {
        /// Why, in a sentence fragment.
        why: String,
    },
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// `--isolation private` was asked for where it is impossible.
    #[error("private isolation is impossible here: {why}; use --isolation none, or auto")]
    Refused {
        /// What the attempts ended with.
        why: String,
    },
    /// A worker could not be started.
    #[error("cannot start a worker: {0:?} ({0})")]
    Fork(#[from] Errno),
    /// A worker was started, and could not set itself up.
    #[error("a worker cannot set its sandbox up: {0}")]
    Setup(String),
    /// The journal's directory cannot be trusted or used.
    #[error("cannot keep a journal of objects in {directory}: {why}")]
    Journal {
        /// The directory.
        directory: String,
        /// What is the matter with it, and what helps.
        why: String,
    },
}

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

impl Isolation {
    /// Whether workers have namespaces of their own.
    pub fn is_private(&self) -> bool {
        matches!(self, Isolation::Private(_))
    }

    /// In one line: `private`, or `none` and why.
    pub fn describe(&self) -> String {
        match self {
            Isolation::Private(plan) => format!("private ({})", plan.description()),
            Isolation::None { why } => format!("none ({why})"),
        }
    }

    /// What the command line shows about it: name and value of each property.
    pub fn facts(&self) -> Vec<(String, String)> {
        let row = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        match self {
            Isolation::Private(plan) => {
                let mut facts = vec![row("isolation", "private")];
                facts.extend(plan.surroundings().facts());
                facts
            }
            Isolation::None { why } => vec![row("isolation", "none"), row("reason", why)],
        }
    }
}
