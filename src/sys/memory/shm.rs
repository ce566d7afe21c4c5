//! POSIX shared memory: `shm_open`, `shm_unlink`, and the calls on the descriptor that cases need.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::sys::memory::mapping::{Access, Mapping};
use crate::sys::path::attributes::mode_of;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// An open shared memory object. Its name is removed on drop by the process that made (or adopted) it, and by no other.
#[derive(Debug)]
pub struct SharedMemory {
    name: String,
    descriptor: OwnedFd,
    /// The process that removes the name; 0: none.
    owner: u32,
}

impl SharedMemory {
    /// `shm_open` of a new object for reading and writing (`O_CREAT | O_EXCL | O_RDWR`, mode 0600).
    ///
    /// # Errors
    /// What the system answers.
    pub fn create(name: &str) -> Result<Self, Errno> {
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let descriptor = around(|| nix::sys::mman::shm_open(name, flags, mode))?;
        Ok(SharedMemory { name: name.to_owned(), descriptor, owner: std::process::id() })
    }

    /// `shm_open` of an object that exists.
    ///
    /// # Errors
    /// What the system answers.
    pub fn open(name: &str, access: Access) -> Result<Self, Errno> {
        let flags = match access {
            Access::Read => OFlag::O_RDONLY,
            Access::ReadWrite => OFlag::O_RDWR,
        };
        let descriptor = around(|| nix::sys::mman::shm_open(name, flags, Mode::empty()))?;
        Ok(SharedMemory { name: name.to_owned(), descriptor, owner: 0 })
    }

    /// As [`SharedMemory::open`] for reading and writing, and removes the name when dropped: the maker is gone.
    ///
    /// # Errors
    /// What the system answers.
    pub fn adopt(name: &str) -> Result<Self, Errno> {
        let mut adopted = SharedMemory::open(name, Access::ReadWrite)?;
        adopted.owner = std::process::id();
        Ok(adopted)
    }

    /// `ftruncate`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn set_size(&self, size: usize) -> Result<(), Errno> {
        let size = libc::off_t::try_from(size).map_err(|_| errno::EINVAL)?;
        Ok(around(|| nix::unistd::ftruncate(&self.descriptor, size))?)
    }

    /// `st_size` of `fstat`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn size(&self) -> Result<usize, Errno> {
        usize::try_from(around(|| nix::sys::stat::fstat(&self.descriptor))?.st_size).map_err(|_| errno::ERANGE)
    }

    /// `mmap` with `MAP_SHARED`, from the beginning.
    ///
    /// # Errors
    /// What the system answers.
    pub fn map(&self, length: usize, access: Access) -> Result<Mapping, Errno> {
        Mapping::new(&self.descriptor, length, access)
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl AsFd for SharedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // It may have been unlinked already, which is what a case may be about.
            let _ = nix::sys::mman::shm_unlink(self.name.as_str());
        }
    }
}

/// `shm_open`, with whatever flags and permission bits; the name may be any bytes.
///
/// # Errors
/// What the system answers.
pub fn shm_open(name: impl AsRef<OsStr>, flags: OFlag, mode: u32) -> Result<OwnedFd, Errno> {
    Ok(around(|| nix::sys::mman::shm_open(name.as_ref(), flags, mode_of(mode)))?)
}

/// `shm_unlink`.
///
/// # Errors
/// What the system answers.
pub fn shm_unlink(name: impl AsRef<OsStr>) -> Result<(), Errno> {
    Ok(around(|| nix::sys::mman::shm_unlink(name.as_ref()))?)
}
