//! Descriptors as such: copies, numbers, close-on-exec and status flags. What is read and written through them is in `io`.

use std::os::fd::{AsFd, FromRawFd as _, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

use crate::sys::Errno;
use crate::sys::point::around;

/// A number that no descriptor of a case reaches: cases start with this limit.
const BEYOND: RawFd = 1024;

/// Numbers of the descriptors that the calling process has open.
pub fn open_descriptors() -> Vec<RawFd> {
    // SAFETY: `F_GETFD` takes plain integers and changes nothing, whether or not the number is open.
    (0..BEYOND).filter(|&number| unsafe { libc::fcntl(number, libc::F_GETFD) } != -1).collect()
}

/// `dup`.
///
/// # Errors
/// `EMFILE`.
pub fn dup(descriptor: impl AsFd) -> Result<OwnedFd, Errno> {
    Ok(around(|| nix::unistd::dup(descriptor))?)
}

/// `dup` of a bare number: a new descriptor, for a process that was only told the number.
///
/// # Errors
/// `EBADF` where nothing is open under that number, `EMFILE`.
pub fn dup_number(number: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: a plain integer, and the descriptor that comes back is new, so that nobody else owns it.
    unsafe { Ok(OwnedFd::from_raw_fd(Errno::result(around(|| libc::dup(number)))?)) }
}

/// `dup2`: `onto` keeps its number and refers to what `from` refers to; what it referred to before is closed.
///
/// # Errors
/// What the system answers.
pub fn dup_onto(from: impl AsFd, onto: &mut OwnedFd) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::dup2(from, onto))?)
}

/// `fcntl(F_DUPFD_CLOEXEC)`: a duplicate with close-on-exec.
///
/// # Errors
/// `EMFILE`.
pub fn dup_close_on_exec(descriptor: impl AsFd) -> Result<OwnedFd, Errno> {
    let number = around(|| fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(0)))?;
    // SAFETY: the system has just made this descriptor, so that nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `fcntl(F_DUPFD_CLOEXEC)` with a least number: a duplicate with close-on-exec, of the lowest free number from there on.
///
/// # Errors
/// `EMFILE`, `EINVAL` for a number beyond the limit.
pub fn dup_from(lowest: RawFd, descriptor: impl AsFd) -> Result<OwnedFd, Errno> {
    let number = around(|| fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(lowest)))?;
    // SAFETY: the system has just made this descriptor, so that nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `close`, whose result an owner's drop would swallow.
///
/// # Errors
/// What the system answers.
pub fn close(descriptor: OwnedFd) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::close(descriptor))?)
}

/// Whether close-on-exec is set (`fcntl(F_GETFD)`).
///
/// # Errors
/// What the system answers.
pub fn close_on_exec(descriptor: impl AsFd) -> Result<bool, Errno> {
    Ok(FdFlag::from_bits_retain(around(|| fcntl(descriptor, FcntlArg::F_GETFD))?).contains(FdFlag::FD_CLOEXEC))
}

/// Sets or clears close-on-exec (`fcntl(F_SETFD)`).
///
/// # Errors
/// What the system answers.
pub fn set_close_on_exec(descriptor: impl AsFd, on: bool) -> Result<(), Errno> {
    around(|| fcntl(descriptor, FcntlArg::F_SETFD(if on { FdFlag::FD_CLOEXEC } else { FdFlag::empty() })))?;
    Ok(())
}

/// `fcntl(F_GETFL)`: access mode and status flags.
///
/// # Errors
/// What the system answers.
pub fn status_flags(descriptor: impl AsFd) -> Result<OFlag, Errno> {
    Ok(OFlag::from_bits_retain(around(|| fcntl(descriptor, FcntlArg::F_GETFL))?))
}

/// `fcntl(F_SETFL)`.
///
/// # Errors
/// What the system answers.
pub fn set_status_flags(descriptor: impl AsFd, flags: OFlag) -> Result<(), Errno> {
    around(|| fcntl(descriptor, FcntlArg::F_SETFL(flags)))?;
    Ok(())
}

/// Sets or clears `O_NONBLOCK` and leaves the other flags.
///
/// # Errors
/// What the system answers.
pub fn set_nonblocking(descriptor: impl AsFd, on: bool) -> Result<(), Errno> {
    let mut flags = status_flags(descriptor.as_fd())?;
    flags.set(OFlag::O_NONBLOCK, on);
    set_status_flags(descriptor, flags)
}
