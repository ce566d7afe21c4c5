//! The runner: one thread that hands cases to workers, decides verdicts and emits events.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

use super::case_process::{self, Report};
use super::error::RunError;
use super::worker::{self, Command, Job, readable};
use super::{RunOptions, seeds, time_scale};
use crate::outcome::{CaseResult, Cause, Finding};
use crate::platform::{Platform, System};
use crate::process::Pause;
use crate::process::channel::{self, Received, Receiver};
use crate::process::child::end_of;
use crate::process::wake::Wake;
use crate::record::{Decided, Event, EventKind, Listed, Reporter, RunEnded, RunStarted};
use crate::sandbox::{self, Isolation, journal};
use crate::sys::process::wait::{wait, wait_with};

/// Workers that may end in a row, without a case decided in between, before the run is given up; twice all of them if that is more.
const MOST_LOST_WORKERS: usize = 8;

/// How long workers may take to end before they are killed; longer than an audit takes at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long after twice a case's deadline (it may have had to wait for a lock) its worker may still be silent; longer than an
/// audit takes at most.
const GRACE: Duration = Duration::from_secs(6);

struct Worker {
    process: Pid,
    commands: OwnedFd,
    reports: Receiver,
    running: Option<Command>,
    /// When a worker that has not answered is taken to be stuck.
    due: Option<Instant>,
    ambient: bool,
}

/// Runs the cases and reports what becomes of each.
///
/// # Errors
/// The surroundings do not allow a run at all, or a report cannot be written.
pub fn execute(options: &RunOptions<'_>, platform: &Platform, reporter: &mut dyn Reporter) -> Result<RunEnded, RunError> {
    let started = Instant::now();
    let wake =
        Wake::on(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]).map_err(|errno| RunError::System("catch signals", errno))?;
    let measured = time_scale::measure().map_err(RunError::Probe)?;
    let isolation = sandbox::choose(options.isolation)?;
    let mut run = Run {
        options,
        platform,
        reporter,
        started,
        time_scale: options.time_scale.unwrap_or(measured),
        isolation,
        ambient: Isolation::None { why: "these cases are about the surroundings themselves".to_owned() },
        queue: VecDeque::new(),
        ambient_queue: VecDeque::new(),
        workers: Vec::new(),
        ended: RunEnded::default(),
        lost_in_a_row: 0,
        next_iteration: 0,
    };
    let result = run.go_on_to_the_end(&wake);
    run.end_workers();
    result?;
    run.finish()
}

struct Run<'r> {
    options: &'r RunOptions<'r>,
    platform: &'r Platform,
    reporter: &'r mut dyn Reporter,
    started: Instant,
    time_scale: f64,
    isolation: Isolation,
    ambient: Isolation,
    queue: VecDeque<Command>,
    ambient_queue: VecDeque<Command>,
    workers: Vec<Worker>,
    ended: RunEnded,
    lost_in_a_row: usize,
    next_iteration: u32,
}

impl Run<'_> {
    fn go_on_to_the_end(&mut self, wake: &Wake) -> Result<(), RunError> {
        self.emit(EventKind::RunStarted(self.describe()))?;
        self.plan();
        self.start_workers()?;
        loop {
            self.hand_out()?;
            if self.ended.interrupted.is_some() || (self.workers.iter().all(|worker| worker.running.is_none()) && self.idle()) {
                return Ok(());
            }
            let mut descriptors = vec![wake.as_fd()];
            descriptors.extend(self.workers.iter().map(|worker| worker.reports.as_fd()));
            let due = self.workers.iter().filter_map(|worker| worker.due).min();
            let ready = readable(&descriptors, due).map_err(|errno| RunError::System("wait for workers", errno))?;
            if let Some(signal) = wake.take().first() {
                let name = Signal::try_from(*signal).map_or("a signal", Signal::as_str);
                self.ended.interrupted = Some(format!("interrupted by {name}"));
                return Ok(());
            }
            // From the back, as a worker that has ended is taken out and another put at the end.
            for index in ready.into_iter().rev().filter_map(|index| index.checked_sub(1)) {
                self.hear(index)?;
            }
            self.end_the_stuck()?;
        }
    }

    /// Kills workers that are long past the deadline of their case: only a case that stops its worker can bring that about.
    fn end_the_stuck(&mut self) -> Result<(), RunError> {
        let now = Instant::now();
        while let Some(index) = self.workers.iter().position(|worker| worker.due.is_some_and(|due| due < now)) {
            self.replace(index, "the case's worker did not come back")?;
        }
        Ok(())
    }

    fn describe(&self) -> RunStarted {
        let mut behaviours: Vec<&str> = self.options.cases.iter().map(|case| case.behaviour.as_str()).collect();
        behaviours.dedup();
        RunStarted {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            platform: self.platform.name().to_owned(),
            system: System::detect().to_string(),
            isolation: self.isolation.describe(),
            jobs: self.options.jobs,
            seed: self.options.seed,
            time_scale: self.time_scale,
            planned: self.options.cases.len() * self.options.repeat.max(1) as usize,
            behaviours: behaviours.len(),
            remarks: Vec::new(),
        }
    }

    /// Queues what is to be run: everything at once, case by case as reports are ordered, or round by round where `--until-fail`
    /// has no bound. False when there is nothing more.
    fn plan(&mut self) -> bool {
        let endless = self.options.until_fail && self.options.repeat == 0;
        // What must not be run at all never fails either.
        let barred = || self.options.cases.iter().all(|case| self.platform.do_not_run(&case.name).is_some());
        if self.next_iteration > 0 && (!endless || barred()) {
            return false;
        }
        let isolated = self.isolation.is_private();
        let iterations = if endless { self.next_iteration..self.next_iteration + 1 } else { 0..self.options.repeat.max(1) };
        self.next_iteration = iterations.end;
        for (index, case) in self.options.cases.iter().enumerate() {
            for iteration in iterations.clone() {
                let queue = if case.submission.ambient && isolated { &mut self.ambient_queue } else { &mut self.queue };
                queue.push_back(Command { index, iteration });
            }
        }
        true
    }

    /// Whether nothing is left to be handed out, now and later.
    fn idle(&mut self) -> bool {
        self.queue.is_empty() && self.ambient_queue.is_empty() && !self.plan()
    }

    fn start_workers(&mut self) -> Result<(), RunError> {
        for _ in 0..self.options.jobs.min(self.queue.len()) {
            self.start_worker(false)?;
        }
        if !self.ambient_queue.is_empty() {
            self.start_worker(true)?;
        }
        Ok(())
    }

    fn start_worker(&mut self, ambient: bool) -> Result<(), RunError> {
        let pipes = || Ok((channel::pipe()?, channel::pipe()?));
        let ((from_runner, commands), (from_worker, reports)) =
            pipes().map_err(|errno| RunError::System("make pipes for a worker", errno))?;
        let isolation = if ambient { &self.ambient } else { &self.isolation };
        let job = Job { options: self.options, time_scale: self.time_scale };
        let mut parts = Some((from_runner, reports, commands));
        let others = &self.workers;
        let process = sandbox::fork_worker(isolation, |sandbox| {
            let (from_runner, reports, commands) = parts.take().expect("taken once in each process");
            // The runner's ends: while a copy lives here, this worker would not notice that the runner is gone.
            drop(commands);
            close_copies(others);
            worker::serve(&job, sandbox, from_runner, &reports)
        })?;
        // What the child took, the parent still has.
        let (_, _, commands) = parts.take().expect("taken once in each process");
        let reports = Receiver::new(from_worker);
        reports.set_nonblocking().map_err(|errno| RunError::System("make a pipe non-blocking", errno))?;
        self.workers.push(Worker { process, commands, reports, running: None, due: None, ambient });
        Ok(())
    }

    /// Gives each idle worker a case.
    fn hand_out(&mut self) -> Result<(), RunError> {
        if self.queue.is_empty() && self.ambient_queue.is_empty() {
            self.plan();
            // The last worker may have been lost with the last case of a round.
            if !self.queue.is_empty() && !self.workers.iter().any(|worker| !worker.ambient) {
                self.start_worker(false)?;
            }
            if !self.ambient_queue.is_empty() && !self.workers.iter().any(|worker| worker.ambient) {
                self.start_worker(true)?;
            }
        }
        for index in 0..self.workers.len() {
            while self.workers[index].running.is_none() {
                let queue = if self.workers[index].ambient { &mut self.ambient_queue } else { &mut self.queue };
                let Some(command) = queue.pop_front() else { break };
                let case = self.options.cases[command.index];
                if let Some(listed) = self.platform.do_not_run(&case.name) {
                    self.leave_out(command, &listed)?;
                    continue;
                }
                let worker = &mut self.workers[index];
                worker.running = Some(command);
                worker.due = Some(
                    Instant::now() + case_process::deadline(case, self.time_scale) * 2 + GRACE.mul_f64(self.time_scale.max(1.0)),
                );
                // A worker that is gone shows itself by the end of its reports.
                let _ = channel::send(worker.commands.as_fd(), &command);
                self.emit(EventKind::CaseStarted { case: case.name.clone(), iteration: command.iteration })?;
            }
        }
        Ok(())
    }

    /// Takes in what a worker has to say.
    fn hear(&mut self, index: usize) -> Result<(), RunError> {
        loop {
            let worker = &mut self.workers[index];
            match worker.reports.receive::<Report>() {
                Ok(Received::Frame(report)) => {
                    worker.due = None;
                    let Some(command) = worker.running.take() else { return self.replace(index, "the worker spoke unasked") };
                    self.lost_in_a_row = 0;
                    self.decide(command, report)?;
                }
                Ok(Received::Nothing) => return Ok(()),
                Ok(Received::Closed | Received::Garbage) | Err(_) => return self.replace(index, "the case took its worker down"),
            }
        }
    }

    /// A worker is gone: its case is decided, and another worker takes its place.
    fn replace(&mut self, index: usize, what: &str) -> Result<(), RunError> {
        let worker = self.workers.remove(index);
        let _ = kill(worker.process, Signal::SIGKILL);
        let how = match wait(worker.process) {
            Ok(status) => end_of(status).map_or_else(|| format!("{status:?}"), |end| end.to_string()),
            Err(errno) => format!("{errno:?}"),
        };
        self.lost_in_a_row += 1;
        if let Some(command) = worker.running {
            let message = format!("{what}: the worker {how}");
            self.decide(command, Report::not_run(self.options.cases[command.index], CaseResult::Fail, Cause::Harness, message))?;
        }
        if self.lost_in_a_row >= MOST_LOST_WORKERS.max(2 * self.options.jobs) {
            return Err(RunError::Workers(self.lost_in_a_row, how));
        }
        let work = if worker.ambient { !self.ambient_queue.is_empty() } else { !self.queue.is_empty() };
        if work && self.ended.interrupted.is_none() { self.start_worker(worker.ambient) } else { Ok(()) }
    }

    fn decide(&mut self, command: Command, report: Report) -> Result<(), RunError> {
        let case = self.options.cases[command.index];
        let observations = report.observations.into_iter().map(|(key, text)| {
            let value = serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text));
            (key, value)
        });
        let observations: BTreeMap<String, serde_json::Value> = observations.collect();
        let judgement = self.platform.judge(&case.name, report.result, report.finding.as_ref(), &observations);
        if self.options.until_fail && !judgement.verdict.is_good() {
            self.ended.interrupted = Some("stopped at the first bad verdict, as --until-fail asks".to_owned());
        }
        let seed = seeds::of_iteration(self.options.seed, command.iteration);
        let finding: Option<Finding> = judgement.finding.or(report.finding);
        let decided = Decided {
            case: case.name.clone(),
            behaviour: case.behaviour.clone(),
            iteration: command.iteration,
            level: case.submission.level,
            result: report.result,
            verdict: judgement.verdict,
            duration_us: report.duration_us,
            requirement: case.requirement.to_owned(),
            clauses: case.submission.clauses.iter().map(ToString::to_string).collect(),
            fixed_in: case.submission.fixed_in.map(str::to_owned),
            finding,
            listed: judgement.listed,
            observations,
            weak: report.weak,
            need: report.need,
            again: format!("{} --seed {seed}", case.command()),
        };
        self.ended.count(&decided);
        self.emit(EventKind::Decided(Box::new(decided)))
    }

    /// Decides a case that the platform file says must not be run.
    fn leave_out(&mut self, command: Command, listed: &Listed) -> Result<(), RunError> {
        let case = self.options.cases[command.index];
        let mut report = Report::not_run(case, CaseResult::Untested, Cause::Need, format!("not run: {}", listed.because));
        report.need = Some("a platform that it may be run on".to_owned());
        self.decide(command, report)
    }

    fn emit(&mut self, kind: EventKind) -> Result<(), RunError> {
        let at_us = self.elapsed_us();
        Ok(self.reporter.event(&Event { at_us, kind })?)
    }

    /// Ends the workers by closing their commands: an idle one leaves, and a busy one ends its case first. (Without a PID namespace
    /// `SIGKILL` would take along only those processes that ask for it.)
    fn end_workers(&mut self) {
        // All pipes before the first wait, so that workers end side by side.
        let processes: Vec<Pid> = self.workers.drain(..).map(|worker| worker.process).collect();
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
        if !self.isolation.is_private() || self.options.cases.iter().any(|case| case.submission.ambient) {
            // What a killed worker could not remove itself is in its journal.
            let _ = journal::clean();
        }
    }

    fn finish(mut self) -> Result<RunEnded, RunError> {
        let wanted = &self.options.require;
        let is_required = |need: &&String| wanted.iter().any(|name| name == "all" || name == *need);
        self.ended.required = self.ended.untested.keys().filter(is_required).cloned().collect();
        self.ended.duration_us = self.elapsed_us();
        self.emit(EventKind::RunEnded(self.ended.clone()))?;
        Ok(self.ended)
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Closes, in a new worker, the copies of the other workers' pipes.
fn close_copies(others: &[Worker]) {
    let numbers = others.iter().flat_map(|worker| [std::os::fd::AsRawFd::as_raw_fd(&worker.commands), worker.reports.number()]);
    crate::process::descriptors::close_copies(numbers);
}
