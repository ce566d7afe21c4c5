//! Memory whose end is known: a buffer in front of a page that nobody may touch, for cases about bad pointers.

use std::num::NonZero;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::sys::memory::page_size;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// A page that can be used, followed by one that cannot.
#[derive(Debug)]
pub struct Guarded {
    start: NonNull<libc::c_void>,
    page: usize,
}

impl Guarded {
    /// Maps the two pages.
    ///
    /// # Errors
    /// What `mmap` or `mprotect` answer.
    pub fn new() -> Result<Self, Errno> {
        let page = page_size();
        let length = NonZero::new(2 * page).ok_or(errno::EINVAL)?;
        // SAFETY: a new private mapping at an address that the system chooses touches no memory in use; the protection is
        // changed on its second page only.
        unsafe {
            let start = mmap_anonymous(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_PRIVATE)?;
            let guarded = Guarded { start, page };
            mprotect(start.byte_add(page), page, ProtFlags::PROT_NONE)?;
            Ok(guarded)
        }
    }

    /// The bytes of the usable page.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the first page is mapped readable and writable for as long as `self` lives, and borrowed mutably here.
        unsafe { std::slice::from_raw_parts_mut(self.start.cast::<u8>().as_ptr(), self.page) }
    }

    /// `read` into the last `good` usable bytes and `bad` bytes beyond them.
    ///
    /// # Errors
    /// What the system answers.
    pub fn read_across(&mut self, from: impl AsFd, good: usize, bad: usize) -> Result<usize, Errno> {
        let (address, length) = self.across(good, bad);
        // SAFETY: the kernel checks every byte that it writes; those it may write belong to `self`, borrowed mutably.
        let count = around(|| unsafe { libc::read(from.as_fd().as_raw_fd(), address, length) });
        Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
    }

    /// `write` from the last `good` usable bytes and `bad` bytes beyond them.
    ///
    /// # Errors
    /// What the system answers.
    pub fn write_across(&self, to: impl AsFd, good: usize, bad: usize) -> Result<usize, Errno> {
        let (address, length) = self.across(good, bad);
        // SAFETY: the kernel checks every byte that it reads; those it may read belong to `self`.
        let count = around(|| unsafe { libc::write(to.as_fd().as_raw_fd(), address, length) });
        Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
    }

    fn across(&self, good: usize, bad: usize) -> (*mut libc::c_void, usize) {
        let good = good.min(self.page);
        // SAFETY: stays inside the two pages of the mapping.
        (unsafe { self.start.byte_add(self.page - good) }.as_ptr(), good + bad)
    }

    /// An address that can be read or written for `good` bytes and not beyond, for calls that have no wrapper of their own.
    pub fn address(&self, good: usize) -> *mut libc::c_void {
        self.across(good, 0).0
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new`, and nothing borrows from it any more.
        let _ = unsafe { munmap(self.start, 2 * self.page) };
    }
}
