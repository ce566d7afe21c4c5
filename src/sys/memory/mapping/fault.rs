//! Faults that a process outlives: the page is replaced by one of zeroes in the signal's handler.

use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::page_size;
use crate::sys::Errno;
use crate::sys::point::around;

/// `si_code` of a `SIGBUS` for an address that exists no more.
pub const BUS_ADRERR: i32 = libc::BUS_ADRERR;

/// `si_code` of a `SIGSEGV` for a page that is mapped and may not be used that way.
pub const SEGV_ACCERR: i32 = 2;

/// `si_code` of a `SIGSEGV` for an address where nothing is mapped.
pub const SEGV_MAPERR: i32 = 1;

/// The faults that a process has outlived (see [`Mapping::outlive`](super::Mapping::outlive)).
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

/// What the handler may replace pages of.
struct Watched {
    start: usize,
    length: usize,
    page: usize,
    /// Parts that are not the mapping's: a page may be put there only where nothing is.
    holes: Vec<Range<usize>>,
}

/// The range that is watched, or null. Never freed: a handler may be looking at it.
static WATCHED: AtomicPtr<Watched> = AtomicPtr::new(ptr::null_mut());

static COUNT: AtomicU32 = AtomicU32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static OFFSET: AtomicUsize = AtomicUsize::new(0);

/// Catches a fault signal: those inside the range are outlived. The owner of the range calls [`forget`] before it gives the range,
/// or a part of it, away.
pub(in crate::sys::memory) fn catch(
    start: NonNull<u8>,
    length: usize,
    holes: Vec<Range<usize>>,
    fault: Signal,
) -> Result<(), Errno> {
    let watched = Watched { start: start.as_ptr().expose_provenance(), length, page: page_size(), holes };
    WATCHED.store(Box::into_raw(Box::new(watched)), Ordering::Release);
    let action = SigAction::new(SigHandler::SigAction(replace_page), SaFlags::SA_SIGINFO, SigSet::empty());
    // SAFETY: the handler uses atomics, memory that is never freed, and system calls only.
    around(|| unsafe { sigaction(fault, &action) })?;
    Ok(())
}

/// The range that begins there is not watched any more, if it was.
pub(in crate::sys::memory) fn forget(start: NonNull<u8>) {
    let current = WATCHED.load(Ordering::Acquire);
    if is_at(current, start) {
        // Another thread may have another range watched by now, which stays.
        let _ = WATCHED.compare_exchange(current, ptr::null_mut(), Ordering::AcqRel, Ordering::Relaxed);
    }
}

fn is_at(watched: *const Watched, start: NonNull<u8>) -> bool {
    // SAFETY: null, or made by `catch` and never freed.
    unsafe { watched.as_ref() }.is_some_and(|watched| watched.start == start.as_ptr().addr())
}

/// Whether the range that begins there is watched.
#[cfg(test)]
pub(super) fn watched(start: NonNull<u8>) -> bool {
    is_at(WATCHED.load(Ordering::Acquire), start)
}

extern "C" fn replace_page(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let saved = nix::errno::Errno::last_raw();
    // SAFETY: with SA_SIGINFO the kernel passes a valid structure, and for a fault signal `si_addr` is its member.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    // SAFETY: null, or made by `catch` and never freed.
    let watched = unsafe { WATCHED.load(Ordering::Acquire).as_ref() };
    // A code that is not positive is that of a signal that somebody sent: there is no address.
    if let Some(offset) = watched.filter(|_| code > 0).and_then(|watched| put_page(watched, address)) {
        COUNT.fetch_add(1, Ordering::Relaxed);
        CODE.store(code, Ordering::Relaxed);
        OFFSET.store(offset, Ordering::Relaxed);
    } else {
        // The access faults again after the return, and that ends the process.
        // SAFETY: `signal` is async-signal-safe, and the default is a valid disposition.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    nix::errno::Errno::set_raw(saved);
}

/// Puts a page of zeroes around the address, if that is inside the range: its offset.
fn put_page(watched: &Watched, address: usize) -> Option<usize> {
    let offset = address.wrapping_sub(watched.start);
    if offset >= watched.length {
        return None;
    }
    let first: *mut libc::c_void = ptr::with_exposed_provenance_mut(address - address % watched.page);
    let in_hole = watched.holes.iter().any(|hole| hole.contains(&offset));
    let fixed = if in_hole { 0 } else { libc::MAP_FIXED };
    let flags = fixed | libc::MAP_PRIVATE | libc::MAP_ANON;
    // SAFETY: outside the holes the page belongs to the mapping that was handed to `catch` and is not given away yet, whose bytes
    // are only ever reached as atomics or by volatile accesses. In a hole the address is a hint: the system chooses another one where
    // something is mapped. The call is a plain system call.
    let new = unsafe { libc::mmap(first, watched.page, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if new == first {
        return Some(offset);
    }
    if new != libc::MAP_FAILED {
        // SAFETY: nothing has been made of this address.
        unsafe { libc::munmap(new, watched.page) };
    }
    None
}
