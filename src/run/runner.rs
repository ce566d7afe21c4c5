//! The runner: one thread that hands cases to workers, decides verdicts and emits events.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::crew::{self, Worker};
use super::error::RunError;
use super::report::Report;
use super::suspects::Suspects;
use super::worker::{self, Command, Job, readable};
use super::{RunOptions, case_process, decide, time_scale};
use crate::outcome::{CaseResult, Cause, Finding};
use crate::platform::{Platform, System};
use crate::process::channel::{self, Received, Receiver};
use crate::process::wake::Wake;
use crate::record::{Decided, Event, EventKind, Listed, Reporter, RunEnded, RunStarted};
use crate::sandbox::{self, Isolation, KernelWatch, journal};

/// Workers that may end in a row, without a case decided in between, before the run is given up; twice all of them if that is more.
const MOST_LOST_WORKERS: usize = 8;

/// How long after twice a case's deadline (it may have had to wait for a lock) its worker may still be silent; longer than an
/// audit takes at most.
const GRACE: Duration = Duration::from_secs(6);

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
        remarks: Vec::new(),
        suspects: Suspects::default(),
        ended: RunEnded::default(),
        lost_in_a_row: 0,
        next_iteration: 0,
    };
    let result = run.go_on_to_the_end(&wake);
    run.end_workers();
    result?;
    run.give_up()?;
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
    /// What the sandbox and the watch of the kernel lack.
    remarks: Vec<String>,
    suspects: Suspects,
    ended: RunEnded,
    lost_in_a_row: usize,
    next_iteration: u32,
}

impl Run<'_> {
    fn go_on_to_the_end(&mut self, wake: &Wake) -> Result<(), RunError> {
        self.remarks = self.isolation.remarks();
        self.plan();
        self.start_workers()?;
        self.emit(EventKind::RunStarted(self.describe()))?;
        loop {
            self.hand_out()?;
            if self.ended.interrupted.is_some() || (!self.is_busy() && self.idle()) {
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
            remarks: self.remarks.clone(),
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
                queue.push_back(Command { index, iteration, alone: false });
            }
        }
        true
    }

    /// Whether nothing is left to be handed out, now and later.
    fn idle(&mut self) -> bool {
        self.queue.is_empty() && self.ambient_queue.is_empty() && self.suspects.next().is_none() && !self.plan()
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
        let others = &mut self.workers;
        let kernel = KernelWatch::open();
        let unwatched = kernel.remarks().to_vec();
        let worker = sandbox::fork_worker(isolation, |sandbox| {
            let (from_runner, reports, commands) = parts.take().expect("taken once in each process");
            // The runner's ends: while a copy lives here, this worker would not notice that the runner is gone.
            drop(commands);
            // So with its copies of the other workers' pipes.
            others.clear();
            worker::serve(&job, sandbox, kernel, from_runner, &reports)
        })?;
        // What the child took, the parent still has.
        let (_, _, commands) = parts.take().expect("taken once in each process");
        let reports = Receiver::new(from_worker);
        reports.set_nonblocking().map_err(|errno| RunError::System("make a pipe non-blocking", errno))?;
        self.workers.push(Worker { process: worker.process, commands, reports, running: None, due: None, ambient });
        // Of the surroundings, where the others are not run in them.
        let outside = ambient && self.isolation.is_private();
        let lacking =
            worker.remarks.into_iter().map(|remark| if outside { format!("outside the sandbox, {remark}") } else { remark });
        for remark in lacking.chain(unwatched) {
            if !self.remarks.contains(&remark) {
                self.remarks.push(remark);
            }
        }
        Ok(())
    }

    /// Starts a worker of that kind where there is none: the last one may have been lost with its case.
    fn ensure_worker(&mut self, ambient: bool) -> Result<(), RunError> {
        if self.workers.iter().any(|worker| worker.ambient == ambient) { Ok(()) } else { self.start_worker(ambient) }
    }

    /// Gives each idle worker a case.
    fn hand_out(&mut self) -> Result<(), RunError> {
        if self.queue.is_empty() && self.ambient_queue.is_empty() {
            if let Some(command) = self.suspects.next() {
                return if self.is_busy() { Ok(()) } else { self.run_alone(command) };
            }
            self.plan();
            if !self.queue.is_empty() {
                self.ensure_worker(false)?;
            }
            if !self.ambient_queue.is_empty() {
                self.ensure_worker(true)?;
            }
        }
        for index in 0..self.workers.len() {
            while self.workers[index].running.is_none() {
                let queue = if self.workers[index].ambient { &mut self.ambient_queue } else { &mut self.queue };
                let Some(command) = queue.pop_front() else { break };
                let case = self.options.cases[command.index];
                if let Some(listed) = self.platform.do_not_run(&case.name) {
                    self.leave_out(command, listed)?;
                    continue;
                }
                self.give(index, command)?;
            }
        }
        Ok(())
    }

    /// Runs a case again, while nothing else runs.
    fn run_alone(&mut self, command: Command) -> Result<(), RunError> {
        let ambient = self.options.cases[command.index].submission.ambient && self.isolation.is_private();
        self.ensure_worker(ambient)?;
        let index = self.workers.iter().position(|worker| worker.ambient == ambient).unwrap_or_default();
        self.give(index, command)
    }

    fn give(&mut self, index: usize, command: Command) -> Result<(), RunError> {
        let case = self.options.cases[command.index];
        let worker = &mut self.workers[index];
        worker.running = Some(command);
        worker.due =
            Some(Instant::now() + case_process::deadline(case, self.time_scale) * 2 + GRACE.mul_f64(self.time_scale.max(1.0)));
        // A worker that is gone shows itself by the end of its reports.
        let _ = channel::send(worker.commands.as_fd(), &command);
        let Command { iteration, alone, .. } = command;
        self.emit(EventKind::CaseStarted { case: case.name.clone(), iteration, alone })
    }

    fn is_busy(&self) -> bool {
        self.workers.iter().any(|worker| worker.running.is_some())
    }

    /// Decides a case, or holds it back; one that was run alone has been decided but for the kernel.
    fn take_in(&mut self, command: Command, report: Report) -> Result<(), RunError> {
        let cases = &self.options.cases;
        let decided = if command.alone {
            self.suspects.ran_alone(command, report, |command| cases[command.index].name.clone())
        } else {
            let others: Vec<Command> = self.workers.iter().filter_map(|worker| worker.running).collect();
            self.suspects.hear(command, report, &others)
        };
        decided.into_iter().try_for_each(|(command, report)| self.decide(command, report))
    }

    /// Decides what would have been run again.
    fn give_up(&mut self) -> Result<(), RunError> {
        let cases = &self.options.cases;
        let decided = self.suspects.give_up(|command| cases[command.index].name.clone());
        decided.into_iter().try_for_each(|(command, report)| self.decide(command, report))
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
                    self.take_in(command, report)?;
                }
                Ok(Received::Nothing) => return Ok(()),
                Ok(Received::Closed | Received::Garbage) | Err(_) => return self.replace(index, "the case took its worker down"),
            }
        }
    }

    /// A worker is gone: its case is decided, and another worker takes its place.
    fn replace(&mut self, index: usize, what: &str) -> Result<(), RunError> {
        let worker = self.workers.remove(index);
        let ambient = worker.ambient;
        let (running, how) = worker.kill();
        self.lost_in_a_row += 1;
        if let Some(command) = running {
            let finding = Finding::new(Cause::Harness, format!("{what}: the worker {how}"));
            let report = Report::not_run(self.options.cases[command.index], CaseResult::Fail, finding);
            if command.alone {
                self.take_in(command, report)?;
            } else {
                self.suspects.lose(command);
                self.decide(command, report)?;
            }
        }
        if self.lost_in_a_row >= MOST_LOST_WORKERS.max(2 * self.options.jobs) {
            return Err(RunError::Workers(self.lost_in_a_row, how));
        }
        let work = if ambient { !self.ambient_queue.is_empty() } else { !self.queue.is_empty() };
        if work && self.ended.interrupted.is_none() { self.start_worker(ambient) } else { Ok(()) }
    }

    fn decide(&mut self, command: Command, report: Report) -> Result<(), RunError> {
        let case = self.options.cases[command.index];
        let decided = decide::decided(case, command.iteration, report, self.platform, self.options.seed);
        self.announce(decided)
    }

    /// Decides a case that the platform file says must not be run.
    fn leave_out(&mut self, command: Command, listed: Listed) -> Result<(), RunError> {
        let case = self.options.cases[command.index];
        let finding = Finding::new(Cause::DoNotRun, format!("not run: {}", listed.because));
        let report = Report::not_run(case, CaseResult::Untested, finding);
        let decided = decide::decided(case, command.iteration, report, self.platform, self.options.seed);
        self.announce(Decided { listed: Some(listed), ..decided })
    }

    fn announce(&mut self, decided: Decided) -> Result<(), RunError> {
        if self.options.until_fail && !decided.verdict.is_good() {
            self.ended.interrupted = Some("stopped at the first bad verdict, as --until-fail asks".to_owned());
        }
        self.ended.count(&decided);
        self.emit(EventKind::Decided(Box::new(decided)))
    }

    fn emit(&mut self, kind: EventKind) -> Result<(), RunError> {
        let at_us = self.elapsed_us();
        Ok(self.reporter.event(&Event { at_us, kind })?)
    }

    fn end_workers(&mut self) {
        crew::end(std::mem::take(&mut self.workers));
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
