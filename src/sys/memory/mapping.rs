//! Mappings, shared ones mostly. What others change under one's hands is no slice: it is read and written byte by byte, as atomics.

#[cfg(linux)]
mod advice;
mod fault;

use std::num::NonZero;
use std::os::fd::AsFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use nix::sys::signal::Signal;

pub use fault::{BUS_ADRERR, Faults, SEGV_ACCERR, SEGV_MAPERR, faults};
pub(super) use fault::{catch, forget};

use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// Size of a page of memory.
pub fn page_size() -> usize {
    // SAFETY: `sysconf` has no preconditions.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// `mmap` of one page, readable and shared, and `munmap` where that succeeds.
///
/// # Errors
/// What `mmap` answers.
pub fn map_page(descriptor: impl AsFd) -> Result<(), Errno> {
    Mapping::new(descriptor, page_size(), Access::Read).map(drop)
}

/// What a mapping may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `PROT_READ`.
    Read,
    /// `PROT_READ | PROT_WRITE`.
    ReadWrite,
}

impl Access {
    fn protection(self) -> ProtFlags {
        match self {
            Access::Read => ProtFlags::PROT_READ,
            Access::ReadWrite => ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        }
    }
}

/// Memory that others see too: other processes, or only the threads of this one where the mapping is private. It is unmapped when
/// dropped. A forked child has it as well, or a copy of it.
///
/// An access that the kernel refuses, as the object has become shorter or the mapping may only be read, raises a signal and
/// changes nothing.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

impl Mapping {
    /// `mmap` with `MAP_SHARED` of an object, from its beginning.
    ///
    /// # Errors
    /// What the system answers.
    pub fn new(of: impl AsFd, length: usize, access: Access) -> Result<Self, Errno> {
        Self::of(of, 0, length, access, MapFlags::MAP_SHARED)
    }

    /// `mmap` with `MAP_SHARED` of an object, from that offset on.
    ///
    /// # Errors
    /// What the system answers.
    pub fn from_offset(of: impl AsFd, offset: usize, length: usize, access: Access) -> Result<Self, Errno> {
        Self::of(of, offset, length, access, MapFlags::MAP_SHARED)
    }

    /// `mmap` with `MAP_PRIVATE` of an object, from its beginning: what is written stays in the mapping.
    ///
    /// # Errors
    /// What the system answers.
    pub fn copy_on_write(of: impl AsFd, length: usize, access: Access) -> Result<Self, Errno> {
        Self::of(of, 0, length, access, MapFlags::MAP_PRIVATE)
    }

    /// `mmap` with `MAP_SHARED | MAP_ANONYMOUS`: shared with the participants that are forked later.
    ///
    /// # Errors
    /// What the system answers.
    pub fn anonymous(length: usize) -> Result<Self, Errno> {
        Self::without_object(length, MapFlags::MAP_SHARED)
    }

    /// `mmap` with `MAP_PRIVATE | MAP_ANONYMOUS`: shared with the threads of this process only; a forked child has a copy.
    ///
    /// # Errors
    /// What the system answers.
    pub fn private(length: usize) -> Result<Self, Errno> {
        Self::without_object(length, MapFlags::MAP_PRIVATE)
    }

    fn of(of: impl AsFd, offset: usize, length: usize, access: Access, kind: MapFlags) -> Result<Self, Errno> {
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        let offset = libc::off_t::try_from(offset).map_err(|_| errno::EOVERFLOW)?;
        // SAFETY: a new mapping at an address that the system chooses touches no memory in use.
        let start = around(|| unsafe { mmap(None, size, access.protection(), kind, of, offset) })?;
        Ok(Mapping { start: start.cast(), length })
    }

    fn without_object(length: usize, kind: MapFlags) -> Result<Self, Errno> {
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        // SAFETY: as for `of`.
        let start = around(|| unsafe { mmap_anonymous(None, size, Access::ReadWrite.protection(), kind) })?;
        Ok(Mapping { start: start.cast(), length })
    }

    /// Length as it was asked for.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The bytes from `offset` on. Those of a word that others change meanwhile may be old and new ones.
    ///
    /// # Panics
    /// The range is not inside the mapping.
    pub fn read(&self, offset: usize, length: usize) -> Vec<u8> {
        self.bytes(offset, length).iter().map(|byte| byte.load(Ordering::Relaxed)).collect()
    }

    /// Puts bytes at `offset`.
    ///
    /// # Panics
    /// The range is not inside the mapping.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        for (place, &byte) in self.bytes(offset, bytes.len()).iter().zip(bytes) {
            place.store(byte, Ordering::Relaxed);
        }
    }

    /// The aligned word with that index.
    ///
    /// # Panics
    /// It is not inside the mapping.
    pub fn word(&self, index: usize) -> &AtomicU32 {
        let offset = index.saturating_mul(size_of::<AtomicU32>());
        // SAFETY: `address` has checked that it is inside the mapping, which lives as long as `self`; a mapping starts at a page, so
        // that its words are aligned, and every bit pattern is a valid atomic. Bytes of a mapping are only ever atomics.
        unsafe { &*self.address::<AtomicU32>(offset) }
    }

    /// Where the byte at `offset` is, for an object of the C library that is to live there.
    ///
    /// # Panics
    /// There is no room for a `T` inside the mapping.
    pub(in crate::sys) fn address<T>(&self, offset: usize) -> *mut T {
        self.check(offset, size_of::<T>());
        // SAFETY: checked to be inside the mapping.
        unsafe { self.start.add(offset).cast().as_ptr() }
    }

    fn bytes(&self, offset: usize, length: usize) -> &[AtomicU8] {
        self.check(offset, length);
        // SAFETY: checked to be inside the mapping, which lives as long as `self`; no reference to these bytes is ever given out but
        // to atomics.
        unsafe { std::slice::from_raw_parts(self.start.add(offset).cast().as_ptr(), length) }
    }

    fn check(&self, offset: usize, length: usize) {
        let end = offset.checked_add(length);
        assert!(end.is_some_and(|end| end <= self.length), "{length} bytes at {offset} of a mapping of {}", self.length);
    }

    /// Catches a fault signal in the calling process: a fault inside this mapping is recorded (see [`faults`]) and the page that it
    /// happened in replaced by one of zeroes, so that the access succeeds; any other fault ends the process. One mapping at a time,
    /// until it is dropped.
    ///
    /// # Errors
    /// What `sigaction` answers.
    pub fn outlive(&self, fault: Signal) -> Result<(), Errno> {
        catch(self.start, self.length, Vec::new(), fault)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        forget(self.start);
        // SAFETY: the range was mapped by `mmap` for this owner only, and nothing borrowed from it is left.
        let unmapped = unsafe { munmap(self.start.cast(), self.length) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_words_are_the_same_memory() {
        let mapping = Mapping::private(page_size()).unwrap();
        mapping.write(4, &0x0102_0304_u32.to_ne_bytes());
        assert_eq!(mapping.word(1).load(Ordering::Relaxed), 0x0102_0304);
        mapping.word(2).store(7, Ordering::Relaxed);
        assert_eq!(mapping.read(8, 4), 7_u32.to_ne_bytes());
    }

    #[test]
    fn nothing_outside_can_be_reached() {
        let mapping = Mapping::private(64).unwrap();
        let refused = |body: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_err();
        assert!(refused(&|| drop(mapping.read(60, 5))));
        assert!(refused(&|| mapping.write(usize::MAX, b"1")));
        assert!(refused(&|| _ = mapping.word(16)));
        // Where the offset in bytes would wrap around.
        assert!(refused(&|| _ = mapping.word(usize::MAX / 4 + 1)));
        assert!(!refused(&|| drop(mapping.read(0, 64))));
    }

    #[test]
    fn a_dropped_mapping_is_not_watched_any_more() {
        let mapping = Mapping::private(page_size()).unwrap();
        let start = mapping.start;
        mapping.outlive(Signal::SIGBUS).unwrap();
        assert!(fault::watched(start));
        drop(mapping);
        assert!(!fault::watched(start));
    }
}
