//! Size and space of what a descriptor refers to: truncation, allocation, synchronisation.

use std::os::fd::AsFd;

use crate::sys::Errno;
#[cfg(linux)]
use crate::sys::errno;
use crate::sys::point::around;

/// `ftruncate`.
///
/// # Errors
/// What the system answers.
pub fn ftruncate(descriptor: impl AsFd, length: i64) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::ftruncate(descriptor, length))?)
}

/// `fsync`.
///
/// # Errors
/// What the system answers.
pub fn fsync(descriptor: impl AsFd) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::fsync(descriptor))?)
}

/// `fdatasync`.
///
/// # Errors
/// What the system answers.
#[cfg(not(apple))]
pub fn fdatasync(descriptor: impl AsFd) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::fdatasync(descriptor))?)
}

/// `posix_fallocate`.
///
/// # Errors
/// The number that it returns.
#[cfg(not(apple))]
pub fn posix_fallocate(descriptor: impl AsFd, offset: i64, length: i64) -> Result<(), Errno> {
    Ok(around(|| nix::fcntl::posix_fallocate(descriptor, offset, length))?)
}

#[cfg(linux)]
pub use nix::fcntl::FallocateFlags as Allocate;

/// `FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE`, which only go together.
#[cfg(linux)]
pub const PUNCH: Allocate = Allocate::FALLOC_FL_KEEP_SIZE.union(Allocate::FALLOC_FL_PUNCH_HOLE);

/// `fallocate`.
///
/// # Errors
/// What the system answers.
#[cfg(linux)]
pub fn fallocate(descriptor: impl AsFd, mode: Allocate, offset: i64, length: i64) -> Result<(), Errno> {
    Ok(around(|| nix::fcntl::fallocate(descriptor, mode, offset, length))?)
}

/// Pages of memory that an object takes up, by `st_blocks`.
///
/// # Errors
/// What `fstat` answers.
#[cfg(linux)]
pub fn pages_of(descriptor: impl AsFd) -> Result<usize, Errno> {
    let blocks = around(|| nix::sys::stat::fstat(descriptor))?.st_blocks;
    usize::try_from(blocks).map(|blocks| blocks * 512 / crate::sys::memory::page_size()).map_err(|_| errno::ERANGE)
}
