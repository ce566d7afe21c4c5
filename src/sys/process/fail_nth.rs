//! Allocation failures on request (Linux with fault injection): the calling thread's `fail-nth`.
//!
//! Arming, asking and disarming allocate nothing themselves: the file stays open, and is written and read in place.

use std::os::fd::OwnedFd;

use nix::fcntl::OFlag;
use nix::sys::mman::{MlockAllFlags, mlockall};

use crate::sys::Errno;
use crate::sys::errno;
use crate::sys::fd::descriptor::dup_from;

/// Above the numbers that a case asks for by "the lowest free one".
const OUT_OF_THE_WAY: i32 = 200;

/// The file by which a thread asks for failures of its own allocations.
#[derive(Debug)]
pub struct FailNth(OwnedFd);

impl FailNth {
    /// Opens the calling thread's file, under a high number.
    ///
    /// # Errors
    /// `ENOENT` where the kernel has no fault injection, `EACCES`.
    pub fn open() -> Result<Self, Errno> {
        let file = crate::sys::path::open::open("/proc/thread-self/fail-nth".as_ref(), OFlag::O_RDWR | OFlag::O_CLOEXEC)?;
        dup_from(OUT_OF_THE_WAY, file).map(FailNth)
    }

    /// From now on the allocation with this number, counted from 1, fails, and no other.
    ///
    /// # Errors
    /// `EINVAL` for a number that is none.
    pub fn arm(&self, number: u32) -> Result<(), Errno> {
        crate::sys::fd::io::pwrite(&self.0, decimal(number, &mut [b'0'; 10]), 0).map(drop)
    }

    /// Nothing fails any more.
    ///
    /// # Errors
    /// None that can be expected.
    pub fn disarm(&self) -> Result<(), Errno> {
        self.arm(0)
    }

    /// Whether an allocation has been made to fail since the file was armed, which it must have been.
    ///
    /// # Errors
    /// None that can be expected.
    pub fn has_failed(&self) -> Result<bool, Errno> {
        let mut text = [0; 16];
        match crate::sys::fd::io::pread(&self.0, &mut text, 0)? {
            0 => Err(errno::EIO),
            count => Ok(text[..count].trim_ascii() == b"0"),
        }
    }
}

/// Keeps all memory of the process present, so that no page fault allocates in its stead (`mlockall`).
///
/// # Errors
/// `ENOMEM`, `EPERM`.
pub fn keep_memory_present() -> Result<(), Errno> {
    Ok(mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)?)
}

/// The number in text, without any allocation, and without leading zeros, which would make it an octal one.
fn decimal(number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let (mut rest, mut start) = (number, digits.len());
    while rest > 0 || start == digits.len() {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    &digits[start..]
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn numbers_are_written_without_leading_zeros() {
        let text = |number| String::from_utf8_lossy(decimal(number, &mut [0; 10])).into_owned();
        assert_eq!([0, 8, 10, 300, u32::MAX].map(text), ["0", "8", "10", "300", "4294967295"]);
    }
}
