//! Memory files without a name, and seals: `memfd_create`, `fcntl(F_ADD_SEALS)`, `fcntl(F_GET_SEALS)`.

use std::ffi::CString;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, fcntl};

use crate::sys::memory::guarded::Guarded;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

pub use nix::fcntl::SealFlag as Seals;
pub use nix::sys::memfd::MFdFlags as MemoryFlags;

/// `F_SEAL_FUTURE_WRITE` (Linux 5.1).
pub const SEAL_FUTURE_WRITE: Seals = Seals::from_bits_retain(0x10);
/// `F_SEAL_EXEC` (Linux 6.3).
pub const SEAL_EXEC: Seals = Seals::from_bits_retain(0x20);
/// `MFD_NOEXEC_SEAL` (Linux 6.3).
pub const NOEXEC_SEAL: MemoryFlags = MemoryFlags::from_bits_retain(0x8);
/// `MFD_EXEC` (Linux 6.3).
pub const EXEC: MemoryFlags = MemoryFlags::from_bits_retain(0x10);

/// `memfd_create`.
///
/// # Errors
/// What the system answers; `EINVAL` also for a name with a NUL, which cannot be passed.
pub fn memfd_create(name: &[u8], flags: MemoryFlags) -> Result<OwnedFd, Errno> {
    let name = CString::new(name).map_err(|_| errno::EINVAL)?;
    Ok(around(|| nix::sys::memfd::memfd_create(name.as_c_str(), flags))?)
}

/// `memfd_create` with a name whose last `good` bytes can be read, and what comes behind them cannot; `last` is the last of them.
///
/// # Errors
/// What the system answers; `EFAULT` is expected unless `last` ends the name.
pub fn memfd_create_at_the_edge(memory: &mut Guarded, good: usize, last: u8) -> Result<OwnedFd, Errno> {
    let bytes = memory.bytes();
    bytes.fill(b'x');
    if good > 0 {
        bytes[bytes.len() - 1] = last;
    }
    // SAFETY: the bytes before the guard page belong to `memory`, and the kernel checks every byte that it reads.
    let number = around(|| unsafe { libc::memfd_create(memory.address(good).cast(), 0) });
    // SAFETY: the system has just made this descriptor, so that nobody else owns it.
    Errno::result(number).map(|number| unsafe { OwnedFd::from_raw_fd(number) })
}

/// `fcntl(F_ADD_SEALS)`.
///
/// # Errors
/// What the system answers.
pub fn add_seals(to: impl AsFd, seals: Seals) -> Result<(), Errno> {
    around(|| fcntl(to, FcntlArg::F_ADD_SEALS(seals)))?;
    Ok(())
}

/// `fcntl(F_GET_SEALS)`.
///
/// # Errors
/// What the system answers.
pub fn seals(of: impl AsFd) -> Result<Seals, Errno> {
    let bits = around(|| fcntl(of, FcntlArg::F_GET_SEALS))?;
    Ok(Seals::from_bits_retain(bits))
}
