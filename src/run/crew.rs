//! The workers as the runner sees them: where they are given commands, and where they report.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use super::worker::Command;
use crate::process::Pause;
use crate::process::channel::Receiver;
use crate::process::child::end_of;
use crate::sys::process::wait::{wait, wait_with};

/// How long workers may take to end before they are killed; longer than an audit takes at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// A worker.
pub(crate) struct Worker {
    pub(crate) process: Pid,
    pub(crate) commands: OwnedFd,
    pub(crate) reports: Receiver,
    /// What it was told to run, until it reports.
    pub(crate) running: Option<Command>,
    /// When a worker that has not answered is taken to be stuck.
    pub(crate) due: Option<Instant>,
    /// Outside the sandbox.
    pub(crate) ambient: bool,
}

impl Worker {
    /// Kills it: what it was running, and how it ended.
    pub(crate) fn kill(self) -> (Option<Command>, String) {
        let _ = kill(self.process, Signal::SIGKILL);
        let how = match wait(self.process) {
            Ok(status) => end_of(status).map_or_else(|| format!("{status:?}"), |end| end.to_string()),
            Err(errno) => format!("{errno:?}"),
        };
        (self.running, how)
    }
}

/// Ends workers by closing their commands: an idle one leaves, and a busy one ends its case first. (Without a PID namespace
/// `SIGKILL` would take along only those processes that ask for it.)
pub(crate) fn end(workers: Vec<Worker>) {
    // All pipes before the first wait, so that workers end side by side.
    let processes: Vec<Pid> = workers.into_iter().map(|worker| worker.process).collect();
    let until = Instant::now() + PATIENCE;
    let mut pause = Pause::default();
    for process in processes {
        while matches!(wait_with(process, WaitPidFlag::WNOHANG), Ok(WaitStatus::StillAlive)) {
            if Instant::now() > until {
                let _ = kill(process, Signal::SIGKILL);
                let _ = wait(process);
                break;
            }
            pause.sleep();
        }
    }
}
