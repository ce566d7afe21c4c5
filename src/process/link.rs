//! The participant's side of its control channel: gates, and the value that it hands back.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::channel::{self, Received, Receiver};
use super::panics;
use crate::sys::process::fork::exit_now;

/// What a participant tells the case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum FromParticipant {
    /// It has reached a gate.
    Reached(String),
    /// Its body returned: the value, encoded, and as text.
    Value(Vec<u8>, String),
    /// Its body panicked: message and place.
    Panicked(String, Option<(String, u32)>),
}

/// What a case tells a participant: a gate is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Open(pub String);

/// A participant's link to its case. A gate is a one-shot event; passing one proves that code was reached, never that somebody
/// waits (see [`super::blocked`]).
#[derive(Debug)]
pub struct Link {
    name: String,
    to_case: OwnedFd,
    from_case: Mutex<Receiver>,
}

impl Link {
    pub(super) fn new(name: &str, to_case: OwnedFd, from_case: OwnedFd) -> Self {
        Link { name: name.to_owned(), to_case, from_case: Mutex::new(Receiver::new(from_case)) }
    }

    pub(super) fn numbers(&self) -> [i32; 2] {
        let from_case = self.from_case.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        [self.to_case.as_raw_fd(), from_case.number()]
    }

    /// The participant's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells the case that this point is reached.
    pub fn reached(&self, gate: &str) {
        self.send(&FromParticipant::Reached(gate.to_owned()));
    }

    /// Waits until the case opens the gate with [`super::Child::open`].
    ///
    /// # Panics
    /// The case opens another gate, or is gone.
    #[track_caller]
    pub fn wait(&self, gate: &str) {
        let mut from_case = self.from_case.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match from_case.receive::<Open>() {
            Ok(Received::Frame(Open(opened))) if opened == gate => {}
            Ok(Received::Frame(Open(opened))) => panic!("it waits at {gate}, and the case has opened {opened}"),
            Ok(Received::Closed) => panic!("it waits at {gate}, and the case is gone"),
            other => panic!("it waits at {gate}, and its link brought {other:?}"),
        }
    }

    /// Tells the case that this point is reached, and waits there for the case to open it.
    ///
    /// # Panics
    /// As [`Link::wait`].
    #[track_caller]
    pub fn meet(&self, gate: &str) {
        self.reached(gate);
        self.wait(gate);
    }

    /// Does nothing until it is killed.
    pub fn park(&self) -> ! {
        loop {
            nix::unistd::pause();
        }
    }

    fn send(&self, message: &FromParticipant) {
        if channel::send(self.to_case.as_fd(), message).is_err() {
            // The case is gone, and with it everybody who could be told.
            exit_now(1);
        }
    }

    /// Runs the body, sends what it returned, and ends the process: a child never comes back to its parent's stack.
    pub(super) fn run<T: Serialize + std::fmt::Debug>(&self, body: impl FnOnce(&Link) -> T) -> ! {
        let message = match panics::catch(|| body(self)) {
            Ok(value) => match postcard::to_stdvec(&value) {
                Ok(bytes) => FromParticipant::Value(bytes, shown(&value)),
                Err(error) => FromParticipant::Panicked(format!("cannot send {}: {error}", shown(&value)), None),
            },
            Err((message, place)) => FromParticipant::Panicked(message, place),
        };
        self.send(&message);
        exit_now(0)
    }
}

/// A value as it stands in a timeline or a sentence: the beginning of a long one.
fn shown(value: &impl std::fmt::Debug) -> String {
    const LONGEST: usize = 120;
    let mut text = format!("{value:?}");
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}
