//! `/proc` (proc(5)): whose processes it shows, and what it says of one of them.

use std::{fs, io};

use nix::unistd::Pid;

/// The id that `/proc` shows the calling process under; another than its own where it shows another PID namespace.
///
/// # Errors
/// There is no `/proc`, or it does not show the process.
pub fn shown_id() -> io::Result<i32> {
    read_stat("/proc/self/stat").map(|stat| stat.process)
}

/// Whether `/proc` shows the PID namespace of the calling process. One that shows another's is worse than none: under an id it has
/// somebody else.
pub fn is_ours() -> bool {
    shown_id().is_ok_and(|shown| shown == nix::unistd::getpid().as_raw())
}

/// What `/proc/PID/stat` says of a process or a thread at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its id.
    pub process: i32,
    /// Name of its command, which may hold any character.
    pub name: String,
    /// Its state: `R` running, `S` asleep, `D` asleep and not to be interrupted, `T` stopped, `t` stopped by a tracer, `Z` ended and
    /// not waited for, `X` dead.
    pub state: char,
    /// The process's parent.
    pub parent: i32,
    /// The process's group.
    pub group: i32,
    /// The kernel's `PF_…` flags; `None` where they are not shown.
    pub flags: Option<u64>,
    /// The kernel's priority, lent ones included: −2 to −100 for real-time priorities from 1 to 99, not negative for others. `None`
    /// where it is not shown.
    pub priority: Option<i32>,
}

impl Stat {
    /// Of a process.
    ///
    /// # Errors
    /// The file cannot be read (there is no such process, or no `/proc`), or has another form (`InvalidData`).
    pub fn of(process: Pid) -> io::Result<Self> {
        read_stat(&format!("/proc/{process}/stat"))
    }

    /// Of one thread of a process, by the kernel's thread id.
    ///
    /// # Errors
    /// As for [`Stat::of`].
    pub fn of_thread(process: Pid, thread: Pid) -> io::Result<Self> {
        read_stat(&format!("/proc/{process}/task/{thread}/stat"))
    }

    /// Of every process that `/proc` lists and that is not gone before it is looked at.
    ///
    /// # Errors
    /// `/proc` cannot be listed.
    pub fn of_all() -> io::Result<Vec<Self>> {
        let processes = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Ok(processes.filter_map(|process| Stat::of(Pid::from_raw(process)).ok()).collect())
    }

    /// Whether it is on its way out, or has come to its end.
    pub fn is_exiting(&self) -> bool {
        /// The kernel's `PF_EXITING`.
        const EXITING: u64 = 4;
        self.flags.is_some_and(|flags| flags & EXITING != 0) || matches!(self.state, 'Z' | 'X')
    }

    /// The state in words.
    pub fn state_in_words(&self) -> String {
        match self.state {
            'R' => "running".to_owned(),
            'S' | 'I' => "sleeping".to_owned(),
            'D' => "in an uninterruptible sleep".to_owned(),
            'T' => "stopped".to_owned(),
            't' => "stopped by a tracer".to_owned(),
            'Z' => "ended, not waited for".to_owned(),
            other => format!("in state {other}"),
        }
    }

    /// Parses `PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS …`; the name may contain anything, parentheses too.
    fn parse(text: &str) -> Option<Self> {
        let (process, rest) = text.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        // The third field of the manual's list is the first here.
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Stat {
            process: process.parse().ok()?,
            name: name.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            flags: fields.get(6).and_then(|field| field.parse().ok()),
            priority: fields.get(15).and_then(|field| field.parse().ok()),
        })
    }
}

fn read_stat(path: &str) -> io::Result<Stat> {
    Stat::parse(&String::from_utf8_lossy(&fs::read(path)?)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// What `/proc/PID/status` says of a process at one instant.
#[derive(Clone, Debug)]
pub struct Status(String);

impl Status {
    /// Of a process.
    ///
    /// # Errors
    /// The file cannot be read: there is no such process, or no `/proc`.
    pub fn of(process: Pid) -> io::Result<Self> {
        Ok(Status(String::from_utf8_lossy(&fs::read(format!("/proc/{process}/status"))?).into_owned()))
    }

    /// What stands behind a name and a colon, such as `SigPnd`; `None` where the system does not show it.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    }

    /// Whether `SIGKILL` is pending, for the main thread or the process; `None` where pending signals are not shown.
    pub fn is_being_killed(&self) -> Option<bool> {
        let mask = |name: &str| u64::from_str_radix(self.field(name)?, 16).ok();
        let pending = ["SigPnd", "ShdPnd"].into_iter().filter_map(mask);
        // Signal n is bit n - 1.
        pending.map(|mask| mask & 1 << (libc::SIGKILL - 1) != 0).reduce(|one, other| one || other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_contain_parentheses_and_spaces() {
        let stat = Stat::parse("12 (a) S (b) T 7 12 12 0 -1 4194560 91 0 0 0 1 2 0 0 -2 0 1 0").unwrap();
        assert_eq!((stat.process, stat.name.as_str(), stat.state), (12, "a) S (b", 'T'));
        assert_eq!((stat.parent, stat.group, stat.flags, stat.priority), (7, 12, Some(4_194_560), Some(-2)));
        assert!(!stat.is_exiting());
        assert_eq!(stat.state_in_words(), "stopped");
    }

    #[test]
    fn what_is_not_shown_is_left_out_and_what_is_no_stat_refused() {
        let stat = Stat::parse("12 (x) S 7 12\n").unwrap();
        assert_eq!((stat.group, stat.flags, stat.priority), (12, None, None));
        assert_eq!(Stat::parse("12 (x)"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn an_exiting_process_is_recognised() {
        assert!(Stat::parse("12 (x) R 7 12 12 0 -1 4194564 91").unwrap().is_exiting());
        assert!(Stat::parse("12 (x) Z 7 12 12 0 -1 4194560 91").unwrap().is_exiting());
    }

    #[test]
    fn a_pending_kill_is_recognised() {
        let killed = |text: &str| Status(text.to_owned()).is_being_killed();
        assert_eq!(killed("Name:\tx\nSigPnd:\t0000000000000100\nShdPnd:\t0000000000000000\n"), Some(true));
        assert_eq!(killed("SigPnd:\t0000000000000000\nShdPnd:\t0000000000000102\n"), Some(true));
        assert_eq!(killed("SigPnd:\t0000000000000002\nSigBlk:\t0000000000000100\n"), Some(false));
        assert_eq!(killed("Name:\tx\n"), None);
    }
}
