//! Names in a file system: FIFOs, and the calls on paths that cases about them need.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode};

use super::Errno;
use super::point::around;

/// `mkfifo`.
///
/// # Errors
/// What the system answers.
pub fn mkfifo(path: &Path, mode: u32) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::mkfifo(path, mode_of(mode)))?)
}

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

/// `unlink`.
///
/// # Errors
/// What the system answers.
pub fn unlink(path: &Path) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::unlink(path))?)
}

/// `rename`.
///
/// # Errors
/// What the system answers.
pub fn rename(from: &Path, to: &Path) -> Result<(), Errno> {
    Ok(around(|| nix::fcntl::renameat(nix::fcntl::AT_FDCWD, from, nix::fcntl::AT_FDCWD, to))?)
}

/// `stat`.
///
/// # Errors
/// What the system answers.
pub fn stat(path: &Path) -> Result<FileStat, Errno> {
    Ok(nix::sys::stat::stat(path)?)
}

/// `fstat`.
///
/// # Errors
/// What the system answers.
pub fn fstat(descriptor: impl AsFd) -> Result<FileStat, Errno> {
    Ok(nix::sys::stat::fstat(descriptor)?)
}

/// Permission bits as the system's type.
fn mode_of(bits: u32) -> Mode {
    // `mode_t` has 16 bits on some systems, which are enough for what is left after the mask.
    Mode::from_bits_truncate((bits & 0o7777) as libc::mode_t)
}
