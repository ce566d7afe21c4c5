//! Making special files: FIFOs, by each call that can.

#[cfg(has_mkfifoat)]
use std::os::fd::AsFd;
use std::path::Path;

use nix::sys::stat::SFlag;

use super::attributes::mode_of;
use crate::sys::memory::guarded::Guarded;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// `mkfifo`.
///
/// # Errors
/// What the system answers.
pub fn mkfifo(path: &Path, mode: u32) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::mkfifo(path, mode_of(mode)))?)
}

/// `mkfifo` with a path of which only the first `good` bytes can be read, and those hold no terminator.
///
/// # Errors
/// What the system answers; `EFAULT` is expected.
pub fn mkfifo_with_bad_path(memory: &mut Guarded, good: usize, mode: u32) -> Result<(), Errno> {
    memory.bytes().fill(b'x');
    // SAFETY: the bytes before the guard page belong to `memory` and the kernel checks every byte that it reads. The call only
    // reads; the C library passes the pointer on without looking behind it.
    Errno::result(around(|| unsafe { libc::mkfifo(memory.address(good).cast(), mode_of(mode).bits()) })).map(drop)
}

/// `mknod` of a type, with a device number that means nothing for a FIFO.
///
/// # Errors
/// What the system answers.
pub fn mknod(path: &Path, kind: SFlag, mode: u32, device: u64) -> Result<(), Errno> {
    let device = libc::dev_t::try_from(device).map_err(|_| errno::ERANGE)?;
    Ok(around(|| nix::sys::stat::mknod(path, kind, mode_of(mode), device))?)
}

/// `mkfifoat`.
///
/// # Errors
/// What the system answers.
#[cfg(has_mkfifoat)]
pub fn mkfifoat(directory: impl AsFd, path: &Path, mode: u32) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::mkfifoat(directory, path, mode_of(mode)))?)
}

/// `mknodat` of a FIFO.
///
/// # Errors
/// What the system answers.
#[cfg(has_mkfifoat)]
pub fn mknodat_fifo(directory: impl AsFd, path: &Path, mode: u32) -> Result<(), Errno> {
    Ok(around(|| nix::sys::stat::mknodat(directory, path, SFlag::S_IFIFO, mode_of(mode), 0))?)
}

/// `umask`: the mask that was in force before.
pub fn umask(mask: u32) -> u32 {
    #[allow(clippy::useless_conversion, reason = "mode_t has 16 bits on some systems")]
    u32::from(around(|| nix::sys::stat::umask(mode_of(mask))).bits())
}
