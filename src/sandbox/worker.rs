//! Forking a worker, and the short conversation in which it sets itself up.
//!
//! Worker: "ready" (it will die with the runner) → runner: "go" (ids are mapped) → worker: "marked" (its first mount) → runner:
//! "go" (the mark is not seen outside) → worker: "entered" or "failed, because".
//! A runner that is gone is seen as end-of-file in the worker, and the other way round.

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::unistd::Pid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::SandboxError;
use super::inside::Sandbox;
use super::isolation::Isolation;
use super::private::IdMap;
use super::surroundings::{Marked, Surroundings};
use crate::process::channel::{self, Received, Receiver};
use crate::process::die_with_parent;
use crate::sys::process::fork::{self, Forked, PANICKED, exit_now};
use crate::sys::process::wait::wait;

#[derive(Serialize, Deserialize)]
enum FromWorker {
    Ready,
    Marked(Marked),
    Entered(Surroundings),
    Failed(String),
}

/// A worker whose sandbox stands.
#[derive(Debug)]
pub struct StartedWorker {
    /// The worker's process.
    pub process: Pid,
    /// What its sandbox lacks, a sentence each.
    pub remarks: Vec<String>,
}

/// Forks a worker into `isolation`, and runs `body` there with the worker's sandbox. Returns when the sandbox stands.
///
/// What `body` owns (its end of a channel, a [`super::KernelWatch`]) is dropped in the runner and kept in the worker. The worker
/// is killed when the runner dies, where the system offers that; `body` should end by [`Sandbox::leave`].
///
/// # Errors
/// The fork failed, or the worker could not set itself up; it has been reaped then.
pub fn fork_worker(isolation: &Isolation, body: impl FnOnce(Sandbox) -> Infallible) -> Result<StartedWorker, SandboxError> {
    start(isolation, body).map(|(process, surroundings)| StartedWorker { process, remarks: surroundings.remarks })
}

/// Starts a worker, and ends it as soon as it stands.
pub(super) fn try_out(isolation: &Isolation) -> Result<Surroundings, SandboxError> {
    let (pid, surroundings) = start(isolation, |sandbox| sandbox.leave(0))?;
    wait(pid)?;
    Ok(surroundings)
}

fn start(isolation: &Isolation, body: impl FnOnce(Sandbox) -> Infallible) -> Result<(Pid, Surroundings), SandboxError> {
    let (from_worker, to_runner) = channel::pipe()?;
    let (from_runner, to_worker) = channel::pipe()?;
    let forked = match isolation {
        Isolation::Private(plan) => plan.fork()?,
        Isolation::None { .. } => fork::fork()?,
    };
    match forked {
        Forked::Child => {
            drop((from_worker, to_worker));
            let end = catch_unwind(AssertUnwindSafe(|| worker(isolation, Receiver::new(from_runner), to_runner, body)));
            match end {
                Err(_) => exit_now(PANICKED),
            }
        }
        Forked::Parent(pid) => {
            drop((from_runner, to_runner));
            let result = accompany(isolation, pid, Receiver::new(from_worker), &to_worker);
            if result.is_err() {
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
                let _ = wait(pid);
            }
            result.map(|surroundings| (pid, surroundings))
        }
    }
}

/// The runner's part.
fn accompany(
    isolation: &Isolation,
    pid: Pid,
    mut from_worker: Receiver,
    to_worker: &OwnedFd,
) -> Result<Surroundings, SandboxError> {
    let gone = || SandboxError::Setup("it ended without a word".to_owned());
    let Some(FromWorker::Ready) = receive(&mut from_worker) else { return Err(gone()) };
    let ids = match isolation {
        Isolation::Private(plan) => plan.map_ids(pid).map_err(SandboxError::Setup)?,
        Isolation::None { .. } => IdMap::All,
    };
    send(to_worker, &ids);
    loop {
        match receive(&mut from_worker) {
            Some(FromWorker::Marked(marked)) => {
                prove(isolation, &marked)?;
                send(to_worker, &ids);
            }
            Some(FromWorker::Entered(surroundings)) => return Ok(surroundings),
            Some(FromWorker::Failed(why)) => return Err(SandboxError::Setup(why)),
            Some(FromWorker::Ready) | None => return Err(gone()),
        }
    }
}

/// Proves that what a worker mounts is not seen here.
fn prove(isolation: &Isolation, marked: &Marked) -> Result<(), SandboxError> {
    if !marked.marker.exists() {
        return Ok(());
    }
    if let Isolation::Private(plan) = isolation {
        plan.unmark(marked);
    }
    Err(SandboxError::Setup("a mount namespace has no effect: what is mounted in it shows outside".to_owned()))
}

/// The worker's part.
fn worker(
    isolation: &Isolation,
    mut from_runner: Receiver,
    to_runner: OwnedFd,
    body: impl FnOnce(Sandbox) -> Infallible,
) -> Infallible {
    die_with_parent();
    send(&to_runner, &FromWorker::Ready);
    // From here on the runner's death kills. Had it died before, the answer would not come.
    let Some(_) = receive::<IdMap>(&mut from_runner) else { exit_now(1) };
    let sandbox = match isolation {
        Isolation::Private(plan) => plan
            .mark()
            .and_then(|marked| {
                send(&to_runner, &FromWorker::Marked(marked.clone()));
                // No answer: what was shown was seen outside, and the runner ends this worker.
                let Some(ids) = receive::<IdMap>(&mut from_runner) else { exit_now(1) };
                plan.enter(ids, marked)
            })
            .map_err(SandboxError::Setup)
            .and_then(Sandbox::private),
        Isolation::None { .. } => Sandbox::ambient(),
    };
    match sandbox {
        Ok(sandbox) => {
            send(&to_runner, &FromWorker::Entered(sandbox.surroundings().clone()));
            drop((from_runner, to_runner));
            body(sandbox)
        }
        Err(error) => {
            let why = if let SandboxError::Setup(why) = error { why } else { error.to_string() };
            send(&to_runner, &FromWorker::Failed(why));
            exit_now(1)
        }
    }
}

/// Sends one message. If the other process is gone, the next `receive` says so.
fn send(pipe: &OwnedFd, message: &impl Serialize) {
    let _ = channel::send(pipe.as_fd(), message);
}

/// The next message; `None` where the other side is gone, or does not speak this language.
fn receive<T: DeserializeOwned>(pipe: &mut Receiver) -> Option<T> {
    match pipe.receive() {
        Ok(Received::Frame(message)) => Some(message),
        Ok(Received::Nothing | Received::Closed | Received::Garbage) | Err(_) => None,
    }
}
