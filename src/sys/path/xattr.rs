//! Extended attributes, through a descriptor.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd};

use crate::sys::Errno;
use crate::sys::point::around;

/// `fsetxattr`.
///
/// # Errors
/// What the system answers.
pub fn set_attribute(descriptor: impl AsFd, name: &CStr, value: &[u8], flags: i32) -> Result<(), Errno> {
    let number = descriptor.as_fd().as_raw_fd();
    // SAFETY: the name ends with a NUL, the value is readable for its length.
    Errno::result(around(|| unsafe { libc::fsetxattr(number, name.as_ptr(), value.as_ptr().cast(), value.len(), flags) })).map(drop)
}

/// `fgetxattr` into a buffer of that size.
///
/// # Errors
/// What the system answers.
pub fn attribute(descriptor: impl AsFd, name: &CStr, size: usize) -> Result<Vec<u8>, Errno> {
    let number = descriptor.as_fd().as_raw_fd();
    let mut buffer = vec![0_u8; size];
    // SAFETY: the name ends with a NUL, the buffer is writable for its length.
    let length = around(|| unsafe { libc::fgetxattr(number, name.as_ptr(), buffer.as_mut_ptr().cast(), size) });
    buffer.truncate(usize::try_from(Errno::result(length)?).unwrap_or(0));
    Ok(buffer)
}

/// `fremovexattr`.
///
/// # Errors
/// What the system answers.
pub fn remove_attribute(descriptor: impl AsFd, name: &CStr) -> Result<(), Errno> {
    // SAFETY: the name ends with a NUL.
    Errno::result(around(|| unsafe { libc::fremovexattr(descriptor.as_fd().as_raw_fd(), name.as_ptr()) })).map(drop)
}
