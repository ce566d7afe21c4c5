//! Names in directories: links, symbolic links, renaming, removal, and the directories themselves.

#[cfg(linux)]
use std::ffi::CStr;
use std::ffi::CString;
#[cfg(linux)]
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::UnlinkatFlags;

use crate::sys::point::around;
use crate::sys::{Errno, errno};

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

/// `RENAME_NOREPLACE`.
#[cfg(linux)]
pub const NO_REPLACE: u32 = 1;
/// `RENAME_WHITEOUT`.
#[cfg(linux)]
pub const WHITEOUT: u32 = 4;
/// `RENAME_EXCHANGE`.
#[cfg(linux)]
pub const EXCHANGE: u32 = 2;

/// `link`.
///
/// # Errors
/// What the system answers.
pub fn link(from: &Path, to: &Path) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::linkat(AT_FDCWD, from, AT_FDCWD, to, AtFlags::empty()))?)
}

/// `linkat` of what a descriptor refers to, through its entry in `/proc`.
///
/// # Errors
/// What the system answers.
#[cfg(linux)]
pub fn link_open(descriptor: impl AsFd, to: &Path) -> Result<(), Errno> {
    let from = format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd());
    Ok(around(|| nix::unistd::linkat(AT_FDCWD, from.as_str(), AT_FDCWD, to, AtFlags::AT_SYMLINK_FOLLOW))?)
}

/// `symlink`.
///
/// # Errors
/// What the system answers.
pub fn symlink(target: &str, path: &Path) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::symlinkat(target, AT_FDCWD, path))?)
}

/// `readlink`.
///
/// # Errors
/// What the system answers.
pub fn readlink(path: &Path) -> Result<Vec<u8>, Errno> {
    Ok(around(|| nix::fcntl::readlink(path))?.as_bytes().to_vec())
}

/// `readlink` into a buffer of that size.
///
/// # Errors
/// What the system answers.
pub fn readlink_into(path: &Path, size: usize) -> Result<Vec<u8>, Errno> {
    let path = c_string(path)?;
    let mut buffer = vec![0_u8; size];
    // SAFETY: the path ends with a NUL, and the buffer is writable for its whole length.
    let length = around(|| unsafe { libc::readlink(path.as_ptr(), buffer.as_mut_ptr().cast(), size) });
    buffer.truncate(usize::try_from(Errno::result(length)?).unwrap_or(0));
    Ok(buffer)
}

/// `mkdir`.
///
/// # Errors
/// What the system answers.
pub fn mkdir(path: &Path) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::mkdir(path, nix::sys::stat::Mode::S_IRWXU))?)
}

/// `rmdir`.
///
/// # Errors
/// What the system answers.
pub fn rmdir(path: &Path) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::unlinkat(AT_FDCWD, path, UnlinkatFlags::RemoveDir))?)
}

/// `renameat2`.
///
/// # Errors
/// What the system answers.
#[cfg(linux)]
pub fn rename_with(from: &Path, to: &Path, flags: u32) -> Result<(), Errno> {
    let (from, to) = (c_string(from)?, c_string(to)?);
    // SAFETY: both paths end with a NUL and are only read. (A C library may lack a function for this call.)
    let done =
        around(|| unsafe { libc::syscall(libc::SYS_renameat2, libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags) });
    Errno::result(done).map(drop)
}

/// Names in a directory but for `.` and `..`, sorted.
///
/// # Errors
/// What the system answers.
pub fn names_in(directory: &Path) -> Result<Vec<String>, Errno> {
    let entries = std::fs::read_dir(directory)?;
    let mut names =
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<Result<Vec<_>, Errno>>()?;
    names.sort();
    Ok(names)
}

/// `getdents64` with a buffer of that size: the names, `.` and `..` included, in their order.
///
/// # Errors
/// What the system answers.
#[cfg(linux)]
pub fn some_names(directory: impl AsFd, size: usize) -> Result<Vec<String>, Errno> {
    const NAME: usize = 19;
    let mut buffer = vec![0_u8; size];
    let number = directory.as_fd().as_raw_fd();
    // SAFETY: the buffer is writable for its whole length.
    let length = around(|| unsafe { libc::syscall(libc::SYS_getdents64, number, buffer.as_mut_ptr(), size) });
    let length = usize::try_from(Errno::result(length)?).unwrap_or(0);
    let (mut names, mut at) = (Vec::new(), 0);
    // Records of inode (8), offset (8), length (2), type (1), and the name with its NUL.
    while at + NAME < length {
        let record = usize::from(u16::from_ne_bytes([buffer[at + 16], buffer[at + 17]]));
        let name = CStr::from_bytes_until_nul(&buffer[at + NAME..length]).map_err(|_| errno::EIO)?;
        names.push(name.to_string_lossy().into_owned());
        at += record.max(1);
    }
    Ok(names)
}

fn c_string(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| errno::EINVAL)
}
