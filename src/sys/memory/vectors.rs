//! Bad pointers in vectors, in arrays of segments, and where `pipe` stores its result.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use crate::sys::Errno;
use crate::sys::memory::guarded::Guarded;
use crate::sys::memory::page_size;
use crate::sys::point::around;

/// Most segments of a vector (`IOV_MAX`).
pub fn iov_max() -> usize {
    // SAFETY: `sysconf` has no preconditions.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_IOV_MAX) }).unwrap_or(16)
}

/// `readv` or `writev`.
type Vectored = unsafe extern "C" fn(RawFd, *const libc::iovec, libc::c_int) -> isize;

impl Guarded {
    /// `readv` into segments, each an offset from the first usable byte and a length. The page that nobody may touch begins at
    /// the offset [`page_size`].
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// A segment begins behind the first byte of that page.
    pub fn readv(&mut self, from: impl AsFd, segments: &[(usize, usize)]) -> Result<usize, Errno> {
        self.vectored(libc::readv, from, segments)
    }

    /// `writev` from segments, as for [`Guarded::readv`].
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// A segment begins behind the first byte of the page that nobody may touch.
    pub fn writev(&mut self, to: impl AsFd, segments: &[(usize, usize)]) -> Result<usize, Errno> {
        self.vectored(libc::writev, to, segments)
    }

    fn vectored(&mut self, call: Vectored, descriptor: impl AsFd, segments: &[(usize, usize)]) -> Result<usize, Errno> {
        let page = page_size();
        let vector: Vec<libc::iovec> = segments
            .iter()
            .map(|&(offset, length)| {
                assert!(offset <= page, "every segment begins in front of the page that nobody may touch, or with it");
                libc::iovec { iov_base: self.address(page - offset), iov_len: length }
            })
            .collect();
        let count = libc::c_int::try_from(vector.len()).map_err(|_| crate::sys::errno::EINVAL)?;
        // SAFETY: the array is live and has `count` entries. Whatever length an entry has, the kernel cannot move its bytes past
        // the page that nobody may touch, and what lies in front of it belongs to `self`, borrowed mutably.
        let moved = around(|| unsafe { call(descriptor.as_fd().as_raw_fd(), vector.as_ptr(), count) });
        Errno::result(moved).map(|moved| usize::try_from(moved).unwrap_or(0))
    }

    /// `readv` with an array whose first `good` entries can be read by the kernel, each one usable byte, and `bad` more cannot.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// So many entries do not fit into the usable page.
    pub fn readv_array_across(&mut self, from: impl AsFd, good: usize, bad: usize) -> Result<usize, Errno> {
        self.array_across(libc::readv, from, good, bad)
    }

    /// `writev`, as for [`Guarded::readv_array_across`].
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// So many entries do not fit into the usable page.
    pub fn writev_array_across(&mut self, to: impl AsFd, good: usize, bad: usize) -> Result<usize, Errno> {
        self.array_across(libc::writev, to, good, bad)
    }

    #[track_caller]
    fn array_across(&mut self, call: Vectored, descriptor: impl AsFd, good: usize, bad: usize) -> Result<usize, Errno> {
        assert!(good <= page_size() / size_of::<libc::iovec>(), "{good} entries do not fit into a page");
        let array = self.address(good * size_of::<libc::iovec>()).cast::<libc::iovec>();
        let count = libc::c_int::try_from(good + bad).map_err(|_| crate::sys::errno::EINVAL)?;
        let entry = libc::iovec { iov_base: self.address(page_size()), iov_len: 1 };
        // SAFETY: `good` entries fit into the usable page of `self`, borrowed mutably, and so does their one byte at the other end of
        // it; the page's end is aligned for anything. The kernel checks what lies beyond, and refuses it.
        let moved = unsafe {
            for index in 0..good {
                array.add(index).write(entry);
            }
            around(|| call(descriptor.as_fd().as_raw_fd(), array, count))
        };
        Errno::result(moved).map(|moved| usize::try_from(moved).unwrap_or(0))
    }

    /// `pipe` that is to store its two numbers where only the first `good` bytes can be written.
    ///
    /// # Errors
    /// `EFAULT`, unless the system is wrong.
    #[cfg(linux)]
    pub fn pipe_into(&mut self, good: usize) -> Result<(), Errno> {
        // SAFETY: the kernel checks every byte that it writes; those it may write belong to `self`, borrowed mutably.
        Errno::result(around(|| unsafe { libc::pipe(self.address(good).cast()) })).map(drop)
    }

    /// The system call `pipe` itself, as for [`Guarded::pipe_into`].
    ///
    /// # Errors
    /// `EFAULT`, unless the system is wrong.
    #[cfg(has_old_pipe)]
    pub fn old_pipe_into(&mut self, good: usize) -> Result<(), Errno> {
        // SAFETY: as for `pipe_into`.
        Errno::result(around(|| unsafe { libc::syscall(libc::SYS_pipe, self.address(good)) })).map(drop)
    }

    /// `pipe2`, as for [`Guarded::pipe_into`].
    ///
    /// # Errors
    /// `EFAULT`, unless the system is wrong.
    #[cfg(linux)]
    pub fn pipe2_into(&mut self, good: usize, flags: nix::fcntl::OFlag) -> Result<(), Errno> {
        // SAFETY: as for `pipe_into`.
        Errno::result(around(|| unsafe { libc::pipe2(self.address(good).cast(), flags.bits()) })).map(drop)
    }
}
