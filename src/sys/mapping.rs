//! Mappings, shared ones mostly. What others change under one's hands is no slice: it is read and written piece by piece.

use std::num::NonZero;
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::io::page_size;
use super::point::around;
use super::{Errno, errno};

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
#[derive(Debug)]
pub struct Mapping {
    pub(super) start: NonNull<u8>,
    pub(super) length: usize,
}

impl Mapping {
    /// `mmap` with `MAP_SHARED` of an object, from its beginning.
    ///
    /// # Errors
    /// What the system answers.
    pub fn new(of: impl AsFd, length: usize, access: Access) -> Result<Self, Errno> {
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        // SAFETY: a new mapping at an address that the system chooses touches no memory in use.
        let start = around(|| unsafe { mmap(None, size, access.protection(), MapFlags::MAP_SHARED, of, 0) })?;
        Ok(Mapping { start: start.cast(), length })
    }

    /// `mmap` with `MAP_SHARED | MAP_ANONYMOUS`: shared with the participants that are forked later.
    ///
    /// # Errors
    /// What the system answers.
    pub fn anonymous(length: usize) -> Result<Self, Errno> {
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        // SAFETY: as for `new`.
        let start = unsafe { mmap_anonymous(None, size, Access::ReadWrite.protection(), MapFlags::MAP_SHARED) }?;
        Ok(Mapping { start: start.cast(), length })
    }

    /// `mmap` with `MAP_PRIVATE | MAP_ANONYMOUS`: shared with the threads of this process only; a forked child has a copy.
    ///
    /// # Errors
    /// What the system answers.
    pub fn private(length: usize) -> Result<Self, Errno> {
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        // SAFETY: as for `new`.
        let start = unsafe { mmap_anonymous(None, size, Access::ReadWrite.protection(), MapFlags::MAP_PRIVATE) }?;
        Ok(Mapping { start: start.cast(), length })
    }

    /// `mmap` with `MAP_PRIVATE` of an object, from its beginning: a copy of what is written to.
    ///
    /// # Errors
    /// What the system answers.
    pub fn private_copy(of: impl AsFd, length: usize) -> Result<Self, Errno> {
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        // SAFETY: as for `new`.
        let start = unsafe { mmap(None, size, Access::ReadWrite.protection(), MapFlags::MAP_PRIVATE, of, 0) }?;
        Ok(Mapping { start: start.cast(), length })
    }

    /// Length as it was asked for.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The bytes from `offset` on.
    ///
    /// # Panics
    /// The range is not inside the mapping.
    pub fn read(&self, offset: usize, length: usize) -> Vec<u8> {
        self.check(offset, length);
        // SAFETY: checked to be inside the mapping, which lives as long as `self`. Reads are volatile as others may write; where
        // the object has become shorter the kernel raises a signal.
        (offset..offset + length).map(|index| unsafe { self.start.add(index).read_volatile() }).collect()
    }

    /// Puts bytes at `offset`. Where the mapping may only be read, the kernel raises a signal.
    ///
    /// # Panics
    /// The range is not inside the mapping.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        self.check(offset, bytes.len());
        for (index, &byte) in bytes.iter().enumerate() {
            // SAFETY: as for `read`; no reference to these bytes is ever given out, but for atomics.
            unsafe { self.start.add(offset + index).write_volatile(byte) };
        }
    }

    /// The aligned word with that index.
    ///
    /// # Panics
    /// It is not inside the mapping.
    pub fn word(&self, index: usize) -> &AtomicU32 {
        self.check(index * size_of::<AtomicU32>(), size_of::<AtomicU32>());
        // SAFETY: checked to be inside; a mapping starts at a page, so that its words are aligned; it lives as long as `self`, and
        // every bit pattern is a valid atomic.
        unsafe { self.start.cast::<AtomicU32>().add(index).as_ref() }
    }

    /// The owner of a range that was mapped in another way.
    ///
    /// # Safety
    /// The range has been mapped whole, and nobody else unmaps it or holds references into it.
    #[cfg(linux)]
    pub(super) unsafe fn adopt(start: NonNull<u8>, length: usize) -> Self {
        Mapping { start, length }
    }

    /// Where the byte at `offset` is, for an object of the C library that is to live there.
    pub(super) fn address<T>(&self, offset: usize) -> *mut T {
        self.check(offset, size_of::<T>());
        // SAFETY: checked to be inside the mapping.
        unsafe { self.start.add(offset).cast().as_ptr() }
    }

    fn check(&self, offset: usize, length: usize) {
        let end = offset.checked_add(length);
        assert!(end.is_some_and(|end| end <= self.length), "{length} bytes at {offset} of a mapping of {}", self.length);
    }

    /// Catches a fault signal in the calling process: a fault inside this mapping is recorded and the page that it happened in
    /// replaced by one of zeroes, so that the access succeeds; any other fault ends the process. One mapping at a time.
    ///
    /// # Errors
    /// What `sigaction` answers.
    pub fn outlive(&self, fault: Signal) -> Result<(), Errno> {
        START.store(self.start.as_ptr() as usize, Ordering::Relaxed);
        LENGTH.store(self.length, Ordering::Relaxed);
        PAGE.store(page_size(), Ordering::Relaxed);
        let action = SigAction::new(SigHandler::SigAction(replace_page), SaFlags::SA_SIGINFO, SigSet::empty());
        // SAFETY: the handler uses atomics and system calls only.
        unsafe { sigaction(fault, &action)? };
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `mmap` for this owner only, and nothing borrowed from it is left.
        let unmapped = unsafe { munmap(self.start.cast(), self.length) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

/// `si_code` of a `SIGBUS` for an address that exists no more.
pub const BUS_ADRERR: i32 = libc::BUS_ADRERR;

/// `si_code` of a `SIGSEGV` for a page that is mapped and may not be used that way.
pub const SEGV_ACCERR: i32 = 2;

/// `si_code` of a `SIGSEGV` for an address where nothing is mapped.
pub const SEGV_MAPERR: i32 = 1;

/// The faults that a process has outlived (see [`Mapping::outlive`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Faults {
    /// How many.
    pub count: u32,
    /// `si_code` of the last.
    pub code: i32,
    /// `si_addr` of the last, as an offset into the mapping.
    pub offset: usize,
}

/// The faults that the calling process has outlived so far.
pub fn faults() -> Faults {
    Faults { count: COUNT.load(Ordering::Relaxed), code: CODE.load(Ordering::Relaxed), offset: OFFSET.load(Ordering::Relaxed) }
}

static START: AtomicUsize = AtomicUsize::new(0);
static LENGTH: AtomicUsize = AtomicUsize::new(0);
static PAGE: AtomicUsize = AtomicUsize::new(0);
static COUNT: AtomicU32 = AtomicU32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static OFFSET: AtomicUsize = AtomicUsize::new(0);

extern "C" fn replace_page(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid structure, and for a fault signal `si_addr` is its member.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    let offset = address.wrapping_sub(START.load(Ordering::Relaxed));
    let page = PAGE.load(Ordering::Relaxed);
    let replaced = offset < LENGTH.load(Ordering::Relaxed) && {
        let first = ptr::with_exposed_provenance_mut(address - address % page);
        let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANON;
        // SAFETY: the page belongs to the mapping that was handed to `outlive`, whose bytes are only ever reached by volatile
        // accesses and atomics; the call is a plain system call.
        let new = unsafe { libc::mmap(first, page, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        new != libc::MAP_FAILED
    };
    if replaced {
        COUNT.fetch_add(1, Ordering::Relaxed);
        CODE.store(code, Ordering::Relaxed);
        OFFSET.store(offset, Ordering::Relaxed);
    } else {
        // The access faults again after the return, and that ends the process.
        // SAFETY: `signal` is async-signal-safe, and the default is a valid disposition.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}
