//! Scheduling: real-time priorities, by the system calls themselves (a C library may refuse them).

use nix::unistd::Pid;

use super::procfs::Stat;
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
    let stat = Stat::of(process).map_err(|_| errno::ESRCH)?;
    stat.priority.map(i64::from).ok_or(errno::EIO)
}
