//! Reading and writing, one call each: with and without an offset, with one buffer and several.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};

use nix::unistd::Whence;

use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// `read`, once.
///
/// # Errors
/// What the system answers.
pub fn read(from: impl AsFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    Ok(around(|| nix::unistd::read(from, buffer))?)
}

/// `write`, once.
///
/// # Errors
/// What the system answers.
pub fn write(to: impl AsFd, bytes: &[u8]) -> Result<usize, Errno> {
    Ok(around(|| nix::unistd::write(to, bytes))?)
}

/// `readv`, once.
///
/// # Errors
/// What the system answers.
pub fn readv(from: impl AsFd, buffers: &mut [IoSliceMut<'_>]) -> Result<usize, Errno> {
    Ok(around(|| nix::sys::uio::readv(from, buffers))?)
}

/// `writev`, once.
///
/// # Errors
/// What the system answers.
pub fn writev(to: impl AsFd, buffers: &[IoSlice<'_>]) -> Result<usize, Errno> {
    Ok(around(|| nix::sys::uio::writev(to, buffers))?)
}

/// `pread`.
///
/// # Errors
/// What the system answers.
pub fn pread(from: impl AsFd, buffer: &mut [u8], offset: i64) -> Result<usize, Errno> {
    Ok(around(|| nix::sys::uio::pread(from, buffer, offset))?)
}

/// `pwrite`.
///
/// # Errors
/// What the system answers.
pub fn pwrite(to: impl AsFd, bytes: &[u8], offset: i64) -> Result<usize, Errno> {
    Ok(around(|| nix::sys::uio::pwrite(to, bytes, offset))?)
}

/// `pwritev`, once.
///
/// # Errors
/// What the system answers.
pub fn pwritev(to: impl AsFd, bytes: &[std::io::IoSlice<'_>], offset: i64) -> Result<usize, Errno> {
    Ok(around(|| nix::sys::uio::pwritev(to, bytes, offset))?)
}

/// `lseek`.
///
/// # Errors
/// `ESPIPE` on a pipe, FIFO or socket.
pub fn lseek(descriptor: impl AsFd, offset: i64, whence: Whence) -> Result<i64, Errno> {
    Ok(around(|| nix::unistd::lseek(descriptor, offset, whence))?)
}

mod raw {
    nix::ioctl_read_bad!(fionread, libc::FIONREAD, libc::c_int);
}

/// `ioctl(FIONREAD)`: bytes that can be read now.
///
/// # Errors
/// What the system answers.
pub fn unread(descriptor: impl AsFd) -> Result<usize, Errno> {
    let mut count = 0;
    // SAFETY: `count` is the `int` that FIONREAD writes.
    around(|| unsafe { raw::fionread(descriptor.as_fd().as_raw_fd(), &raw mut count) })?;
    usize::try_from(count).map_err(|_| errno::ERANGE)
}
