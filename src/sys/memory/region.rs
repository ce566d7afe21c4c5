//! [`Region`]: a mapping made with every argument that `mmap` takes, and the calls on parts of it. For cases about mappings
//! themselves; those that only want shared memory use [`Mapping`](super::mapping::Mapping).

mod holes;
mod pages;

use std::cell::{Cell, RefCell, RefMut};
use std::num::NonZero;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

pub use nix::sys::mman::{MapFlags, MmapAdvise, MsFlags, ProtFlags};
use nix::sys::mman::{mmap, mmap_anonymous, munmap};
use nix::sys::signal::Signal;

use holes::Holes;

use super::mapping::{catch, forget, page_size};
use crate::sys::point::around;
use crate::sys::process::threads::expect_one_thread;
use crate::sys::{Errno, errno};

/// A stretch of address space; unmapped when dropped, but for the holes that were made in it. A forked child has it as well.
///
/// Parts of it may be protected, unmapped or cut off: an access there is answered by a signal, which is what such a case is about.
/// No reference into it is ever given out. A hole may be used as long as nothing is mapped there; afterwards it is somebody else's, and
/// every call on it panics. For there to be no doubt, calls on holes panic where the process is seen to have several threads, too.
#[derive(Debug)]
pub struct Region {
    start: NonNull<u8>,
    length: usize,
    holes: RefCell<Holes>,
    /// Parts that a child of the owner lacks: holes of its copy.
    not_inherited: RefCell<Holes>,
    owner: Cell<u32>,
}

impl Region {
    fn from_parts(start: NonNull<u8>, length: usize, holes: Holes, not_inherited: Holes, owner: u32) -> Self {
        Region { start, length, holes: RefCell::new(holes), not_inherited: RefCell::new(not_inherited), owner: Cell::new(owner) }
    }

    fn whole(start: NonNull<u8>, length: usize) -> Self {
        Self::from_parts(start, length, Holes::default(), Holes::default(), std::process::id())
    }

    /// `mmap` of a part of an object, at an address that the system chooses.
    ///
    /// # Errors
    /// What the system answers; for a length of 0 too.
    pub fn map(of: impl AsFd, length: usize, protection: ProtFlags, flags: MapFlags, offset: i64) -> Result<Self, Errno> {
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
        Self::map_near(self.at(at), of, length, protection, flags, 0)
    }

    fn map_near(
        hint: *mut libc::c_void,
        of: impl AsFd,
        length: usize,
        protection: ProtFlags,
        flags: MapFlags,
        offset: i64,
    ) -> Result<Self, Errno> {
        let flags = flags - MapFlags::MAP_FIXED;
        let descriptor = of.as_fd().as_raw_fd();
        let offset = libc::off_t::try_from(offset).map_err(|_| errno::EOVERFLOW)?;
        // The C function, as nix takes no length of 0.
        // SAFETY: without MAP_FIXED the system chooses an address where nothing is; the descriptor is borrowed for the call.
        let start = around(|| unsafe { libc::mmap(hint, length, protection.bits(), flags.bits(), descriptor, offset) });
        if start == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let start = NonNull::new(start).ok_or(errno::EFAULT)?;
        Ok(Self::whole(start.cast(), length))
    }

    /// Private anonymous pages that nobody may touch: a place to put other mappings into.
    ///
    /// # Errors
    /// What `mmap` answers.
    pub fn reserve(length: usize) -> Result<Self, Errno> {
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        // SAFETY: a new mapping at an address that the system chooses touches no memory in use.
        let start = around(|| unsafe { mmap_anonymous(None, size, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) })?;
        Ok(Self::whole(start.cast(), length))
    }

    /// `mmap` onto a part of this region; the flags say how (`MAP_FIXED` and its relatives). What is mapped elsewhere instead, by a
    /// kernel that takes the address for a hint, is unmapped again.
    ///
    /// # Errors
    /// What the system answers; `EOPNOTSUPP` where it mapped the object elsewhere.
    ///
    /// # Panics
    /// The part is not inside the region, or a hole in it is somebody else's now.
    pub fn place(
        &self,
        at: usize,
        of: impl AsFd,
        length: usize,
        protection: ProtFlags,
        flags: MapFlags,
        offset: i64,
    ) -> Result<(), Errno> {
        let pages = self.check(at, length);
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        let offset = libc::off_t::try_from(offset).map_err(|_| errno::EOVERFLOW)?;
        let wanted = NonZero::new(self.at(at).addr());
        forget(self.start);
        // SAFETY: checked to be inside this region, of which no reference is ever given out, and to be nobody else's.
        let start = around(|| unsafe { mmap(wanted, size, protection, flags, of, offset) })?;
        if Some(start.addr()) != wanted {
            // SAFETY: nothing has been made of this address yet.
            unsafe { munmap(start, length)? };
            return Err(errno::EOPNOTSUPP);
        }
        self.holes().remove(pages.clone());
        self.not_inherited.borrow_mut().remove(pages);
        Ok(())
    }

    /// `munmap` of a part.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside the region, or a hole in it is somebody else's now.
    pub fn unmap(&self, at: usize, length: usize) -> Result<(), Errno> {
        let pages = self.check(at, length);
        forget(self.start);
        // SAFETY: checked to be inside this region, of which no reference is ever given out, and to be nobody else's.
        around(|| unsafe { munmap(self.pointer(at), length) })?;
        self.holes().add(pages);
        Ok(())
    }

    /// `mremap` of the whole region to another length; it may move only where `may_move` says so.
    ///
    /// # Errors
    /// What the system answers, and the region as it was.
    ///
    /// # Panics
    /// A hole in it is somebody else's now.
    #[cfg(linux)]
    pub fn resize(self, length: usize, may_move: bool) -> Result<Self, (Self, Errno)> {
        self.check(0, self.length);
        forget(self.start);
        let flags = if may_move { libc::MREMAP_MAYMOVE } else { 0 };
        // SAFETY: the whole of this region, which is given up where the call succeeds; a new address is one where nothing was. What
        // lies in holes of it was checked to be nothing.
        let start = around(|| unsafe { libc::mremap(self.at(0), self.length, length, flags) });
        match NonNull::new(start) {
            Some(start) if start.as_ptr() != libc::MAP_FAILED => {
                let (holes, _) = self.holes.take().split(page_up(length));
                let (not_inherited, _) = self.not_inherited.take().split(page_up(length));
                let owner = self.owner.get();
                std::mem::forget(self);
                Ok(Self::from_parts(start.cast(), length, holes, not_inherited, owner))
            }
            _ => Err((self, Errno::last())),
        }
    }

    /// `mremap` with an old length of 0, which gives a second mapping of the same pages.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// Its beginning is a hole that is somebody else's now.
    #[cfg(linux)]
    pub fn again(&self, length: usize) -> Result<Self, Errno> {
        self.check(0, 1);
        // SAFETY: nothing is moved or unmapped; the new address is one where nothing was.
        let start = around(|| unsafe { libc::mremap(self.at(0), 0, length, libc::MREMAP_MAYMOVE) });
        if start == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let start = NonNull::new(start).ok_or(errno::EFAULT)?;
        Ok(Self::whole(start.cast(), length))
    }

    /// The region in two, at that byte, which is the first of a page; each can be given up or resized by itself.
    ///
    /// # Panics
    /// The byte is outside, or not the first of a page.
    pub fn split(self, at: usize) -> (Region, Region) {
        assert!(at <= self.length && at.is_multiple_of(page_size()), "a region of {} is not split at {at}", self.length);
        forget(self.start);
        let (front, back) = self.holes.take().split(at);
        let (front_inherited, back_inherited) = self.not_inherited.take().split(at);
        let owner = self.owner.get();
        let parts = (
            Self::from_parts(self.start, at, front, front_inherited, owner),
            Self::from_parts(self.pointer(at).cast(), self.length - at, back, back_inherited, owner),
        );
        std::mem::forget(self);
        parts
    }

    /// Where this region is: to look, later, at what has become of that.
    pub fn whereabouts(&self) -> Whereabouts {
        Whereabouts { start: self.start.as_ptr().expose_provenance(), length: self.length }
    }

    /// Where another region begins, as an offset into this one; `None` where that is outside.
    pub fn offset_of(&self, other: &Region) -> Option<usize> {
        self.whereabouts().offset_of(other)
    }

    /// As [`Mapping::outlive`](super::mapping::Mapping::outlive): until the region is changed in shape or dropped.
    ///
    /// # Errors
    /// What `sigaction` answers.
    pub fn outlive(&self, fault: Signal) -> Result<(), Errno> {
        catch(self.start, self.length, self.holes().ranges().to_vec(), fault)
    }

    /// What this process does not have of the region.
    fn holes(&self) -> RefMut<'_, Holes> {
        let mut holes = self.holes.borrow_mut();
        if self.owner.replace(std::process::id()) != std::process::id() {
            self.not_inherited.take().ranges().iter().for_each(|part| holes.add(part.clone()));
        }
        holes
    }

    fn at(&self, offset: usize) -> *mut libc::c_void {
        self.start.as_ptr().wrapping_add(offset).cast()
    }

    fn pointer(&self, offset: usize) -> NonNull<libc::c_void> {
        // SAFETY: every caller has checked that it stays inside the region or at its end.
        unsafe { self.start.add(offset).cast() }
    }

    /// Checks that a part is inside, and that nobody else has mapped anything into a hole in it: the pages that it touches.
    #[track_caller]
    fn check(&self, at: usize, length: usize) -> Range<usize> {
        let end = at.checked_add(length).filter(|&end| end <= self.length);
        let Some(end) = end else { panic!("{length} bytes at {at} of a region of {}", self.length) };
        let page = page_size();
        let pages = at - at % page..page_up(end);
        for hole in self.holes().within(&pages) {
            assert!(expect_one_thread().is_ok(), "calls on a hole at {hole:?} in a process with several threads");
            for at in hole.clone().step_by(page) {
                // SAFETY: the call changes nothing but when the object is written back, and takes any address.
                let absent = unsafe { libc::msync(self.at(at), page, libc::MS_ASYNC) } == -1 && Errno::last() == errno::ENOMEM;
                assert!(absent, "something else is mapped into the hole at {hole:?} by now");
            }
        }
        pages
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        forget(self.start);
        for part in self.holes().between(page_up(self.length)) {
            // SAFETY: this part was mapped for this owner only, and nothing borrowed from it is left. Whatever has been mapped into a
            // hole since is somebody else's, and left alone.
            let _ = unsafe { munmap(self.pointer(part.start), part.len()) };
        }
    }
}

/// Up to the end of the page.
fn page_up(length: usize) -> usize {
    length.checked_next_multiple_of(page_size()).unwrap_or(length)
}

/// Where a region is or was. It owns nothing, and no byte is reached through it but by the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    start: usize,
    length: usize,
}

impl Whereabouts {
    /// Where a region begins, as an offset; `None` where that is outside.
    pub fn offset_of(&self, region: &Region) -> Option<usize> {
        let offset = region.at(0).addr().checked_sub(self.start)?;
        (offset < self.length).then_some(offset)
    }

    /// `write` of bytes that lie there: the kernel reads them, so that what is not mapped is an error and no signal.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside.
    pub fn write_out(&self, at: usize, length: usize, to: impl AsFd) -> Result<usize, Errno> {
        let end = at.checked_add(length);
        assert!(end.is_some_and(|end| end <= self.length), "{length} bytes at {at} of {}", self.length);
        let place: *const libc::c_void = std::ptr::with_exposed_provenance(self.start + at);
        // SAFETY: the kernel checks every byte that it reads, and changes none.
        let count = around(|| unsafe { libc::write(to.as_fd().as_raw_fd(), place, length) });
        Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
    }
}
