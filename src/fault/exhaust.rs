//! Exhaustion: descriptors, in the calling process only.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::sys::Errno;
use crate::sys::fd::descriptor;

/// Sets the soft limit of the calling process on descriptors: the first number that cannot be had.
///
/// # Errors
/// `EPERM` above the hard limit.
pub fn limit_descriptors(first_refused: u32) -> Result<(), Errno> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, libc::rlim_t::from(first_refused), hard)?;
    Ok(())
}

/// Leaves the calling process room for exactly `room` more descriptors.
///
/// # Errors
/// What `dup` or `setrlimit` answer.
pub fn leave_room(of: &OwnedFd, room: usize) -> Result<(), Errno> {
    // Numbers are handed out lowest first, so the copies show which ones are free; the last one becomes the limit.
    let mut copies = Vec::new();
    while copies.len() <= room {
        copies.push(descriptor::dup(of)?);
    }
    limit_descriptors(copies[room].as_raw_fd().unsigned_abs())
}
