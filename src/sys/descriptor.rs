//! What can be done with a descriptor besides moving bytes in order: copies and numbers, attributes, and the calls that are made
//! for files with positions and sizes.

use std::num::NonZero;
use std::os::fd::{AsFd, FromRawFd as _, OwnedFd, RawFd};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::stat::Mode;
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid};

use super::Errno;
use super::io::page_size;
use super::point::around;

/// A number that no descriptor of a case reaches: cases start with this limit.
const BEYOND: RawFd = 1024;

/// Numbers of the descriptors that the calling process has open.
pub fn open_descriptors() -> Vec<RawFd> {
    // SAFETY: `F_GETFD` takes plain integers and changes nothing, whether or not the number is open.
    (0..BEYOND).filter(|&number| unsafe { libc::fcntl(number, libc::F_GETFD) } != -1).collect()
}

/// `dup` of a bare number: a new descriptor, for a process that was only told the number.
///
/// # Errors
/// `EBADF` where nothing is open under that number, `EMFILE`.
pub fn dup_number(number: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: a plain integer, and the descriptor that comes back is new, so that nobody else owns it.
    unsafe { Ok(OwnedFd::from_raw_fd(Errno::result(libc::dup(number))?)) }
}

/// `dup2`: `onto` keeps its number and refers to what `from` refers to; what it referred to before is closed.
///
/// # Errors
/// What the system answers.
pub fn dup_onto(from: impl AsFd, onto: &mut OwnedFd) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::dup2(from, onto))?)
}

/// `fcntl(F_DUPFD_CLOEXEC)`: a duplicate with close-on-exec.
///
/// # Errors
/// `EMFILE`.
pub fn dup_close_on_exec(descriptor: impl AsFd) -> Result<OwnedFd, Errno> {
    let number = fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(0))?;
    // SAFETY: the system has just made this descriptor, so that nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `fcntl(F_DUPFD_CLOEXEC)` with a least number: a duplicate with close-on-exec, of the lowest free number from there on.
///
/// # Errors
/// `EMFILE`, `EINVAL` for a number beyond the limit.
pub fn dup_from(lowest: RawFd, descriptor: impl AsFd) -> Result<OwnedFd, Errno> {
    let number = around(|| fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(lowest)))?;
    // SAFETY: the system has just made this descriptor, so that nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Sets or clears close-on-exec (`fcntl(F_SETFD)`).
///
/// # Errors
/// What the system answers.
pub fn set_close_on_exec(descriptor: impl AsFd, on: bool) -> Result<(), Errno> {
    fcntl(descriptor, FcntlArg::F_SETFD(if on { FdFlag::FD_CLOEXEC } else { FdFlag::empty() }))?;
    Ok(())
}

/// `pread`.
///
/// # Errors
/// What the system answers.
pub fn pread(from: impl AsFd, buffer: &mut [u8], offset: i64) -> Result<usize, Errno> {
    Ok(nix::sys::uio::pread(from, buffer, offset)?)
}

/// `pwrite`.
///
/// # Errors
/// What the system answers.
pub fn pwrite(to: impl AsFd, bytes: &[u8], offset: i64) -> Result<usize, Errno> {
    Ok(nix::sys::uio::pwrite(to, bytes, offset)?)
}

/// `ftruncate`.
///
/// # Errors
/// What the system answers.
pub fn ftruncate(descriptor: impl AsFd, length: i64) -> Result<(), Errno> {
    Ok(nix::unistd::ftruncate(descriptor, length)?)
}

/// `fsync`.
///
/// # Errors
/// What the system answers.
pub fn fsync(descriptor: impl AsFd) -> Result<(), Errno> {
    Ok(nix::unistd::fsync(descriptor)?)
}

/// `fdatasync`.
///
/// # Errors
/// What the system answers.
#[cfg(not(apple))]
pub fn fdatasync(descriptor: impl AsFd) -> Result<(), Errno> {
    Ok(nix::unistd::fdatasync(descriptor)?)
}

/// `posix_fallocate`.
///
/// # Errors
/// The number that it returns.
#[cfg(not(apple))]
pub fn posix_fallocate(descriptor: impl AsFd, offset: i64, length: i64) -> Result<(), Errno> {
    Ok(nix::fcntl::posix_fallocate(descriptor, offset, length)?)
}

/// `mmap` of one page, readable and shared, and `munmap` where that succeeds.
///
/// # Errors
/// What `mmap` answers.
pub fn map_page(descriptor: impl AsFd) -> Result<(), Errno> {
    let length = NonZero::new(page_size()).ok_or(super::errno::EINVAL)?;
    // SAFETY: a new mapping at an address that the system chooses touches no memory in use, and nothing has been made of its
    // address when it is taken away again.
    unsafe {
        let page = mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, descriptor, 0)?;
        Ok(munmap(page, length.get())?)
    }
}

/// `fchmod`.
///
/// # Errors
/// What the system answers.
pub fn fchmod(descriptor: impl AsFd, mode: Mode) -> Result<(), Errno> {
    Ok(nix::sys::stat::fchmod(descriptor, mode)?)
}

/// `fchown`.
///
/// # Errors
/// What the system answers.
pub fn fchown(descriptor: impl AsFd, user: Uid, group: Gid) -> Result<(), Errno> {
    Ok(nix::unistd::fchown(descriptor, Some(user), Some(group))?)
}

/// `futimens`: last access and last modification, since the epoch.
///
/// # Errors
/// What the system answers.
pub fn set_times(descriptor: impl AsFd, accessed: Duration, modified: Duration) -> Result<(), Errno> {
    Ok(nix::sys::stat::futimens(descriptor, &TimeSpec::from(accessed), &TimeSpec::from(modified))?)
}
