//! Waiting for children.

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::sys::Errno;

/// Waits for that child to end, however often a signal interrupts.
///
/// # Errors
/// The error number of `waitpid(2)`.
pub fn wait(child: Pid) -> Result<WaitStatus, Errno> {
    wait_with(child, WaitPidFlag::empty())
}

/// As [`wait`], with flags: for stops, or without waiting.
///
/// # Errors
/// The error number of `waitpid(2)`.
pub fn wait_with(child: Pid, flags: WaitPidFlag) -> Result<WaitStatus, Errno> {
    loop {
        match waitpid(child, Some(flags)) {
            Err(nix::errno::Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Whether that child has ended, which leaves it to be waited for.
///
/// # Errors
/// The error number of `waitid(2)`.
pub fn has_ended(child: Pid) -> Result<bool, Errno> {
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    #[allow(clippy::useless_conversion, reason = "wider on some systems")]
    let id = libc::id_t::from(child.as_raw().unsigned_abs());
    // SAFETY: `info` is writable for the call; a child that is still alive leaves it as it is.
    Errno::result(unsafe { libc::waitid(libc::P_PID, id, &raw mut info, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) })?;
    Ok(info.si_signo == libc::SIGCHLD)
}
