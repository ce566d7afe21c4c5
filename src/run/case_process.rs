//! One case: its process is forked, watched until it ends or its deadline passes, and turned into a [`Report`].

use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use super::report::Report;
use crate::case::{Case, Level};
use crate::outcome::{CaseResult, Cause, Failure, Finding, Outcome, TimelineEntry};
use crate::process::channel::{self, Received, Receiver};
use crate::process::child::{End, end_of};
use crate::process::context::{self, CaseMessage, Parameters};
use crate::process::wake::Wake;
use crate::process::{clean_state, panics, snapshot};
use crate::sys::Errno;
use crate::sys::process::fork::{Forked, exit_now, flush, fork};
use crate::sys::process::threads::set_variable;
use crate::sys::process::wait::{wait, wait_with};

/// Deadline of a case that declares no other, before scaling.
const USUAL_DEADLINE: Duration = Duration::from_secs(10);

/// Most bytes of a case's output that a finding keeps: its end.
const KEPT_OUTPUT: usize = 8 * 1024;

/// Most entries of a timeline that a finding keeps: its end.
const KEPT_TIMELINE: usize = 200;

/// How long a case's pipes are read after its end, or past its deadline, while somebody may go on writing.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a case is not listened to after it has been heard, but for its end: each of its words would cost two context switches, and
/// more than fits into its pipes in that time is not lost, but waits.
const NAP: Duration = Duration::from_millis(2);

/// So much is read however late it is, in bytes of output and in frames: more than can be waiting in a pipe.
const WAITING: usize = 1 << 20;

/// What the watched process has told so far.
#[derive(Default)]
struct Record {
    timeline: Vec<TimelineEntry>,
    /// Process ids and names of participants, in the order in which they were made.
    participants: Vec<(i32, String)>,
    observations: Vec<(String, String)>,
    weak: Vec<String>,
    output: Vec<u8>,
    outcome: Option<Outcome>,
    garbage: bool,
}

impl Record {
    /// Adds to the timeline, of which the end is kept.
    fn note(&mut self, entry: TimelineEntry) {
        if self.timeline.len() == 2 * KEPT_TIMELINE {
            self.timeline.drain(..KEPT_TIMELINE);
        }
        self.timeline.push(entry);
    }

    /// The participant that had that process id last.
    fn participant(&self, process: i32) -> Option<&str> {
        self.participants.iter().rev().find(|(known, _)| *known == process).map(|(_, name)| name.as_str())
    }
}

/// How the watch ended.
enum Watched {
    Ended(End),
    PastDeadline,
    RunnerGone,
}

/// What a case's process starts with.
pub(crate) struct Setup<'a> {
    pub(crate) case: &'a Case,
    pub(crate) directory: &'a Path,
    pub(crate) parameters: Parameters,
    /// Whether the temporary directory of the case is its own one.
    pub(crate) own_temporary: bool,
    pub(crate) nocapture: bool,
}

/// How long a case may take.
pub(crate) fn deadline(case: &Case, time_scale: f64) -> Duration {
    case.submission.deadline.unwrap_or(USUAL_DEADLINE).mul_f64(time_scale)
}

/// Runs one case in a process of its own; `started` learns its id. `None`: the runner is gone, and nobody wants the report.
///
/// # Errors
/// A process or pipe for the case cannot be had.
pub(crate) fn run(setup: &Setup<'_>, wake: &Wake, runner: &Receiver, started: impl FnOnce(Pid)) -> Result<Option<Report>, Errno> {
    let (from_case, to_worker) = channel::pipe()?;
    let (output, output_writer) = channel::pipe()?;
    let worker = nix::unistd::getpid();
    let process = match fork()? {
        Forked::Child => {
            crate::process::die_with(worker);
            become_case(setup, to_worker, (!setup.nocapture).then_some(output_writer))
        }
        Forked::Parent(child) => child,
    };
    // Both sides do it, so that the group exists whoever is first.
    let _ = nix::unistd::setpgid(process, process);
    started(process);
    drop((to_worker, output_writer));
    let deadline = deadline(setup.case, setup.parameters.time_scale);
    let channel = Receiver::new(from_case);
    channel.set_nonblocking()?;
    nix::fcntl::fcntl(&output, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))?;
    let mut watch = Watch { process, channel, output, wake, runner, record: Record::default() };
    let watched = watch.follow(deadline)?;
    let mut record = watch.record;
    let mut report = match watched {
        Watched::RunnerGone => return Ok(None),
        Watched::Ended(end) => judge_end(end, &mut record),
        Watched::PastDeadline => past_deadline(process, deadline, &record),
    };
    if let Some(finding) = &mut report.finding {
        let skip = record.timeline.len().saturating_sub(KEPT_TIMELINE);
        finding.timeline = record.timeline.split_off(skip);
        finding.output = String::from_utf8_lossy(&record.output).into_owned();
    }
    report.observations = record.observations;
    if report.result == CaseResult::Pass && setup.case.submission.level == Level::Observed && report.observations.is_empty() {
        let message = "a case of the level `observed` recorded no observation: record one, or give the case another level";
        report.add_failure(Cause::Observation, "observation", message.to_owned());
        report.locate(setup.case);
    }
    report.weak = record.weak;
    report.weak.dedup();
    Ok(Some(report))
}

/// The child: takes the known state, runs the body, sends how it ended.
fn become_case(setup: &Setup<'_>, to_worker: OwnedFd, output: Option<OwnedFd>) -> ! {
    let _ = nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0));
    panics::remember();
    let redirected = redirect(output);
    clean_state::run_from(to_worker, |to_worker, cleaned| {
        let prepared = redirected.and(cleaned).and_then(|()| enter_directory(setup));
        context::enter(to_worker, setup.parameters);
        let outcome = match prepared {
            Err(errno) => {
                let message = format!("the case's process cannot be prepared: {errno:?} ({errno})");
                Err(Failure::new(CaseResult::Unresolved, Cause::Harness, message))
            }
            Ok(()) => panics::catch(setup.case.submission.body).unwrap_or_else(|(message, place)| {
                let mut failure = Failure::new(CaseResult::Fail, Cause::Panic, format!("the case panicked: {message}"));
                failure.finding.location = place;
                Err(failure)
            }),
        };
        flush();
        context::send(&CaseMessage::End(outcome));
        exit_now(0)
    })
}

/// Nothing to read, and what is written goes to the worker.
fn redirect(output: Option<OwnedFd>) -> Result<(), Errno> {
    if let Some(output) = output {
        let null = std::fs::File::open("/dev/null")?;
        nix::unistd::dup2_stdin(&null)?;
        nix::unistd::dup2_stdout(&output)?;
        nix::unistd::dup2_stderr(&output)?;
    }
    Ok(())
}

fn enter_directory(setup: &Setup<'_>) -> Result<(), Errno> {
    nix::unistd::chdir(setup.directory)?;
    if setup.own_temporary {
        set_variable("TMPDIR", setup.directory)?;
    }
    Ok(())
}

/// Kills a case's process, which may have left its group, and what is in the group.
fn end_group(process: Pid) {
    let _ = kill(process, Signal::SIGKILL);
    let _ = killpg(process, Signal::SIGKILL);
}

/// A case's process while it runs, and all that is listened to meanwhile.
struct Watch<'a> {
    process: Pid,
    channel: Receiver,
    output: OwnedFd,
    wake: &'a Wake,
    runner: &'a Receiver,
    record: Record,
}

impl Watch<'_> {
    /// Waits for the end of the process, taking in what it says and writes.
    fn follow(&mut self, deadline: Duration) -> Result<Watched, Errno> {
        let mut started = Instant::now();
        let (mut channel_open, mut output_open) = (true, true);
        let mut napping = false;
        loop {
            let left = deadline.checked_sub(started.elapsed());
            // Past the deadline there is a last look: this process may have been kept from running for as long.
            let left_now = left.unwrap_or_default();
            napping = !napping;
            let runner_gone =
                if napping { self.wait(left_now.min(NAP), false, false)? } else { self.wait(left_now, channel_open, output_open)? };
            if runner_gone {
                end_group(self.process);
                return Ok(Watched::RunnerGone);
            }
            // The end first: what a process said before it ended is then in the pipes already.
            let signalled = !self.wake.take().is_empty();
            let ended = if signalled || !channel_open || left.is_none() { self.end()? } else { None };
            // A case may write faster than is read, so reading has a deadline too.
            let until = if ended.is_some() || left.is_none() { Instant::now() + LAST_WORDS } else { started + deadline };
            channel_open = channel_open && self.take_in(&mut started, until)?;
            output_open = output_open && drain(&self.output, &mut self.record.output, until)?;
            if let Some(end) = ended {
                return Ok(Watched::Ended(end));
            }
            if left.is_none() && started.elapsed() >= deadline {
                return Ok(Watched::PastDeadline);
            }
        }
    }

    /// Sleeps until something is to be heard, for `left` at most; true if the runner is gone.
    fn wait(&self, left: Duration, channel_open: bool, output_open: bool) -> Result<bool, Errno> {
        let timeout = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        let mut polled =
            vec![PollFd::new(self.wake.as_fd(), PollFlags::POLLIN), PollFd::new(self.runner.as_fd(), PollFlags::empty())];
        if channel_open {
            polled.push(PollFd::new(self.channel.as_fd(), PollFlags::POLLIN));
        }
        if output_open {
            polled.push(PollFd::new(self.output.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut polled, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(polled[1].revents().is_some_and(|events| events.contains(PollFlags::POLLHUP)))
    }

    fn end(&self) -> Result<Option<End>, Errno> {
        match wait_with(self.process, WaitPidFlag::WNOHANG)? {
            WaitStatus::StillAlive => Ok(None),
            status => Ok(end_of(status)),
        }
    }

    /// Takes in what the case has said; false once its channel is closed.
    fn take_in(&mut self, started: &mut Instant, until: Instant) -> Result<bool, Errno> {
        let record = &mut self.record;
        let mut frames = 0;
        while frames < WAITING || Instant::now() < until {
            frames += 1;
            match self.channel.receive::<CaseMessage>()? {
                Received::Frame(CaseMessage::Timeline(entry)) => record.note(entry),
                Received::Frame(CaseMessage::Spawned(entry, process)) => {
                    record.participants.push((process, entry.who.clone()));
                    record.note(entry);
                }
                Received::Frame(CaseMessage::Observation(key, value)) => record.observations.push((key, value)),
                Received::Frame(CaseMessage::Weak(sentence)) => record.weak.push(sentence),
                Received::Frame(CaseMessage::Restarted) => *started = Instant::now(),
                Received::Frame(CaseMessage::End(outcome)) => record.outcome = Some(outcome),
                Received::Nothing => return Ok(true),
                Received::Closed => return Ok(false),
                Received::Garbage => record.garbage = true,
            }
        }
        Ok(true)
    }
}

/// Reads what the case has written and keeps the end of it; false once the pipe is closed.
fn drain(output: &OwnedFd, kept: &mut Vec<u8>, until: Instant) -> Result<bool, Errno> {
    let mut buffer = [0; 16 * 1024];
    let mut total = 0;
    while total < WAITING || Instant::now() < until {
        match nix::unistd::read(output, &mut buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => {
                total += count;
                // In memory, which cannot fail.
                let _ = kept.write_all(&buffer[..count]);
                let surplus = kept.len().saturating_sub(KEPT_OUTPUT);
                kept.drain(..surplus);
            }
            Err(nix::errno::Errno::EAGAIN) => return Ok(true),
            Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(true)
}

/// A case that ended by itself.
fn judge_end(end: End, record: &mut Record) -> Report {
    let failure = match (record.outcome.take(), end) {
        (Some(Ok(())), End::Exited(0)) => {
            return Report::new(CaseResult::Pass, None);
        }
        (Some(Err(failure)), _) => failure,
        (Some(Ok(())), end) => cut_off(Cause::Exit, format!("the case's process {end} after its body had returned")),
        (None, End::Killed(signal)) => cut_off(Cause::Signal, format!("the case's process was ended by {signal}")),
        (None, End::Exited(_)) if record.garbage => {
            cut_off(Cause::Exit, format!("the case's process wrote into its control channel and {end}"))
        }
        (None, End::Exited(_)) => cut_off(
            Cause::Exit,
            format!("the case's process {end} without a result: it left by itself, or closed its control channel"),
        ),
    };
    Report::of(failure)
}

fn cut_off(cause: Cause, message: String) -> Failure {
    Failure { result: CaseResult::Fail, finding: Box::new(Finding::new(cause, message)) }
}

/// A case that has to be stopped: what its processes are doing goes into the finding before they are killed.
fn past_deadline(process: Pid, deadline: Duration, record: &Record) -> Report {
    let last =
        record.timeline.last().map_or_else(String::new, |entry| format!("; the last that happened: {} {}", entry.who, entry.what));
    let mut failure = cut_off(Cause::Deadline, format!("the case was still running at its deadline of {deadline:.1?}{last}"));
    let otherwise = |pid: i32| if pid == process.as_raw() { "case" } else { "unnamed" };
    let processes = snapshot::of_case(process, |pid| record.participant(pid).unwrap_or_else(|| otherwise(pid)).to_owned());
    for snapshot in &processes {
        let _ = kill(Pid::from_raw(snapshot.pid), Signal::SIGKILL);
    }
    end_group(process);
    let _ = wait(process);
    failure.finding.processes = processes;
    Report::of(failure)
}
