//! `epoll` (Linux): an interest list as an owned descriptor, so that it can be handed to a participant like any other.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

pub use nix::sys::epoll::EpollFlags;

use crate::sys::Errno;
use crate::sys::point::around;

/// More events than any case waits for at once.
const MOST_EVENTS: usize = 16;

/// `epoll_create1`.
///
/// # Errors
/// `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn epoll() -> Result<OwnedFd, Errno> {
    // SAFETY: plain integers; a descriptor that comes back is new and nobody else's.
    unsafe {
        let number = Errno::result(around(|| libc::epoll_create1(0)))?;
        Ok(OwnedFd::from_raw_fd(number))
    }
}

/// `epoll_ctl(EPOLL_CTL_ADD)`: from now on `events` of `descriptor` are reported under `token`.
///
/// # Errors
/// `EEXIST`, `EINVAL`, `EPERM`, `ENOSPC`.
pub fn epoll_add(list: impl AsFd, descriptor: impl AsFd, events: EpollFlags, token: u64) -> Result<(), Errno> {
    control(list, libc::EPOLL_CTL_ADD, descriptor, events, token)
}

/// `epoll_ctl(EPOLL_CTL_MOD)`: changes what is reported, and arms a one-shot entry again.
///
/// # Errors
/// `ENOENT`, `EINVAL`.
pub fn epoll_modify(list: impl AsFd, descriptor: impl AsFd, events: EpollFlags, token: u64) -> Result<(), Errno> {
    control(list, libc::EPOLL_CTL_MOD, descriptor, events, token)
}

/// `epoll_ctl(EPOLL_CTL_DEL)`.
///
/// # Errors
/// `ENOENT`.
pub fn epoll_remove(list: impl AsFd, descriptor: impl AsFd) -> Result<(), Errno> {
    control(list, libc::EPOLL_CTL_DEL, descriptor, EpollFlags::empty(), 0)
}

fn control(list: impl AsFd, operation: i32, descriptor: impl AsFd, events: EpollFlags, token: u64) -> Result<(), Errno> {
    let mut event = libc::epoll_event { events: events.bits().cast_unsigned(), u64: token };
    let (list, descriptor) = (list.as_fd().as_raw_fd(), descriptor.as_fd().as_raw_fd());
    // SAFETY: `event` is a live structure, which the call only reads.
    Errno::result(around(|| unsafe { libc::epoll_ctl(list, operation, descriptor, &raw mut event) })).map(drop)
}

/// `epoll_wait`: tokens with their events, in the order of the tokens; a timeout in milliseconds, `None` to wait for ever.
///
/// # Errors
/// `EINTR`.
pub fn epoll_wait(list: impl AsFd, timeout: Option<u16>) -> Result<Vec<(u64, EpollFlags)>, Errno> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; MOST_EVENTS];
    let room = i32::try_from(MOST_EVENTS).unwrap_or(1);
    let timeout = timeout.map_or(-1, i32::from);
    // SAFETY: the kernel writes at most `room` structures, as many as the array has.
    let count =
        Errno::result(around(|| unsafe { libc::epoll_wait(list.as_fd().as_raw_fd(), events.as_mut_ptr(), room, timeout) }))?;
    let count = usize::try_from(count).unwrap_or(0);
    let mut seen: Vec<_> =
        events[..count].iter().map(|event| (event.u64, EpollFlags::from_bits_retain(event.events.cast_signed()))).collect();
    seen.sort_unstable_by_key(|&(token, _)| token);
    Ok(seen)
}
