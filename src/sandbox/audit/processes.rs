//! Processes that outlive their case.
//!
//! On most systems the worker is where orphans end up (as process 1 of its namespace, or as a subreaper), so `waitpid` alone
//! tells whether any descendant is left. Only then is it looked at which. Whether it is so is tried, not assumed: there are
//! sandbox kernels that accept both requests and pass orphans on all the same.

use std::fs;
use std::io::{Read, pipe};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno as Nix;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::sandbox::leak::{Leak, LeakKind};
use crate::sys::process::fork::{Forked, exit_now, fork, in_child};
use crate::sys::process::procfs;

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
            before.retain(|process| now.iter().any(|other| other.pid == process.pid));
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
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
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

/// A live descendant, as `/proc/PID/stat` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    pid: i32,
    name: String,
    state: char,
    parent: i32,
    group: i32,
    exiting: bool,
    /// Whether a kill is on its way to it, where the system tells.
    dying: Option<bool>,
}

impl Process {
    /// Parses `PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS …`; the name may contain anything, parentheses too.
    fn parse(stat: &str) -> Option<Self> {
        /// The kernel's `PF_EXITING`.
        const EXITING: u64 = 4;
        let (pid, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let flags: u64 = fields.nth(3)?.parse().ok()?;
        let exiting = flags & EXITING != 0 || matches!(state, 'Z' | 'X');
        Some(Process { pid: pid.parse().ok()?, name: name.to_owned(), state, parent, group, exiting, dying: None })
    }

    fn describe(&self) -> String {
        let state = match self.state {
            'R' => "running",
            'S' | 'I' => "sleeping",
            'D' => "in an uninterruptible sleep",
            'T' => "stopped",
            't' => "stopped by a tracer",
            _ => "in an unknown state",
        };
        format!("{} \"{}\" ({state})", self.pid, self.name)
    }
}

/// The worker's processes that are not about to end; `None` where `/proc` does not show them.
fn living(scope: Scope, group: Option<Pid>) -> Option<Vec<Process>> {
    if !procfs::is_ours() {
        return None;
    }
    let own = i32::try_from(std::process::id()).ok()?;
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").ok()?.filter_map(Result::ok) {
        let name = entry.file_name();
        if name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
            && let Ok(stat) = fs::read_to_string(entry.path().join("stat"))
            && let Some(process) = Process::parse(&stat)
        {
            all.push(process);
        }
    }
    let group = group.map(Pid::as_raw);
    let mut ours = vec![own];
    let mut next = 0;
    while let Some(&ancestor) = ours.get(next) {
        for process in &all {
            let related = scope.namespace || process.parent == ancestor || Some(process.group) == group;
            if related && !ours.contains(&process.pid) {
                ours.push(process.pid);
            }
        }
        next += 1;
    }
    let mut found: Vec<Process> = all.into_iter().filter(|process| process.pid != own && ours.contains(&process.pid)).collect();
    for process in &mut found {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
        process.dying = mentions_kill(&status);
    }
    found.retain(|process| !process.exiting && process.dying != Some(true));
    found.sort_by_key(|process| process.pid);
    Some(found)
}

/// Looks for bit 8 (signal 9) in the masks of pending signals, the thread's and the process's; `None` where there are none.
fn mentions_kill(status: &str) -> Option<bool> {
    let masks = status.lines().filter_map(|line| line.strip_prefix("SigPnd:").or_else(|| line.strip_prefix("ShdPnd:")));
    masks
        .filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .map(|mask| mask & 0x100 != 0)
        .reduce(|one, other| one || other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_contain_parentheses_and_spaces() {
        let process = Process::parse("12 (a) S (b) T 7 12 12 0 -1 4194560 91").unwrap();
        assert_eq!((process.pid, process.name.as_str(), process.state, process.parent), (12, "a) S (b", 'T', 7));
        assert!(!process.exiting);
        assert_eq!(process.describe(), "12 \"a) S (b\" (stopped)");
    }

    #[test]
    fn an_exiting_process_is_recognised() {
        assert!(Process::parse("12 (x) R 7 12 12 0 -1 4194564 91").unwrap().exiting);
        assert!(Process::parse("12 (x) Z 7 12 12 0 -1 4194560 91").unwrap().exiting);
    }

    #[test]
    fn a_pending_kill_is_recognised() {
        assert_eq!(mentions_kill("Name:\tx\nSigPnd:\t0000000000000100\nShdPnd:\t0000000000000000\n"), Some(true));
        assert_eq!(mentions_kill("SigPnd:\t0000000000000000\nShdPnd:\t0000000000000102\n"), Some(true));
        assert_eq!(mentions_kill("SigPnd:\t0000000000000002\nSigBlk:\t0000000000000100\n"), Some(false));
        assert_eq!(mentions_kill("Name:\tx\n"), None);
    }
}
