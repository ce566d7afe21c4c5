//! Setting what an inode carries besides its data: permissions, owner, size, times.

use std::os::fd::AsFd;
use std::path::Path;

use nix::sys::stat::{Mode, UtimensatFlags};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid};

use crate::sys::Errno;
use crate::sys::point::around;

/// `chmod`.
///
/// # Errors
/// What the system answers.
pub fn chmod(path: &Path, mode: u32) -> Result<(), Errno> {
    let flags = nix::sys::stat::FchmodatFlags::FollowSymlink;
    Ok(around(|| nix::sys::stat::fchmodat(nix::fcntl::AT_FDCWD, path, mode_of(mode), flags))?)
}

/// `fchmod`.
///
/// # Errors
/// What the system answers.
pub fn fchmod(descriptor: impl AsFd, mode: u32) -> Result<(), Errno> {
    Ok(around(|| nix::sys::stat::fchmod(descriptor, mode_of(mode)))?)
}

/// `chown` of owner and group.
///
/// # Errors
/// What the system answers.
pub fn chown(path: &Path, owner: Uid, group: Gid) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::chown(path, Some(owner), Some(group)))?)
}

/// `fchown` of owner and group.
///
/// # Errors
/// What the system answers.
pub fn fchown(descriptor: impl AsFd, owner: Uid, group: Gid) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::fchown(descriptor, Some(owner), Some(group)))?)
}

/// `truncate`.
///
/// # Errors
/// What the system answers.
pub fn truncate(path: &Path, length: i64) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::truncate(path, length))?)
}

/// `utimensat`: last access and last modification, in whole seconds.
///
/// # Errors
/// What the system answers.
pub fn set_times(path: &Path, accessed: i64, modified: i64) -> Result<(), Errno> {
    let (accessed, modified) = (TimeSpec::new(accessed, 0), TimeSpec::new(modified, 0));
    Ok(around(|| nix::sys::stat::utimensat(nix::fcntl::AT_FDCWD, path, &accessed, &modified, UtimensatFlags::FollowSymlink))?)
}

/// `futimens`: last access and last modification, in whole seconds.
///
/// # Errors
/// What the system answers.
pub fn set_times_through(descriptor: impl AsFd, accessed: i64, modified: i64) -> Result<(), Errno> {
    Ok(around(|| nix::sys::stat::futimens(descriptor, &TimeSpec::new(accessed, 0), &TimeSpec::new(modified, 0)))?)
}

/// Permission bits as the system's type.
pub(in crate::sys) fn mode_of(bits: u32) -> Mode {
    // `mode_t` has 16 bits on some systems, which are enough for what is left after the mask.
    Mode::from_bits_truncate((bits & 0o7777) as libc::mode_t)
}
