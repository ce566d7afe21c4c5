//! Pipes and bytes: `pipe`, `read`, `write` and their relatives, and the few helpers that every case about bytes needs.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::unistd::Whence;

use super::point::around;
use super::{Errno, errno};

/// `pipe`: reading end, writing end.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    Ok(around(nix::unistd::pipe)?)
}

/// `pipe2`: reading end, writing end.
///
/// # Errors
/// `EINVAL` for unknown flags, and what `pipe` answers.
#[cfg(has_pipe2)]
pub fn pipe2(flags: OFlag) -> Result<(OwnedFd, OwnedFd), Errno> {
    Ok(around(|| nix::unistd::pipe2(flags))?)
}

/// The system call `pipe` itself: reading end, writing end. C libraries make `pipe2` of their `pipe`.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
#[cfg(has_old_pipe)]
pub fn old_pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let mut numbers = [-1; 2];
    // SAFETY: the kernel writes two integers, for which there is room; the descriptors are new and nobody else's.
    around(|| unsafe {
        Errno::result(libc::syscall(libc::SYS_pipe, numbers.as_mut_ptr()))?;
        Ok(numbers.map(|number: libc::c_int| std::os::fd::FromRawFd::from_raw_fd(number)).into())
    })
}

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

/// One `read` of at most `size` bytes: the bytes.
///
/// # Errors
/// What the system answers.
pub fn read_some(from: impl AsFd, size: usize) -> Result<Vec<u8>, Errno> {
    let mut buffer = vec![0; size];
    let count = read(from, &mut buffer)?;
    buffer.truncate(count);
    Ok(buffer)
}

/// Reads until end-of-file.
///
/// # Errors
/// What `read` answers, `EINTR` and `EAGAIN` included.
pub fn read_to_end(from: impl AsFd) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match read(from.as_fd(), &mut buffer)? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Reads exactly `size` bytes, or as many as come before end-of-file.
///
/// # Errors
/// What `read` answers.
pub fn read_exactly(from: impl AsFd, size: usize) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::with_capacity(size);
    while all.len() < size {
        let some = read_some(from.as_fd(), size - all.len())?;
        if some.is_empty() {
            break;
        }
        all.extend_from_slice(&some);
    }
    Ok(all)
}

/// Writes everything, in as many calls as it takes; the descriptor may be handed in by value, and is closed then.
///
/// # Errors
/// What `write` answers; `EIO` if it accepts nothing.
pub fn write_all(to: impl AsFd, bytes: &[u8]) -> Result<(), Errno> {
    let mut rest = bytes;
    while !rest.is_empty() {
        match write(to.as_fd(), rest)? {
            0 => return Err(errno::EIO),
            count => rest = &rest[count..],
        }
    }
    Ok(())
}

/// Bytes that show where they belong: no two stretches of a page's length are alike.
pub fn pattern(size: usize) -> Vec<u8> {
    // The period, 251 × 256, is coprime to every page size.
    (0..size).map(|index| u8::try_from((index + index / 251) % 256).unwrap_or(0)).collect()
}

/// `close`, whose result an owner's drop would swallow.
///
/// # Errors
/// What the system answers.
pub fn close(descriptor: OwnedFd) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::close(descriptor))?)
}

/// `dup`.
///
/// # Errors
/// `EMFILE`.
pub fn dup(descriptor: impl AsFd) -> Result<OwnedFd, Errno> {
    Ok(nix::unistd::dup(descriptor)?)
}

/// `lseek`.
///
/// # Errors
/// `ESPIPE` on a pipe, FIFO or socket.
pub fn lseek(descriptor: impl AsFd, offset: i64, whence: Whence) -> Result<i64, Errno> {
    Ok(nix::unistd::lseek(descriptor, offset, whence)?)
}

/// `fcntl(F_GETFL)`: access mode and status flags.
///
/// # Errors
/// What the system answers.
pub fn status_flags(descriptor: impl AsFd) -> Result<OFlag, Errno> {
    Ok(OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?))
}

/// `fcntl(F_SETFL)`.
///
/// # Errors
/// What the system answers.
pub fn set_status_flags(descriptor: impl AsFd, flags: OFlag) -> Result<(), Errno> {
    fcntl(descriptor, FcntlArg::F_SETFL(flags))?;
    Ok(())
}

/// Sets or clears `O_NONBLOCK` and leaves the other flags.
///
/// # Errors
/// What the system answers.
pub fn set_nonblocking(descriptor: impl AsFd, on: bool) -> Result<(), Errno> {
    let mut flags = status_flags(descriptor.as_fd())?;
    flags.set(OFlag::O_NONBLOCK, on);
    set_status_flags(descriptor, flags)
}

/// Whether close-on-exec is set (`fcntl(F_GETFD)`).
///
/// # Errors
/// What the system answers.
pub fn close_on_exec(descriptor: impl AsFd) -> Result<bool, Errno> {
    Ok(FdFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFD)?).contains(FdFlag::FD_CLOEXEC))
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
    unsafe { raw::fionread(descriptor.as_fd().as_raw_fd(), &raw mut count)? };
    usize::try_from(count).map_err(|_| errno::ERANGE)
}

/// `fcntl(F_GETPIPE_SZ)`: capacity of a pipe or FIFO in bytes.
///
/// # Errors
/// What the system answers.
#[cfg(has_pipe_size)]
pub fn pipe_size(descriptor: impl AsFd) -> Result<usize, Errno> {
    let size = fcntl(descriptor, FcntlArg::F_GETPIPE_SZ)?;
    usize::try_from(size).map_err(|_| errno::ERANGE)
}

/// `fcntl(F_SETPIPE_SZ)`: asks for a capacity and gives the one that the pipe has now.
///
/// # Errors
/// `EBUSY`, `EPERM`, `EINVAL`, `ENOMEM`.
#[cfg(has_pipe_size)]
pub fn set_pipe_size(descriptor: impl AsFd, size: i32) -> Result<usize, Errno> {
    let size = fcntl(descriptor, FcntlArg::F_SETPIPE_SZ(size))?;
    usize::try_from(size).map_err(|_| errno::ERANGE)
}

/// Fills a pipe or FIFO to the brim through a non-blocking end: how many bytes went in.
///
/// # Errors
/// What `write` answers, but for the `EAGAIN` that says it is full.
pub fn fill(to: impl AsFd) -> Result<usize, Errno> {
    let flags = status_flags(to.as_fd())?;
    set_nonblocking(to.as_fd(), true)?;
    let mut count = 0;
    let chunk = pattern(4096);
    let mut size = chunk.len();
    while size > 0 {
        match write(to.as_fd(), &chunk[..size]) {
            Ok(written) => count += written,
            Err(errno::EAGAIN) => size /= 2,
            Err(other) => return Err(other),
        }
    }
    set_status_flags(to, flags)?;
    Ok(count)
}

/// Size of a page of memory.
pub fn page_size() -> usize {
    // SAFETY: `sysconf` has no preconditions.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// `PIPE_BUF` of a descriptor: `fpathconf(_PC_PIPE_BUF)`.
///
/// # Errors
/// What the system answers; `EINVAL` where it has no such limit.
pub fn pipe_buf(descriptor: impl AsFd) -> Result<usize, Errno> {
    let limit = nix::unistd::fpathconf(descriptor, nix::unistd::PathconfVar::PIPE_BUF)?;
    limit.and_then(|limit| usize::try_from(limit).ok()).ok_or(errno::EINVAL)
}
