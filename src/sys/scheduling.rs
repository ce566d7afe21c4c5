//! Scheduling: real-time priorities, by the system calls themselves (a C library may refuse them).

use nix::unistd::Pid;

use super::{Errno, errno};

/// Schedules the calling thread first-in-first-out (`SCHED_FIFO`) with that priority.
///
/// # Errors
/// `EPERM` without the right to do so.
pub fn become_first_in_first_out(priority: i32) -> Result<(), Errno> {
    // SAFETY: `priority` is what the kernel's structure consists of, and is only read.
    let done = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_FIFO, &raw const priority) };
    Errno::result(done).map(drop)
}

/// The priority that a process's main thread runs with at this moment, inherited ones included: as in `/proc/PID/stat`, where −2 is
/// the lowest real-time priority, −100 the highest, and usual ones are not negative.
///
/// # Errors
/// The file cannot be read (`ESRCH`), or is not as the manual says (`EIO`).
pub fn priority_in_effect(process: Pid) -> Result<i64, Errno> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).map_err(|_| errno::ESRCH)?;
    // Fields are counted from 1; what follows the command's parenthesis is the third.
    let mut words = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace()).ok_or(errno::EIO)?;
    words.nth(15).and_then(|word| word.parse().ok()).ok_or(errno::EIO)
}
