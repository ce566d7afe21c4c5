//! Looking: the questions that the rest of the harness asks, answered by the file of this system.

use std::fmt;

use nix::unistd::Pid;

use super::look::{CallNumber, Look, SystemCall};
use super::os;

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

/// Whether this system shows the state of processes. Asked once: the answer is that of the process that asks first, and of its
/// children.
pub fn is_shown() -> bool {
    os::is_shown()
}

/// Looks at the main thread of a process.
pub fn look(process: Pid) -> Look {
    os::look(process, process)
}

/// Looks at one thread of a process, by the kernel's thread id.
pub fn look_at_thread(process: Pid, thread: Pid) -> Look {
    os::look(process, thread)
}
