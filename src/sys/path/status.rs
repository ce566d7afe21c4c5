//! `stat` and what it tells, and the limits that hold for a path.

use std::os::fd::AsFd;
use std::path::Path;

use nix::sys::stat::{FileStat, SFlag};
use nix::unistd::PathconfVar;

use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// `stat`.
///
/// # Errors
/// What the system answers.
pub fn stat(path: &Path) -> Result<FileStat, Errno> {
    Ok(around(|| nix::sys::stat::stat(path))?)
}

/// `lstat`.
///
/// # Errors
/// What the system answers.
pub fn lstat(path: &Path) -> Result<FileStat, Errno> {
    Ok(around(|| nix::sys::stat::lstat(path))?)
}

/// `fstat`.
///
/// # Errors
/// What the system answers.
pub fn fstat(descriptor: impl AsFd) -> Result<FileStat, Errno> {
    Ok(around(|| nix::sys::stat::fstat(descriptor))?)
}

/// Whether a status is that of a FIFO.
pub fn is_fifo(status: &FileStat) -> bool {
    SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO
}

/// The permission bits of a status, with set-id and sticky bits.
#[allow(clippy::useless_conversion, reason = "mode_t has 16 bits on some systems")]
pub fn permissions(status: &FileStat) -> u32 {
    u32::from(status.st_mode) & 0o7777
}

/// Last access, last modification, last change of status: seconds and nanoseconds.
#[allow(clippy::useless_conversion, reason = "times have 32 bits on some systems")]
pub fn times(status: &FileStat) -> [(i64, i64); 3] {
    [
        (status.st_atime.into(), status.st_atime_nsec.into()),
        (status.st_mtime.into(), status.st_mtime_nsec.into()),
        (status.st_ctime.into(), status.st_ctime_nsec.into()),
    ]
}

/// Last access and last modification, which can be set.
pub fn data_times(status: &FileStat) -> [(i64, i64); 2] {
    let [accessed, modified, _] = times(status);
    [accessed, modified]
}

/// A limit that holds for names in a directory, or for what a path names: `pathconf`.
///
/// # Errors
/// What the system answers; `EINVAL` where it has no such limit.
pub fn path_limit(path: &Path, limit: PathconfVar) -> Result<usize, Errno> {
    let limit = around(|| nix::unistd::pathconf(path, limit))?;
    limit.and_then(|limit| usize::try_from(limit).ok()).ok_or(errno::EINVAL)
}
