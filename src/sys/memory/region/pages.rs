//! Calls on parts of a [`Region`], and its bytes.

use std::os::fd::{AsFd, AsRawFd};

use nix::sys::mman::{MmapAdvise, MsFlags, ProtFlags, madvise, mlock, mprotect, msync, munlock};

use super::Region;
use crate::sys::Errno;
use crate::sys::point::around;

impl Region {
    /// Length as it was asked for.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The bytes from `offset` on.
    ///
    /// # Panics
    /// The part is not inside the region, or a hole in it is somebody else's now.
    pub fn read(&self, offset: usize, length: usize) -> Vec<u8> {
        self.check(offset, length);
        // SAFETY: checked to be inside the region. Where it is mapped, its bytes are only ever reached by volatile accesses of the one
        // thread that can have it; other processes may write them. Where it is not, nothing is: outside of every object a volatile
        // access is what the hardware makes of it, here a signal.
        (offset..offset + length).map(|index| unsafe { self.at(index).cast::<u8>().read_volatile() }).collect()
    }

    /// Puts bytes at `offset`.
    ///
    /// # Panics
    /// The part is not inside the region, or a hole in it is somebody else's now.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        self.check(offset, bytes.len());
        for (index, &byte) in bytes.iter().enumerate() {
            // SAFETY: as for `read`.
            unsafe { self.at(offset + index).cast::<u8>().write_volatile(byte) };
        }
    }

    /// `mprotect` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside the region, or a hole in it is somebody else's now. So for the calls below.
    pub fn protect(&self, at: usize, length: usize, protection: ProtFlags) -> Result<(), Errno> {
        self.check(at, length);
        // SAFETY: checked to be inside this region, of which no reference is ever given out.
        Ok(around(|| unsafe { mprotect(self.pointer(at), length, protection) })?)
    }

    /// `msync` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// As for [`Region::protect`].
    pub fn sync(&self, at: usize, length: usize, flags: MsFlags) -> Result<(), Errno> {
        self.check(at, length);
        // SAFETY: checked to be inside this region; the call changes no byte of a shared mapping.
        Ok(around(|| unsafe { msync(self.pointer(at), length, flags) })?)
    }

    /// `mlock` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// As for [`Region::protect`].
    pub fn lock(&self, at: usize, length: usize) -> Result<(), Errno> {
        self.check(at, length);
        // SAFETY: the call changes no byte and takes any address.
        Ok(around(|| unsafe { mlock(self.pointer(at), length) })?)
    }

    /// `munlock` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// As for [`Region::protect`].
    pub fn unlock(&self, at: usize, length: usize) -> Result<(), Errno> {
        self.check(at, length);
        // SAFETY: the call changes no byte and takes any address.
        Ok(around(|| unsafe { munlock(self.pointer(at), length) })?)
    }

    /// `madvise` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// As for [`Region::protect`].
    pub fn advise(&self, at: usize, length: usize, advice: MmapAdvise) -> Result<(), Errno> {
        #[cfg_attr(not(linux), expect(unused_variables, reason = "no advice about forks there"))]
        let pages = self.check(at, length);
        #[cfg(linux)]
        if advice == MmapAdvise::MADV_DONTFORK {
            // Before the call, which may fail and have taken away a part.
            self.not_inherited.borrow_mut().add(pages.clone());
        }
        // SAFETY: checked to be inside this region, whose bytes are only ever reached by volatile accesses. What advice takes away
        // from a child has been noted.
        around(|| unsafe { madvise(self.pointer(at), length, advice) })?;
        #[cfg(linux)]
        if advice == MmapAdvise::MADV_DOFORK {
            self.not_inherited.borrow_mut().remove(pages);
        }
        Ok(())
    }

    /// `write` of bytes that lie in this region: the kernel reads them, so that what it must not read is an error and no signal.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// As for [`Region::protect`].
    pub fn write_out(&self, at: usize, length: usize, to: impl AsFd) -> Result<usize, Errno> {
        self.check(at, length);
        self.whereabouts().write_out(at, length, to)
    }

    /// `read` of bytes into this region.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// As for [`Region::protect`].
    pub fn read_in(&self, at: usize, length: usize, from: impl AsFd) -> Result<usize, Errno> {
        self.check(at, length);
        // SAFETY: checked to be inside this region, of which no reference is ever given out; the kernel checks every byte that it
        // writes.
        let count = around(|| unsafe { libc::read(from.as_fd().as_raw_fd(), self.at(at), length) });
        Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
    }
}
