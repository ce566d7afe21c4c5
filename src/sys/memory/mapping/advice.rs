//! Calls on the pages of a [`Mapping`]: protection, advice, and writing by force (Linux).

use std::path::Path;
use std::ptr::NonNull;

use nix::fcntl::OFlag;
use nix::sys::mman::{MmapAdvise, madvise, mprotect};

use super::{Access, Mapping};
use crate::sys::fd::io::pwrite;
use crate::sys::path::open::open;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

impl Mapping {
    /// `mprotect` of the whole mapping.
    ///
    /// # Errors
    /// What the system answers.
    pub fn allow(&self, access: Access) -> Result<(), Errno> {
        // SAFETY: the pages are this mapping's, whose bytes are only reached as atomics; an access that is not allowed any more
        // raises a signal.
        Ok(around(|| unsafe { mprotect(self.start.cast(), self.length, access.protection()) })?)
    }

    /// `madvise(MADV_REMOVE)`: the object loses the pages.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The range is not inside the mapping.
    pub fn remove(&self, offset: usize, length: usize) -> Result<(), Errno> {
        self.advise(offset, length, MmapAdvise::MADV_REMOVE)
    }

    /// `madvise(MADV_DONTNEED)`: the mapping loses the pages, the object does not.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The range is not inside the mapping.
    pub fn forget(&self, offset: usize, length: usize) -> Result<(), Errno> {
        self.advise(offset, length, MmapAdvise::MADV_DONTNEED)
    }

    /// `pwrite` to `/proc/self/mem` at a place of this mapping, which asks for no permission of the mapping's.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The range is not inside the mapping.
    pub fn write_by_force(&self, offset: usize, bytes: &[u8]) -> Result<usize, Errno> {
        let place = self.part(offset, bytes.len());
        let memory = open(Path::new("/proc/self/mem"), OFlag::O_RDWR)?;
        let place = i64::try_from(place.as_ptr().expose_provenance()).map_err(|_| errno::EOVERFLOW)?;
        pwrite(memory, bytes, place)
    }

    fn advise(&self, offset: usize, length: usize, advice: MmapAdvise) -> Result<(), Errno> {
        let start = self.part(offset, length);
        // SAFETY: the range is inside this mapping, whose bytes may change at any time for those who read them.
        Ok(around(|| unsafe { madvise(start.cast(), length, advice) })?)
    }

    /// Where a part begins, which has been checked to be inside.
    fn part(&self, offset: usize, length: usize) -> NonNull<u8> {
        self.check(offset, length);
        // SAFETY: checked to be inside the mapping.
        unsafe { self.start.add(offset) }
    }
}
