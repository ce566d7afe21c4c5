//! Readiness calls that wait for one descriptor: `select` and `pselect` without a timeout.

use std::os::fd::AsFd;

use nix::sys::select::{FdSet, pselect, select};
use nix::sys::signal::SigSet;

use super::Errno;

/// `select` until the descriptor can be read: how many descriptors are ready.
///
/// # Errors
/// `EINTR`.
pub fn select_to_read(descriptor: impl AsFd) -> Result<i32, Errno> {
    let mut set = FdSet::new();
    set.insert(descriptor.as_fd());
    Ok(select(None, &mut set, None, None, None)?)
}

/// `select` until the descriptor can be written: how many descriptors are ready.
///
/// # Errors
/// `EINTR`.
pub fn select_to_write(descriptor: impl AsFd) -> Result<i32, Errno> {
    let mut set = FdSet::new();
    set.insert(descriptor.as_fd());
    Ok(select(None, None, &mut set, None, None)?)
}

/// `pselect` until the descriptor can be read, under a signal mask that blocks nothing: how many descriptors are ready.
///
/// # Errors
/// `EINTR`.
pub fn pselect_to_read_unmasked(descriptor: impl AsFd) -> Result<i32, Errno> {
    let mut set = FdSet::new();
    set.insert(descriptor.as_fd());
    Ok(pselect(None, &mut set, None, None, None, &SigSet::empty())?)
}
