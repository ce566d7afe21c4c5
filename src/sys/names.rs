//! Names in directories: links, symbolic links, directories, renaming with flags, extended attributes.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::UnlinkatFlags;

use super::point::around;
use super::{Errno, errno};

/// `RENAME_NOREPLACE`.
pub const NO_REPLACE: u32 = 1;
/// `RENAME_WHITEOUT`.
pub const WHITEOUT: u32 = 4;
/// `RENAME_EXCHANGE`.
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
    Ok(nix::fcntl::readlink(path)?.as_bytes().to_vec())
}

/// `readlink` into a buffer of that size.
///
/// # Errors
/// What the system answers.
pub fn readlink_into(path: &Path, size: usize) -> Result<Vec<u8>, Errno> {
    let path = c_string(path)?;
    let mut buffer = vec![0_u8; size];
    // SAFETY: the path ends with a NUL, and the buffer is writable for its whole length.
    let length = unsafe { libc::readlink(path.as_ptr(), buffer.as_mut_ptr().cast(), size) };
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
pub fn some_names(directory: impl AsFd, size: usize) -> Result<Vec<String>, Errno> {
    const NAME: usize = 19;
    let mut buffer = vec![0_u8; size];
    let number = directory.as_fd().as_raw_fd();
    // SAFETY: the buffer is writable for its whole length.
    let length = unsafe { libc::syscall(libc::SYS_getdents64, number, buffer.as_mut_ptr(), size) };
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

/// `fsetxattr`.
///
/// # Errors
/// What the system answers.
pub fn set_attribute(descriptor: impl AsFd, name: &CStr, value: &[u8], flags: i32) -> Result<(), Errno> {
    let number = descriptor.as_fd().as_raw_fd();
    // SAFETY: the name ends with a NUL, the value is readable for its length.
    Errno::result(unsafe { libc::fsetxattr(number, name.as_ptr(), value.as_ptr().cast(), value.len(), flags) }).map(drop)
}

/// `fgetxattr` into a buffer of that size.
///
/// # Errors
/// What the system answers.
pub fn attribute(descriptor: impl AsFd, name: &CStr, size: usize) -> Result<Vec<u8>, Errno> {
    let number = descriptor.as_fd().as_raw_fd();
    let mut buffer = vec![0_u8; size];
    // SAFETY: the name ends with a NUL, the buffer is writable for its length.
    let length = unsafe { libc::fgetxattr(number, name.as_ptr(), buffer.as_mut_ptr().cast(), size) };
    buffer.truncate(usize::try_from(Errno::result(length)?).unwrap_or(0));
    Ok(buffer)
}

/// `fremovexattr`.
///
/// # Errors
/// What the system answers.
pub fn remove_attribute(descriptor: impl AsFd, name: &CStr) -> Result<(), Errno> {
    // SAFETY: the name ends with a NUL.
    Errno::result(unsafe { libc::fremovexattr(descriptor.as_fd().as_raw_fd(), name.as_ptr()) }).map(drop)
}

fn c_string(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| errno::EINVAL)
}
