//! Pipes: creation, capacity, and filling one.

use std::os::fd::{AsFd, OwnedFd};

#[cfg(has_pipe2)]
use nix::fcntl::OFlag;
#[cfg(has_pipe_size)]
use nix::fcntl::{FcntlArg, fcntl};

use super::bytes::pattern;
use super::descriptor::{set_nonblocking, set_status_flags, status_flags};
use super::io::write;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// `pipe`: reading end, writing end.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    Ok(around(nix::unistd::pipe)?)
}

/// `pipe2`: reading end, writing end.
///
/// # Errors
/// `EINVAL` for unknown flags, and what `pipe` answers.
#[cfg(has_pipe2)]
pub fn pipe2(flags: OFlag) -> Result<(OwnedFd, OwnedFd), Errno> {
    Ok(around(|| nix::unistd::pipe2(flags))?)
}

/// The system call `pipe` itself: reading end, writing end. C libraries make `pipe2` of their `pipe`.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
#[cfg(has_old_pipe)]
pub fn old_pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let mut numbers = [-1; 2];
    // SAFETY: the kernel writes two integers, for which there is room; the descriptors are new and nobody else's.
    around(|| unsafe {
        Errno::result(libc::syscall(libc::SYS_pipe, numbers.as_mut_ptr()))?;
        Ok(numbers.map(|number: libc::c_int| std::os::fd::FromRawFd::from_raw_fd(number)).into())
    })
}

/// `fcntl(F_GETPIPE_SZ)`: capacity of a pipe or FIFO in bytes.
///
/// # Errors
/// What the system answers.
#[cfg(has_pipe_size)]
pub fn pipe_size(descriptor: impl AsFd) -> Result<usize, Errno> {
    let size = around(|| fcntl(descriptor, FcntlArg::F_GETPIPE_SZ))?;
    usize::try_from(size).map_err(|_| errno::ERANGE)
}

/// `fcntl(F_SETPIPE_SZ)`: asks for a capacity and gives the one that the pipe has now.
///
/// # Errors
/// `EBUSY`, `EPERM`, `EINVAL`, `ENOMEM`.
#[cfg(has_pipe_size)]
pub fn set_pipe_size(descriptor: impl AsFd, size: i32) -> Result<usize, Errno> {
    let size = around(|| fcntl(descriptor, FcntlArg::F_SETPIPE_SZ(size)))?;
    usize::try_from(size).map_err(|_| errno::ERANGE)
}

/// `PIPE_BUF` of a descriptor: `fpathconf(_PC_PIPE_BUF)`.
///
/// # Errors
/// What the system answers; `EINVAL` where it has no such limit.
pub fn pipe_buf(descriptor: impl AsFd) -> Result<usize, Errno> {
    let limit = around(|| nix::unistd::fpathconf(descriptor, nix::unistd::PathconfVar::PIPE_BUF))?;
    limit.and_then(|limit| usize::try_from(limit).ok()).ok_or(errno::EINVAL)
}

/// Fills a pipe or FIFO to the brim through a non-blocking end: how many bytes went in.
///
/// # Errors
/// What `write` answers, but for the `EAGAIN` that says it is full.
pub fn fill(to: impl AsFd) -> Result<usize, Errno> {
    let flags = status_flags(to.as_fd())?;
    set_nonblocking(to.as_fd(), true)?;
    let mut count = 0;
    let chunk = pattern(4096);
    let mut size = chunk.len();
    while size > 0 {
        match write(to.as_fd(), &chunk[..size]) {
            Ok(written) => count += written,
            Err(errno::EAGAIN) => size /= 2,
            Err(other) => return Err(other),
        }
    }
    set_status_flags(to, flags)?;
    Ok(count)
}
