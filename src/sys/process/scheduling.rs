//! Real-time scheduling, which priority protocols are about: by the system call, and through the C library.

use nix::unistd::Pid;

use super::procfs::Stat;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// The lowest and the highest priority of `SCHED_FIFO`.
pub fn fifo_priorities() -> (i32, i32) {
    // SAFETY: plain integers.
    unsafe { (libc::sched_get_priority_min(libc::SCHED_FIFO), libc::sched_get_priority_max(libc::SCHED_FIFO)) }
}

/// `pthread_setschedparam` with `SCHED_FIFO`, of the calling thread: so that the C library knows, which caches the priority.
///
/// # Errors
/// `EPERM` without the right to do so; `EINVAL` for a priority that there is not.
pub fn run_fifo(priority: i32) -> Result<(), Errno> {
    // SAFETY: all members are integers, for which zero is a value; some systems have more members than one.
    let mut parameters: libc::sched_param = unsafe { std::mem::MaybeUninit::zeroed().assume_init() };
    parameters.sched_priority = priority;
    // SAFETY: the calling thread exists, and the parameters are only read.
    Errno::from_pthread(around(|| unsafe {
        libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_FIFO, &raw const parameters)
    }))
}

/// Schedules the calling thread first-in-first-out (`SCHED_FIFO`) with that priority.
///
/// # Errors
/// `EPERM` without the right to do so.
pub fn become_first_in_first_out(priority: i32) -> Result<(), Errno> {
    // SAFETY: `priority` is what the kernel's structure consists of, and is only read.
    let done = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_FIFO, &raw const priority) };
    Errno::result(done).map(drop)
}

/// The real-time priority that a process has at this instant, lent ones included; 0 for none. From `/proc/PID/stat`, where a
/// real-time priority stands as its negative, less one.
///
/// # Errors
/// The file cannot be read.
pub fn effective_priority(process: Pid) -> Result<i32, Errno> {
    let priority = Stat::of(process)?.priority.ok_or(errno::EIO)?;
    Ok((-priority - 1).max(0))
}
