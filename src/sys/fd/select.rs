//! `select` and `pselect` on one descriptor.

use std::os::fd::AsFd;

use nix::sys::select::{FdSet, pselect, select};
use nix::sys::signal::SigSet;
use nix::sys::time::TimeVal;

use crate::sys::Errno;
use crate::sys::point::around;

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
    around(|| select(None, &mut readable, &mut writable, &mut exceptional, &mut TimeVal::new(0, 0)))?;
    let descriptor = descriptor.as_fd();
    Ok((readable.contains(descriptor), writable.contains(descriptor), exceptional.contains(descriptor)))
}

/// `select` until the descriptor can be read: how many descriptors are ready.
///
/// # Errors
/// `EINTR`.
pub fn select_to_read(descriptor: impl AsFd) -> Result<i32, Errno> {
    let mut set = FdSet::new();
    set.insert(descriptor.as_fd());
    Ok(around(|| select(None, &mut set, None, None, None))?)
}

/// `select` until the descriptor can be written: how many descriptors are ready.
///
/// # Errors
/// `EINTR`.
pub fn select_to_write(descriptor: impl AsFd) -> Result<i32, Errno> {
    let mut set = FdSet::new();
    set.insert(descriptor.as_fd());
    Ok(around(|| select(None, None, &mut set, None, None))?)
}

/// `pselect` until the descriptor can be read, under a signal mask that blocks nothing: how many descriptors are ready.
///
/// # Errors
/// `EINTR`.
pub fn pselect_to_read_unmasked(descriptor: impl AsFd) -> Result<i32, Errno> {
    let mut set = FdSet::new();
    set.insert(descriptor.as_fd());
    Ok(around(|| pselect(None, &mut set, None, None, None, &SigSet::empty()))?)
}
