//! Is a process blocked? Answered from the kernel's own process state, never from elapsed time.
//!
//! A gate proves only that code was reached; what follows a gate may not have begun. So before a case disturbs a participant it
//! asks here. Where a system shows no state, a bounded quiet period stands in and the case's record says that the evidence is weak.

#[cfg_attr(linux, path = "blocked/linux.rs")]
#[cfg_attr(apple, path = "blocked/macos.rs")]
#[cfg_attr(not(any(linux, apple)), path = "blocked/unknown.rs")]
mod os;

use std::fmt;
use std::time::Duration;

use nix::unistd::Pid;

/// Number of a system call, as wide as the system's `long`.
pub type CallNumber = libc::c_long;

/// What the kernel says about a thread at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Asleep, waiting for something.
    Asleep(SystemCall),
    /// Running, about to run, or in a wait that no case is about: an uninterruptible one, or for a page or a program.
    Awake,
    /// Stopped by a signal or a tracer.
    Stopped,
    /// Ended, whether or not it has been waited for.
    Ended,
    /// The system does not tell.
    Unknown,
}

/// The system call that a sleeping thread is in, where the system shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemCall {
    /// Number and first argument.
    pub call: Option<(CallNumber, u64)>,
}

impl fmt::Display for SystemCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.call {
            Some((number, _)) => write!(f, "in {}", call_name(number)),
            None => f.write_str("asleep"),
        }
    }
}

/// Name of a system call by its number here; `system call N` for those that no case blocks in.
pub fn call_name(number: CallNumber) -> String {
    os::call_name(number).map_or_else(|| format!("system call {number}"), str::to_owned)
}

/// Looks at the main thread of a process.
pub fn look(process: Pid) -> Look {
    os::look(process, process)
}

/// Looks at one thread of a process, by the kernel's thread id.
pub fn look_at_thread(process: Pid, thread: Pid) -> Look {
    os::look(process, thread)
}

/// A pause between two looks: short at first, and longer while nothing changes.
///
/// It sleeps, as some guests' clocks hardly move while a process computes.
#[derive(Debug)]
pub struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Pause(Duration::from_micros(20))
    }
}

impl Pause {
    const LONGEST: Duration = Duration::from_millis(1);

    /// Sleeps once. Orders nothing: it only spaces the looks of a poll.
    pub fn sleep(&mut self) {
        std::thread::sleep(self.0);
        self.0 = (self.0 * 3 / 2).min(Self::LONGEST);
    }
}
