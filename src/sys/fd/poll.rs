//! `poll`, with results that compare.

use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout};

use crate::sys::Errno;
use crate::sys::point::around;

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
    around(|| nix::poll::poll(&mut polled, timeout.map_or(PollTimeout::NONE, PollTimeout::from)))?;
    Ok(polled.iter().map(|polled| polled.revents().unwrap_or(PollFlags::empty())).collect())
}
