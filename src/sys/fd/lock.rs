//! Advisory locks on whole files, without waiting: `flock` and `fcntl(F_SETLK)`.

use std::os::fd::{AsFd, AsRawFd};

use crate::sys::Errno;
use crate::sys::point::around;

/// `flock(LOCK_EX | LOCK_NB)`.
///
/// # Errors
/// What the system answers.
pub fn flock_now(descriptor: impl AsFd) -> Result<(), Errno> {
    // SAFETY: a borrowed descriptor is open; the call takes no pointer.
    Errno::result(around(|| unsafe { libc::flock(descriptor.as_fd().as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) })).map(drop)
}

/// `fcntl(F_SETLK)` with a lock on the whole file: exclusive or shared.
///
/// # Errors
/// What the system answers.
pub fn record_lock_now(descriptor: impl AsFd, exclusive: bool) -> Result<(), Errno> {
    let kind = if exclusive { libc::F_WRLCK } else { libc::F_RDLCK };
    let whence = libc::SEEK_SET;
    // SAFETY: `flock` is plain data, for which all zeroes are valid.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    #[allow(clippy::cast_possible_truncation, clippy::unnecessary_cast, reason = "small constants; their types differ by system")]
    {
        lock.l_type = kind as i16;
        lock.l_whence = whence as i16;
    }
    Ok(around(|| nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_SETLK(&lock)).map(drop))?)
}
