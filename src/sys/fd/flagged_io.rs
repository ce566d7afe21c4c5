//! `preadv2` and `pwritev2` (Linux) at the current position, for their flags.

use std::os::fd::{AsFd, AsRawFd};

use crate::sys::Errno;
use crate::sys::point::around;

/// Do not wait: fail with `EAGAIN` instead, whatever the descriptor's own flags say.
pub const RWF_NOWAIT: i32 = 0x8;

/// `preadv2` into one buffer at position −1.
///
/// # Errors
/// `EAGAIN`; `EOPNOTSUPP` for a flag that the object does not know.
pub fn read_flagged(from: impl AsFd, buffer: &mut [u8], flags: i32) -> Result<usize, Errno> {
    let part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: `part` describes `buffer`, borrowed mutably for the call; the kernel writes at most its length.
    let count = around(|| unsafe {
        libc::syscall(libc::SYS_preadv2, from.as_fd().as_raw_fd(), &raw const part, 1_usize, -1_isize, -1_isize, flags)
    });
    Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
}

/// `pwritev2` from one buffer at position −1.
///
/// # Errors
/// `EAGAIN`; `EOPNOTSUPP` for a flag that the object does not know.
pub fn write_flagged(to: impl AsFd, bytes: &[u8], flags: i32) -> Result<usize, Errno> {
    let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: `part` describes `bytes`, which the kernel only reads.
    let count = around(|| unsafe {
        libc::syscall(libc::SYS_pwritev2, to.as_fd().as_raw_fd(), &raw const part, 1_usize, -1_isize, -1_isize, flags)
    });
    Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
}
