//! [`Child`]: what a participant is whatever its body returns: a forked process, its gates, its state and its end.
//!
//! Apart from [`super::Participant`] so that none of this is compiled anew for each type of value.

pub mod state;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt::{self, Debug};
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use super::channel::{self, Received, Receiver};
use super::context::{happened, spawned};
use super::lifetime::die_with;
use super::link::{FromParticipant, Link, Open};
use crate::outcome::{CaseResult, Cause, Failure};
use crate::sys::Errno;
use crate::sys::process::fork::{Forked, fork};
use crate::sys::process::wait::{wait, wait_with};

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It exited with a status.
    Exited(i32),
    /// A signal ended it.
    Killed(Signal),
}

impl Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exited(status) => write!(f, "Exited({status})"),
            End::Killed(signal) => write!(f, "Killed({signal})"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exited(status) => write!(f, "exited with status {status}"),
            End::Killed(signal) => write!(f, "was ended by {signal}"),
        }
    }
}

/// A process forked by a case. It is killed and reaped when dropped, and never reaped before, so that its id can't be another's.
pub struct Child {
    name: String,
    process: Pid,
    to: OwnedFd,
    from: RefCell<Receiver>,
    /// The descriptor on which the participant waits at gates: asleep there is not blocked.
    gate_descriptor: i32,
    #[cfg(has_ptrace_sweep)]
    link_number: i32,
    end: Cell<Option<End>>,
    /// The process that made it; a forked copy must not kill it.
    owner: u32,
}

impl Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.process)
    }
}

impl Child {
    /// Forks; `child` never returns.
    pub(super) fn fork(name: &str, child: &mut dyn FnMut(&Link) -> Infallible) -> Result<Self, Errno> {
        let (from_child, to_case) = channel::pipe()?;
        let (from_case, to_child) = channel::pipe()?;
        let link = Link::new(name, to_case, from_case);
        let numbers = link.numbers();
        let parent = nix::unistd::getpid();
        match fork()? {
            Forked::Child => {
                die_with(parent);
                // A panic before the body is reported like one inside it, and never unwinds into the parent's frames.
                link.run(|link| -> bool { match child(link) {} })
            }
            Forked::Parent(process) => {
                spawned(name, process);
                Ok(Child {
                    name: name.to_owned(),
                    process,
                    to: to_child,
                    from: RefCell::new(Receiver::new(from_child)),
                    gate_descriptor: numbers[1],
                    #[cfg(has_ptrace_sweep)]
                    link_number: numbers[0],
                    end: Cell::new(None),
                    owner: std::process::id(),
                })
            }
        }
    }

    /// Waits for the participant to end, and gives what its body returned, encoded.
    ///
    /// # Errors
    /// The case *fails* if the participant panicked, was killed, or exited by itself.
    #[track_caller]
    pub(super) fn returned(&self) -> Result<Vec<u8>, Failure> {
        happened(&self.name, "is waited for");
        let message = loop {
            match self.receive()? {
                Some(FromParticipant::Reached(_)) => {}
                other => break other,
            }
        };
        match message {
            Some(FromParticipant::Value(bytes, text)) => {
                happened(&self.name, format!("returned {text}"));
                self.reap()?;
                Ok(bytes)
            }
            Some(FromParticipant::Panicked(message, place)) => {
                self.reap()?;
                let mut failure = self.broken(&format!("panicked: {message}"));
                failure.finding.cause = Cause::Panic;
                if let Some((file, line)) = place {
                    failure = failure.detail("panicked at", format!("{file}:{line}"));
                }
                Err(failure)
            }
            Some(FromParticipant::Reached(_)) | None => {
                let end = self.reap()?;
                Err(self.broken(&format!("{end} where it should have returned")))
            }
        }
    }

    /// The participant's process id.
    pub fn id(&self) -> Pid {
        self.process
    }

    /// Waits until the participant has reached the gate.
    ///
    /// # Errors
    /// The case *fails* if the participant ends first, or reaches another gate.
    #[track_caller]
    pub fn until_reached(&self, gate: &str) -> Result<(), Failure> {
        happened(&self.name, format!("is awaited at {gate}"));
        match self.receive()? {
            Some(FromParticipant::Reached(reached)) if reached == gate => {
                happened(&self.name, format!("reached {gate}"));
                Ok(())
            }
            Some(FromParticipant::Reached(reached)) => Err(self.broken(&format!("reached {reached} before {gate}"))),
            Some(FromParticipant::Value(_, text)) => Err(self.broken(&format!("returned {text} before it reached {gate}"))),
            Some(FromParticipant::Panicked(message, _)) => {
                Err(self.broken(&format!("panicked before it reached {gate}: {message}")))
            }
            None => {
                let end = self.reap()?;
                Err(self.broken(&format!("{end} before it reached {gate}")))
            }
        }
    }

    /// Opens a gate at which the participant waits, or will wait.
    ///
    /// # Errors
    /// The participant is gone (`EPIPE`).
    pub fn open(&self, gate: &str) -> Result<(), Errno> {
        happened(&self.name, format!("may pass {gate}"));
        channel::send(self.to.as_fd(), &Open(gate.to_owned()))
    }

    /// Kills the participant with `SIGKILL` and waits until it is gone, its descriptors closed with it.
    ///
    /// # Errors
    /// What `kill` or `waitpid` answer; `ESRCH` where it had ended before.
    pub fn kill(&self) -> Result<(), Errno> {
        if self.end.get().is_some() {
            return Err(crate::sys::errno::ESRCH);
        }
        signal::kill(self.process, Signal::SIGKILL)?;
        self.reap()?;
        Ok(())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// What `kill` answers; `ESRCH` where it has been waited for.
    pub fn signal(&self, signal: Signal) -> Result<(), Errno> {
        if self.end.get().is_some() {
            return Err(crate::sys::errno::ESRCH);
        }
        happened(&self.name, format!("is sent {signal}"));
        signal::kill(self.process, signal)?;
        Ok(())
    }

    /// Stops the participant with `SIGSTOP` and waits until it is stopped.
    ///
    /// # Errors
    /// What `kill` or `waitpid` answer; `ECHILD` where it ended instead.
    pub fn stop(&self) -> Result<(), Errno> {
        self.signal(Signal::SIGSTOP)?;
        match wait_with(self.process, WaitPidFlag::WUNTRACED)? {
            WaitStatus::Stopped(..) => {
                happened(&self.name, "stopped");
                Ok(())
            }
            status => {
                self.end.set(end_of(status));
                Err(crate::sys::errno::ECHILD)
            }
        }
    }

    /// Lets a stopped participant go on, and waits until it has been continued.
    ///
    /// # Errors
    /// What `kill` or `waitpid` answer.
    pub fn resume(&self) -> Result<(), Errno> {
        self.signal(Signal::SIGCONT)?;
        match wait_with(self.process, WaitPidFlag::WCONTINUED)? {
            WaitStatus::Continued(_) => Ok(()),
            status => {
                self.end.set(end_of(status));
                Ok(())
            }
        }
    }

    /// Waits for the end, once; afterwards the id may be another's and is not used again.
    pub(super) fn reap(&self) -> Result<End, Errno> {
        if let Some(end) = self.end.get() {
            return Ok(end);
        }
        let status = wait(self.process)?;
        let end = end_of(status).ok_or(crate::sys::errno::ECHILD)?;
        self.end.set(Some(end));
        happened(&self.name, end.to_string());
        Ok(end)
    }

    /// Number of the descriptor over which the participant sends its value.
    #[cfg(has_ptrace_sweep)]
    pub(crate) fn link_number(&self) -> i32 {
        self.link_number
    }

    /// Waits for the end without taking the value: whether `SIGKILL` ended it.
    pub(crate) fn ended_by_kill(&self) -> Result<bool, Errno> {
        Ok(self.reap()? == End::Killed(Signal::SIGKILL))
    }

    /// Takes note of an end that somebody else waited for (the tracer of a sweep).
    #[cfg(has_ptrace_sweep)]
    pub(crate) fn has_ended(&self, end: End) {
        self.end.set(Some(end));
        happened(&self.name, end.to_string());
    }

    fn receive(&self) -> Result<Option<FromParticipant>, Errno> {
        match self.from.borrow_mut().receive()? {
            Received::Frame(message) => Ok(Some(message)),
            Received::Closed | Received::Nothing | Received::Garbage => Ok(None),
        }
    }

    #[track_caller]
    pub(super) fn broken(&self, how: &str) -> Failure {
        Failure::new(CaseResult::Fail, Cause::ParticipantDied, format!("participant {} {how}", self.name))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.owner == std::process::id() && self.end.get().is_none() {
            // Nothing more can be done about an error here; what is left over the worker's audit finds and names.
            let _ = self.kill();
        }
    }
}

/// The end that a status tells of.
pub(crate) fn end_of(status: WaitStatus) -> Option<End> {
    match status {
        WaitStatus::Exited(_, status) => Some(End::Exited(status)),
        WaitStatus::Signaled(_, signal, _) => Some(End::Killed(signal)),
        _ => None,
    }
}
