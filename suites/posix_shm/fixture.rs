//! Fixtures of this suite: names that are unlinked with their case, and shared memory objects that contain the pattern.

use conformance::prelude::*;
use conformance::sys::memory::region::{MapFlags, ProtFlags, Region};
use conformance::sys::memory::shm::{SharedMemory, shm_open, shm_unlink};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// `O_CREAT | O_RDWR`.
pub const CREATE: OFlag = OFlag::O_CREAT.union(OFlag::O_RDWR);

/// `O_CREAT | O_EXCL | O_RDWR`.
pub const CREATE_NEW: OFlag = CREATE.union(OFlag::O_EXCL);

/// `PROT_READ`.
pub const R: ProtFlags = ProtFlags::PROT_READ;

/// `PROT_READ | PROT_WRITE`.
pub const RW: ProtFlags = ProtFlags::PROT_READ.union(ProtFlags::PROT_WRITE);

/// `MAP_SHARED`.
pub const SHARED: MapFlags = MapFlags::MAP_SHARED;

/// `MAP_PRIVATE`.
pub const PRIVATE: MapFlags = MapFlags::MAP_PRIVATE;

/// Sets the soft limit `resource` of the calling process to `bytes`.
pub fn limit(resource: Resource, bytes: usize) -> Result<(), Errno> {
    let limit = libc::rlim_t::try_from(bytes).unwrap_or(libc::RLIM_INFINITY);
    let (_, hard) = getrlimit(resource)?;
    Ok(setrlimit(resource, limit, hard)?)
}

/// A name, with or without an object. The process that chose the name unlinks it at the end.
#[derive(Debug)]
pub struct Name {
    text: String,
    owner: u32,
}

impl Name {
    /// A unique name.
    pub fn new(prefix: &str) -> Self {
        Name::of(unique_name(prefix))
    }

    /// The given name.
    pub fn of(text: String) -> Self {
        Name { text, owner: std::process::id() }
    }

    /// The characters of the name.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `shm_open`.
    pub fn open(&self, flags: OFlag, mode: u32) -> Result<OwnedFd, Errno> {
        shm_open(&self.text, flags, mode)
    }

    /// `shm_open` of an existing object, and `close`.
    pub fn visit(&self, flags: OFlag) -> Result<(), Errno> {
        self.open(flags, 0).map(drop)
    }

    /// `shm_unlink`.
    pub fn unlink(&self) -> Result<(), Errno> {
        shm_unlink(&self.text)
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // Most cases have unlinked the name already.
            let _ = shm_unlink(&self.text);
        }
    }
}

/// An object of `count` pages that contain the pattern.
pub fn pages(count: usize) -> Result<SharedMemory, Errno> {
    sized(count * page_size())
}

/// An object of `size` bytes that contain the pattern.
pub fn sized(size: usize) -> Result<SharedMemory, Errno> {
    let object = SharedMemory::create(&unique_name("object"))?;
    object.set_size(size)?;
    object.map(size, Access::ReadWrite)?.write(0, &pattern(size));
    Ok(object)
}

/// Every byte of an object, read through a temporary mapping.
pub fn contents(object: impl AsFd) -> Result<Vec<u8>, Errno> {
    let size = size_of_object(object.as_fd())?;
    if size == 0 {
        return Ok(Vec::new());
    }
    Ok(Region::map(object, size, R, SHARED, 0)?.read(0, size))
}

/// `st_size`.
pub fn size_of_object(object: impl AsFd) -> Result<usize, Errno> {
    usize::try_from(fstat(object)?.st_size).map_err(|_| ERANGE)
}

/// A page filled with `byte`.
pub fn page_of(byte: u8) -> Vec<u8> {
    vec![byte; page_size()]
}
