//! Marks of a file (Linux): what `chattr` sets, by `ioctl_iflags(2)`, and what `statx(2)` shows beside the usual status.

use std::os::fd::{AsFd, AsRawFd};

use crate::sys::Errno;
use crate::sys::point::around;

/// `FS_COMPR_FL`: compressed.
pub const COMPRESSED: u32 = 0x4;
/// `FS_IMMUTABLE_FL`: neither content nor name nor status may be changed.
pub const IMMUTABLE: u32 = 0x10;
/// `FS_APPEND_FL`: may grow only.
pub const APPEND: u32 = 0x20;
/// `FS_NODUMP_FL`: left out by backups.
pub const NO_DUMP: u32 = 0x40;
/// `FS_NOATIME_FL`: reading does not mark the time of access.
pub const NO_ATIME: u32 = 0x80;

/// What `statx` shows of marks and of the time of birth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// `stx_attributes`.
    pub attributes: u64,
    /// `stx_attributes_mask`: which attributes the file system knows.
    pub known: u64,
    /// `stx_btime`, seconds and nanoseconds, where the system tells it.
    pub born: Option<(i64, u32)>,
}

mod raw {
    // The requests are numbered as if they took a `long`; it is an `int`.
    nix::ioctl_read_bad!(flags, nix::request_code_read!(b'f', 1, size_of::<libc::c_long>()), libc::c_uint);
    nix::ioctl_write_ptr_bad!(set_flags, nix::request_code_write!(b'f', 2, size_of::<libc::c_long>()), libc::c_uint);
}

/// `ioctl(FS_IOC_GETFLAGS)`.
///
/// # Errors
/// What the system answers; `ENOTTY` where the file system has no marks.
pub fn flags(of: impl AsFd) -> Result<u32, Errno> {
    // Twice as much room as is needed: a file system that takes the number of the request at its word writes a `long`.
    let mut flags = [0; 2];
    // SAFETY: `flags` is what the request writes, or the beginning of it.
    around(|| unsafe { raw::flags(of.as_fd().as_raw_fd(), flags.as_mut_ptr()) })?;
    Ok(flags[0])
}

/// `ioctl(FS_IOC_SETFLAGS)`: these marks and no others.
///
/// # Errors
/// What the system answers.
pub fn set_flags(of: impl AsFd, flags: u32) -> Result<(), Errno> {
    let flags = [flags, 0];
    // SAFETY: `flags` is what the request reads, with room as above.
    around(|| unsafe { raw::set_flags(of.as_fd().as_raw_fd(), flags.as_ptr()) })?;
    Ok(())
}

/// `statx` of an open file.
///
/// # Errors
/// What the system answers.
pub fn status(of: impl AsFd) -> Result<Status, Errno> {
    /// `STATX_BTIME`.
    const BORN: u32 = 0x800;
    // Not the C library's function and type, which not every one has.
    let mut buffer = [0_u64; 32];
    // SAFETY: the path ends in a zero byte, and `struct statx` is 256 bytes long and aligned as this array is.
    let answer = around(|| unsafe {
        libc::syscall(libc::SYS_statx, of.as_fd().as_raw_fd(), c"".as_ptr(), libc::AT_EMPTY_PATH, BORN, buffer.as_mut_ptr())
    });
    Errno::result(answer)?;
    let halves = |index: usize| -> [u32; 2] {
        let bytes = buffer[index].to_ne_bytes();
        [0, 4].map(|start| u32::from_ne_bytes([bytes[start], bytes[start + 1], bytes[start + 2], bytes[start + 3]]))
    };
    let born = (buffer[10].cast_signed(), halves(11)[0]);
    Ok(Status { attributes: buffer[1], known: buffer[7], born: (halves(0)[0] & BORN != 0).then_some(born) })
}
