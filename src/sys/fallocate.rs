//! Space of files in memory: `fallocate`, and advice that takes pages away from an object.

use std::num::NonZero;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, mprotect};

use super::mapping::{Access, Mapping};
use super::point::around;
use super::{Errno, errno};

pub use nix::fcntl::FallocateFlags as Allocate;

/// `FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE`, which only go together.
pub const PUNCH: Allocate = Allocate::FALLOC_FL_KEEP_SIZE.union(Allocate::FALLOC_FL_PUNCH_HOLE);

/// `fallocate`.
///
/// # Errors
/// What the system answers.
pub fn fallocate(descriptor: impl AsFd, mode: Allocate, offset: i64, length: i64) -> Result<(), Errno> {
    Ok(around(|| nix::fcntl::fallocate(descriptor, mode, offset, length))?)
}

/// `pwritev`, once.
///
/// # Errors
/// What the system answers.
pub fn pwritev(to: impl AsFd, bytes: &[std::io::IoSlice<'_>], offset: i64) -> Result<usize, Errno> {
    Ok(around(|| nix::sys::uio::pwritev(to, bytes, offset))?)
}

/// `copy_file_range` with an offset at both sides.
///
/// # Errors
/// What the system answers.
pub fn copy_range(
    (from, from_offset): (impl AsFd, &mut i64),
    (to, to_offset): (impl AsFd, &mut i64),
    length: usize,
) -> Result<usize, Errno> {
    Ok(around(|| nix::fcntl::copy_file_range(from, Some(from_offset), to, Some(to_offset), length))?)
}

impl Mapping {
    /// `mmap` with `MAP_PRIVATE` of an object, from its beginning: what is written stays in the mapping.
    ///
    /// # Errors
    /// What the system answers.
    pub fn copy_on_write(of: impl AsFd, length: usize, access: Access) -> Result<Self, Errno> {
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        // SAFETY: a new mapping at an address that the system chooses touches no memory in use.
        let start = around(|| unsafe { mmap(None, size, protection(access), MapFlags::MAP_PRIVATE, of, 0) })?;
        // SAFETY: the range has just been mapped, and nobody else knows of it.
        Ok(unsafe { Mapping::adopt(start.cast(), length) })
    }

    /// `mmap` with `MAP_SHARED` of an object, from that offset on.
    ///
    /// # Errors
    /// What the system answers.
    pub fn from_offset(of: impl AsFd, offset: usize, length: usize, access: Access) -> Result<Self, Errno> {
        let size = NonZero::new(length).ok_or(errno::EINVAL)?;
        let offset = libc::off_t::try_from(offset).map_err(|_| errno::EOVERFLOW)?;
        // SAFETY: as for `copy_on_write`.
        let start = around(|| unsafe { mmap(None, size, protection(access), MapFlags::MAP_SHARED, of, offset) })?;
        // SAFETY: the range has just been mapped, and nobody else knows of it.
        Ok(unsafe { Mapping::adopt(start.cast(), length) })
    }

    /// `mprotect` of the whole mapping.
    ///
    /// # Errors
    /// What the system answers.
    pub fn allow(&self, access: Access) -> Result<(), Errno> {
        let start = std::ptr::NonNull::new(self.address::<u8>(0)).ok_or(errno::EFAULT)?;
        // SAFETY: the pages are this mapping's, whose bytes are only reached by volatile accesses and atomics; an access that is
        // not allowed any more raises a signal.
        Ok(around(|| unsafe { mprotect(start.cast(), self.length(), protection(access)) })?)
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
        assert!(offset + bytes.len() <= self.length(), "only what is mapped here may change");
        let memory = super::file::open(std::path::Path::new("/proc/self/mem"), nix::fcntl::OFlag::O_RDWR)?;
        let place = i64::try_from(self.address::<u8>(offset) as usize).map_err(|_| errno::EOVERFLOW)?;
        super::descriptor::pwrite(memory, bytes, place)
    }

    fn advise(&self, offset: usize, length: usize, advice: MmapAdvise) -> Result<(), Errno> {
        assert!(offset + length <= self.length(), "only what is mapped here can be given up");
        let start = std::ptr::NonNull::new(self.address::<u8>(offset)).ok_or(errno::EFAULT)?;
        // SAFETY: the range is inside this mapping, whose bytes may change at any time for those who read them.
        Ok(around(|| unsafe { madvise(start.cast(), length, advice) })?)
    }
}

fn protection(access: Access) -> ProtFlags {
    match access {
        Access::Read => ProtFlags::PROT_READ,
        Access::ReadWrite => ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
    }
}

/// Pages of memory that an object takes up, by `st_blocks`.
///
/// # Errors
/// What `fstat` answers.
pub fn pages_of(descriptor: impl AsFd) -> Result<usize, Errno> {
    let blocks = nix::sys::stat::fstat(descriptor)?.st_blocks;
    usize::try_from(blocks).map(|blocks| blocks * 512 / super::io::page_size()).map_err(|_| errno::ERANGE)
}

/// `open` of what a descriptor refers to, through its entry in `/proc`: a new open description.
///
/// # Errors
/// What the system answers.
pub fn reopen(descriptor: impl AsFd, flags: nix::fcntl::OFlag) -> Result<std::os::fd::OwnedFd, Errno> {
    let path = format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd());
    super::file::open(std::path::Path::new(&path), flags)
}
