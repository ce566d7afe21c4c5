//! Processes that outlive their case.
//!
//! On most systems the worker is where orphans end up (as process 1 of its namespace, or as a subreaper), so `waitpid` alone
//! tells whether any descendant is left. Only then is it looked at which. Whether it is so is tried, not assumed: there are
//! sandbox kernels that accept both requests and pass orphans on all the same.

use std::io::{Read, pipe};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno as Nix;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::sandbox::leak::{Leak, LeakKind};
use crate::sys::process::fork::{Forked, exit_now, fork, in_child};
use crate::sys::process::procfs::{self, Stat, Status};

/// Which processes are the worker's, and how they can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Everything in this PID namespace.
    pub namespace: bool,
    /// Orphans become the worker's children.
    pub adopts: bool,
}

/// How long a killed process may take to disappear.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it may take to be seen to be dying, where the system does not show pending signals.
const BLIND_PATIENCE: Duration = Duration::from_millis(50);

/// Finds out whether orphans come to this process, by making one.
pub fn adopts_orphans() -> bool {
    let Ok((mut life, held)) = pipe() else { return false };
    let mut held = Some(held);
    let child = in_child(|| {
        let Ok(Forked::Child) = fork() else { return 0 };
        // The orphan lives until the worker closes the write end, which must then be nobody else's.
        drop(held.take());
        let _ = life.read(&mut [0]);
        exit_now(0)
    });
    let adopted = child == Ok(Some(0)) && waitpid(None, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive);
    drop(held);
    if adopted {
        let _ = waitpid(None, None);
    }
    adopted
}

/// Kills and reaps every descendant, and names those that were alive. A process that has exited, or that is dying of a kill,
/// is no leak: it needed nobody's help.
pub fn end_all(scope: Scope, group: Option<Pid>) -> Vec<Leak> {
    if nothing_left(scope, group) {
        return Vec::new();
    }
    let mut alive = living(scope, group);
    let start = Instant::now();
    // Between taking a kill and being seen to exit there is an instant in which a process looks alive.
    while alive.as_ref().is_none_or(|list| !list.is_empty()) {
        sleep(Duration::from_millis(1));
        if nothing_left(scope, group) {
            return Vec::new();
        }
        let now = living(scope, group);
        if let (Some(before), Some(now)) = (&mut alive, now) {
            before.retain(|process| now.iter().any(|other| other.stat.process == process.stat.process));
        }
        let shown = alive.as_ref().is_some_and(|list| list.iter().all(|process| process.dying.is_some()));
        if shown || start.elapsed() > BLIND_PATIENCE {
            break;
        }
    }
    let mut leaks: Vec<Leak> = match alive {
        Some(list) => list.iter().map(|process| Leak::new(LeakKind::Process, process.describe())).collect(),
        None => vec![Leak::new(LeakKind::Process, "of unknown id (this system does not list it)")],
    };
    leaks.extend(kill_all(scope, group));
    leaks
}

/// Collects what has exited; whether that was all.
fn nothing_left(scope: Scope, group: Option<Pid>) -> bool {
    if has_children() {
        return false;
    }
    if scope.adopts {
        return true;
    }
    match living(scope, group) {
        Some(list) => list.is_empty(),
        None => group.is_none_or(|group| kill(Pid::from_raw(-group.as_raw()), None).is_err()),
    }
}

fn has_children() -> bool {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return true,
            Ok(_) | Err(Nix::EINTR) => {}
            Err(_) => return false,
        }
    }
}

/// Kills until nothing is left; more than once, for a process may fork while it is looked for.
fn kill_all(scope: Scope, group: Option<Pid>) -> Option<Leak> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(20);
    loop {
        if scope.namespace && std::process::id() == 1 {
            let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        }
        for process in living(scope, group).unwrap_or_default() {
            let _ = kill(Pid::from_raw(process.stat.process), Signal::SIGKILL);
        }
        if let Some(group) = group {
            let _ = kill(Pid::from_raw(-group.as_raw()), Signal::SIGKILL);
        }
        if nothing_left(scope, group) {
            return None;
        }
        if start.elapsed() > PATIENCE {
            return Some(Leak::new(LeakKind::Process, "that cannot be found or killed"));
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(1));
    }
}

/// A live descendant.
#[derive(Clone, Debug)]
struct Process {
    stat: Stat,
    /// Whether a kill is on its way to it, where the system tells.
    dying: Option<bool>,
}

impl Process {
    fn describe(&self) -> String {
        format!("{} \"{}\" ({})", self.stat.process, self.stat.name, self.stat.state_in_words())
    }
}

/// The worker's processes that are not about to end; `None` where `/proc` does not show them.
fn living(scope: Scope, group: Option<Pid>) -> Option<Vec<Process>> {
    if !procfs::is_ours() {
        return None;
    }
    let own = nix::unistd::getpid().as_raw();
    let all = Stat::of_all().ok()?;
    let group = group.map(Pid::as_raw);
    let mut ours = vec![own];
    let mut next = 0;
    while let Some(&ancestor) = ours.get(next) {
        for stat in &all {
            let related = scope.namespace || stat.parent == ancestor || Some(stat.group) == group;
            if related && !ours.contains(&stat.process) {
                ours.push(stat.process);
            }
        }
        next += 1;
    }
    let is_meant = |stat: &Stat| stat.process != own && ours.contains(&stat.process) && !stat.is_exiting();
    let mut found: Vec<Process> = all
        .into_iter()
        .filter(is_meant)
        .map(|stat| Process { dying: Status::of(Pid::from_raw(stat.process)).ok().and_then(|it| it.is_being_killed()), stat })
        .collect();
    found.retain(|process| process.dying != Some(true));
    found.sort_by_key(|process| process.stat.process);
    Some(found)
}
