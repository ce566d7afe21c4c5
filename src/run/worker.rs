//! A worker: owns a sandbox, runs the cases that the runner names, and audits after each.

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::case_process::{self, Setup};
use super::report::Report;
use super::{RunOptions, seeds};
use crate::case::Case;
use crate::outcome::{CaseResult, Cause, Finding};
use crate::process::channel::{self, Received, Receiver};
use crate::process::context::Parameters;
use crate::process::wake::Wake;
use crate::sandbox::{KernelWatch, Probes, Sandbox};
use crate::sys::Errno;

/// What the runner tells a worker: run this case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Command {
    /// Index into the run's cases.
    pub(crate) index: usize,
    /// Repetition, from 0.
    pub(crate) iteration: u32,
    /// Nothing else runs meanwhile, and what the kernel said before is known.
    pub(crate) alone: bool,
}

/// What a worker needs to know of its run.
pub(crate) struct Job<'r> {
    pub(crate) options: &'r RunOptions<'r>,
    pub(crate) time_scale: f64,
}

/// The worker's process: reads commands until the runner is gone.
pub(crate) fn serve(job: &Job<'_>, sandbox: Sandbox, kernel: KernelWatch, commands: OwnedFd, reports: &OwnedFd) -> Infallible {
    sandbox.outlive_runner();
    let wake = Wake::on(&[Signal::SIGCHLD]).expect("a worker needs a pipe, two descriptors and a signal handler");
    // A terminal's Ctrl-C is for the runner, which ends its workers itself.
    let _ = crate::sys::signal::ignore(Signal::SIGINT);
    let mut worker = Worker { job, sandbox, probes: Probes::new(), kernel, wake, commands: Receiver::new(commands) };
    while let Ok(Received::Frame(command)) = worker.commands.receive::<Command>() {
        let started = Instant::now();
        let Some(mut report) = worker.run(command) else {
            // The runner has gone in the middle of the case: what the case has made so far is nobody's any more.
            worker.sandbox.audit();
            break;
        };
        report.duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        if channel::send(reports.as_fd(), &report).is_err() {
            break;
        }
    }
    worker.sandbox.leave(0)
}

struct Worker<'r> {
    job: &'r Job<'r>,
    sandbox: Sandbox,
    probes: Probes,
    kernel: KernelWatch,
    wake: Wake,
    commands: Receiver,
}

impl Worker<'_> {
    /// Runs a case and audits after it; `None` once the runner is gone.
    fn run(&mut self, command: Command) -> Option<Report> {
        let options = self.job.options;
        let case = options.cases[command.index];
        for need in case.submission.needs {
            if let Err(unmet) = self.probes.check(need) {
                return Some(Report::not_run(case, CaseResult::Untested, Finding::unmet(unmet)));
            }
        }
        self.sandbox.begin();
        if command.alone {
            self.kernel.since_last();
        }
        let mut report = self.run_process(case, command).unwrap_or_else(|errno| {
            let message = format!("no process or directory could be made for the case: {errno:?} ({errno})");
            Some(Report::not_run(case, CaseResult::Unresolved, Finding::new(Cause::Harness, message)))
        })?;
        let cut_short = report.finding.as_ref().is_some_and(|finding| matches!(finding.cause, Cause::Deadline | Cause::Signal));
        let leaks = self.sandbox.audit();
        if !leaks.is_empty() && !cut_short {
            let names: Vec<String> = leaks.iter().map(ToString::to_string).collect();
            report.add_failure(Cause::Leak, "left behind", format!("left behind: {}", names.join(", ")));
        }
        // Whose doing it is the runner finds out.
        report.kernel = self.kernel.since_last();
        report.locate(case);
        Some(report)
    }

    fn run_process(&mut self, case: &Case, command: Command) -> Result<Option<Report>, Errno> {
        let options = self.job.options;
        let directory = self.sandbox.case_directory()?;
        let setup = Setup {
            case,
            directory: &directory,
            parameters: Parameters {
                seed: seeds::of_case(options.seed, command.iteration, &case.name),
                time_scale: self.job.time_scale,
                property_cases: options.property_cases,
            },
            own_temporary: self.sandbox.is_private(),
            nocapture: options.nocapture,
        };
        case_process::run(&setup, &self.wake, &self.commands, |leader| self.sandbox.case_started(leader))
    }
}

/// Waits until one of the descriptors can be read, or that time has come; the indices of those that can.
pub(crate) fn readable(descriptors: &[std::os::fd::BorrowedFd<'_>], until: Option<Instant>) -> Result<Vec<usize>, Errno> {
    let left = until.map(|until| until.saturating_duration_since(Instant::now()) + Duration::from_millis(1));
    let timeout = left.map_or(PollTimeout::NONE, |left| PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
    let mut polled: Vec<PollFd<'_>> = descriptors.iter().map(|&descriptor| PollFd::new(descriptor, PollFlags::POLLIN)).collect();
    match poll(&mut polled, timeout) {
        Ok(_) => {}
        Err(nix::errno::Errno::EINTR) => return Ok(Vec::new()),
        Err(errno) => return Err(errno.into()),
    }
    let ready = |polled: &PollFd<'_>| polled.revents().is_some_and(|events| !events.is_empty());
    Ok(polled.iter().enumerate().filter(|(_, polled)| ready(polled)).map(|(index, _)| index).collect())
}
