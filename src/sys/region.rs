//! [`Region`]: a mapping made with every argument that `mmap` takes, and the calls on parts of it. For cases about mappings
//! themselves; those that only want shared memory use [`Mapping`].

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::num::NonZero;
use std::ops::{Deref, Range};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

pub use nix::sys::mman::{MapFlags, MmapAdvise, MsFlags, ProtFlags};
use nix::sys::mman::{madvise, mlock, mmap, mmap_anonymous, mprotect, msync, munlock, munmap};

use super::mapping::Mapping;
use super::point::around;
use super::{Errno, errno};

/// A stretch of address space; unmapped when dropped, but for the holes that were made in it. A forked child has it as well.
///
/// Its bytes are reached as those of a [`Mapping`]. Parts of it may be protected, unmapped or cut off: an access there is answered
/// by a signal, which is what such a case is about.
#[derive(Debug)]
pub struct Region {
    mapping: ManuallyDrop<Mapping>,
    holes: RefCell<Vec<Range<usize>>>,
}

impl Deref for Region {
    type Target = Mapping;

    fn deref(&self) -> &Mapping {
        &self.mapping
    }
}

impl Region {
    fn from_parts(start: NonNull<u8>, length: usize) -> Self {
        Region { mapping: ManuallyDrop::new(Mapping { start, length }), holes: RefCell::default() }
    }

    /// `mmap` of a part of an object, at an address that the system chooses.
    ///
    /// # Errors
    /// What the system answers; for a length of 0 too.
    pub fn map(of: impl AsFd, length: usize, protection: ProtFlags, flags: MapFlags, offset: i64) -> Result<Self, Errno> {
        let flags = flags - MapFlags::MAP_FIXED;
        Self::map_near(std::ptr::null_mut(), of, length, protection, flags, offset)
    }

    /// `mmap` with the address of a byte of this region as a hint only.
    ///
    /// # Errors
    /// What the system answers.
    pub fn map_with_hint(
        &self,
        at: usize,
        of: impl AsFd,
        length: usize,
        protection: ProtFlags,
        flags: MapFlags,
    ) -> Result<Self, Errno> {
        Self::map_near(self.at(at), of, length, protection, flags - MapFlags::MAP_FIXED, 0)
    }

    fn map_near(
        hint: *mut libc::c_void,
        of: impl AsFd,
        length: usize,
        protection: ProtFlags,
        flags: MapFlags,
        offset: i64,
    ) -> Result<Self, Errno> {
        let descriptor = of.as_fd().as_raw_fd();
        let offset = libc::off_t::try_from(offset).map_err(|_| errno::EOVERFLOW)?;
        // The C function, as nix takes no length of 0.
        // SAFETY: without MAP_FIXED the system chooses an address where nothing is; the descriptor is borrowed for the call.
        let start = around(|| unsafe { libc::mmap(hint, length, protection.bits(), flags.bits(), descriptor, offset) });
        if start == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let start = NonNull::new(start).ok_or(errno::EFAULT)?;
        Ok(Self::from_parts(start.cast(), length))
    }

    /// Private anonymous pages that nobody may touch: a place to put other mappings into.
    ///
    /// # Errors
    /// What `mmap` answers.
    pub fn reserve(length: usize) -> Result<Self, Errno> {
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        // SAFETY: a new mapping at an address that the system chooses touches no memory in use.
        let start = unsafe { mmap_anonymous(None, size, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }?;
        Ok(Self::from_parts(start.cast(), length))
    }

    /// `mmap` onto a part of this region; the flags say how (`MAP_FIXED` and its relatives). What is mapped elsewhere instead, by a
    /// kernel that takes the address for a hint, is unmapped again.
    ///
    /// # Errors
    /// What the system answers; `EOPNOTSUPP` where it mapped the object elsewhere.
    ///
    /// # Panics
    /// The part is not inside the region.
    pub fn place(
        &self,
        at: usize,
        of: impl AsFd,
        length: usize,
        protection: ProtFlags,
        flags: MapFlags,
        offset: i64,
    ) -> Result<(), Errno> {
        self.check_part(at, length);
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        let offset = libc::off_t::try_from(offset).map_err(|_| errno::EOVERFLOW)?;
        let wanted = NonZero::new(self.at(at).addr());
        // SAFETY: checked to be inside this region, whose bytes are only ever reached by volatile accesses and atomics.
        let start = around(|| unsafe { mmap(wanted, size, protection, flags, of, offset) })?;
        if Some(start.addr()) != wanted {
            // SAFETY: nothing has been made of this address yet.
            unsafe { munmap(start, length)? };
            return Err(errno::EOPNOTSUPP);
        }
        let mut holes = self.holes.borrow_mut();
        // What is left of a hole on either side stays one.
        let rest = |hole: &Range<usize>| [hole.start..hole.end.min(at), hole.start.max(at + length)..hole.end];
        *holes = holes.iter().flat_map(rest).filter(|part| !part.is_empty()).collect();
        Ok(())
    }

    /// `munmap` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside the region.
    pub fn unmap(&self, at: usize, length: usize) -> Result<(), Errno> {
        self.check_part(at, length);
        // SAFETY: checked to be inside this region; a later access there is a fault that its case asks for.
        around(|| unsafe { munmap(self.pointer(at), length) })?;
        self.holes.borrow_mut().push(at..at + length);
        Ok(())
    }

    /// `mprotect` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside the region.
    pub fn protect(&self, at: usize, length: usize, protection: ProtFlags) -> Result<(), Errno> {
        self.check_part(at, length);
        // SAFETY: checked to be inside this region, of which no reference but to atomics is ever given out.
        Ok(around(|| unsafe { mprotect(self.pointer(at), length, protection) })?)
    }

    /// `msync` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside the region.
    pub fn sync(&self, at: usize, length: usize, flags: MsFlags) -> Result<(), Errno> {
        self.check_part(at, length);
        // SAFETY: checked to be inside this region; the call changes no byte of a shared mapping.
        Ok(around(|| unsafe { msync(self.pointer(at), length, flags) })?)
    }

    /// `mlock` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside the region.
    pub fn lock(&self, at: usize, length: usize) -> Result<(), Errno> {
        self.check_part(at, length);
        // SAFETY: the call changes no byte and takes any address.
        Ok(around(|| unsafe { mlock(self.pointer(at), length) })?)
    }

    /// `munlock` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside the region.
    pub fn unlock(&self, at: usize, length: usize) -> Result<(), Errno> {
        self.check_part(at, length);
        // SAFETY: the call changes no byte and takes any address.
        Ok(around(|| unsafe { munlock(self.pointer(at), length) })?)
    }

    /// `madvise` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside the region.
    pub fn advise(&self, at: usize, length: usize, advice: MmapAdvise) -> Result<(), Errno> {
        self.check_part(at, length);
        // SAFETY: checked to be inside this region, whose bytes are only ever reached by volatile accesses and atomics.
        Ok(around(|| unsafe { madvise(self.pointer(at), length, advice) })?)
    }

    /// `mremap` of the whole region to another length; it may move only where `may_move` says so.
    ///
    /// # Errors
    /// What the system answers, and the region as it was.
    #[cfg(linux)]
    pub fn resize(self, length: usize, may_move: bool) -> Result<Self, (Self, Errno)> {
        let flags = if may_move { libc::MREMAP_MAYMOVE } else { 0 };
        // SAFETY: the whole of this region, which is given up where the call succeeds; a new address is one where nothing was.
        let start = unsafe { libc::mremap(self.at(0), self.length(), length, flags) };
        match NonNull::new(start) {
            Some(start) if start.as_ptr() != libc::MAP_FAILED => {
                std::mem::forget(self);
                Ok(Self::from_parts(start.cast(), length))
            }
            _ => Err((self, Errno::last())),
        }
    }

    /// `mremap` with an old length of 0, which gives a second mapping of the same pages.
    ///
    /// # Errors
    /// What the system answers.
    #[cfg(linux)]
    pub fn again(&self, length: usize) -> Result<Self, Errno> {
        // SAFETY: nothing of this region is moved or unmapped; the new address is one where nothing was.
        let start = unsafe { libc::mremap(self.at(0), 0, length, libc::MREMAP_MAYMOVE) };
        if start == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let start = NonNull::new(start).ok_or(errno::EFAULT)?;
        Ok(Self::from_parts(start.cast(), length))
    }

    /// The region in two, at that byte, which is the first of a page; each can be given up or resized by itself.
    ///
    /// # Panics
    /// The byte is outside, or a hole reaches over it.
    pub fn split(self, at: usize) -> (Region, Region) {
        self.check_part(at, 0);
        let holes = self.holes.take();
        let (front, back): (Vec<_>, Vec<_>) = holes.into_iter().partition(|hole| hole.end <= at);
        assert!(back.iter().all(|hole| hole.start >= at), "a hole over {at}");
        let parts = (Self::from_parts(self.pointer(0).cast(), at), Self::from_parts(self.pointer(at).cast(), self.length() - at));
        *parts.0.holes.borrow_mut() = front;
        *parts.1.holes.borrow_mut() = back.into_iter().map(|hole| hole.start - at..hole.end - at).collect();
        std::mem::forget(self);
        parts
    }

    /// The same stretch of address space under a second name that owns nothing: to look at what has become of it.
    #[must_use]
    pub fn alias(&self) -> Region {
        let alias = Self::from_parts(self.mapping.start, self.length());
        alias.holes.borrow_mut().push(0..self.length());
        alias
    }

    /// `write` of bytes that lie in this region: the kernel reads them, so that what it must not read is an error and no signal.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside the region.
    pub fn write_out(&self, at: usize, length: usize, to: impl AsFd) -> Result<usize, Errno> {
        self.check_part(at, length);
        // SAFETY: checked to be inside this region; the kernel checks every byte that it reads.
        let count = around(|| unsafe { libc::write(to.as_fd().as_raw_fd(), self.at(at), length) });
        Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
    }

    /// `read` of bytes into this region.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside the region.
    pub fn read_in(&self, at: usize, length: usize, from: impl AsFd) -> Result<usize, Errno> {
        self.check_part(at, length);
        // SAFETY: checked to be inside this region, of which no reference but to atomics is ever given out; the kernel checks
        // every byte that it writes.
        let count = around(|| unsafe { libc::read(from.as_fd().as_raw_fd(), self.at(at), length) });
        Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
    }

    /// Where another region begins, as an offset into this one; `None` where that is outside.
    pub fn offset_of(&self, other: &Region) -> Option<usize> {
        let offset = other.at(0).addr().checked_sub(self.at(0).addr())?;
        (offset < self.length()).then_some(offset)
    }

    fn at(&self, offset: usize) -> *mut libc::c_void {
        self.mapping.start.as_ptr().wrapping_add(offset).cast()
    }

    fn pointer(&self, offset: usize) -> NonNull<libc::c_void> {
        // SAFETY: every caller has checked that it stays inside the region or at its end.
        unsafe { self.mapping.start.add(offset).cast() }
    }

    fn check_part(&self, at: usize, length: usize) {
        let end = at.checked_add(length);
        assert!(end.is_some_and(|end| end <= self.length()), "{length} bytes at {at} of a region of {}", self.length());
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // Whatever has been mapped into a hole since is somebody else's.
        let mut holes = self.holes.take();
        holes.sort_by_key(|hole| hole.start);
        holes.push(self.length()..self.length());
        let mut from = 0;
        for hole in holes {
            if hole.start > from {
                // SAFETY: this part was mapped for this owner only, and nothing borrowed from it is left.
                let _ = unsafe { munmap(self.pointer(from), hole.start - from) };
            }
            from = from.max(hole.end);
        }
    }
}
