//! `open` and its relatives.

#[cfg(linux)]
use std::os::fd::AsRawFd;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::attributes::mode_of;
use crate::sys::Errno;
use crate::sys::point::around;

/// `open` without `O_CREAT`; close-on-exec only where the flags say so.
///
/// # Errors
/// What the system answers.
pub fn open(path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    Ok(around(|| nix::fcntl::open(path, flags, Mode::empty()))?)
}

/// `open` with `O_CREAT` and a mode.
///
/// # Errors
/// What the system answers.
pub fn create(path: &Path, flags: OFlag, mode: u32) -> Result<OwnedFd, Errno> {
    Ok(around(|| nix::fcntl::open(path, flags | OFlag::O_CREAT, mode_of(mode)))?)
}

/// `openat` without `O_CREAT`.
///
/// # Errors
/// What the system answers.
pub fn openat(directory: impl AsFd, path: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    Ok(around(|| nix::fcntl::openat(directory, path, flags, Mode::empty()))?)
}

/// `open` of what a descriptor refers to, through its entry in `/proc`: a new open description.
///
/// # Errors
/// What the system answers.
#[cfg(linux)]
pub fn reopen(descriptor: impl AsFd, flags: nix::fcntl::OFlag) -> Result<std::os::fd::OwnedFd, Errno> {
    let path = format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd());
    crate::sys::path::open::open(std::path::Path::new(&path), flags)
}
