//! Readiness: `poll` and `select` with results that compare.

use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::select::FdSet;
use nix::sys::time::TimeVal;

use super::Errno;

/// `poll` on one descriptor without waiting: what it reports, empty where nothing is ready.
///
/// # Errors
/// What the system answers.
pub fn ready(descriptor: impl AsFd, events: PollFlags) -> Result<PollFlags, Errno> {
    Ok(poll(&[(descriptor.as_fd(), events)], Some(0))?.remove(0))
}

/// `poll` on several descriptors; a timeout in milliseconds, `None` to wait for ever.
///
/// # Errors
/// What the system answers.
pub fn poll(descriptors: &[(BorrowedFd<'_>, PollFlags)], timeout: Option<u16>) -> Result<Vec<PollFlags>, Errno> {
    let mut polled: Vec<PollFd<'_>> = descriptors.iter().map(|&(descriptor, events)| PollFd::new(descriptor, events)).collect();
    nix::poll::poll(&mut polled, timeout.map_or(PollTimeout::NONE, PollTimeout::from))?;
    Ok(polled.iter().map(|polled| polled.revents().unwrap_or(PollFlags::empty())).collect())
}

/// `select` on one descriptor without waiting: readable, writable, exceptional.
///
/// # Errors
/// What the system answers.
pub fn selected(descriptor: impl AsFd) -> Result<(bool, bool, bool), Errno> {
    let one = || {
        let mut set = FdSet::new();
        set.insert(descriptor.as_fd());
        set
    };
    let (mut readable, mut writable, mut exceptional) = (one(), one(), one());
    nix::sys::select::select(None, &mut readable, &mut writable, &mut exceptional, &mut TimeVal::new(0, 0))?;
    let descriptor = descriptor.as_fd();
    Ok((readable.contains(descriptor), writable.contains(descriptor), exceptional.contains(descriptor)))
}
