//! Fixture for cases about files in memory: anonymous files (`memfd_create`), and tmpfs mounts so small that they can be filled.

use conformance::prelude::*;
use conformance::sys::memory::memfd::{MemoryFlags, Seals, memfd_create};
use conformance::sys::path::tmpfs::{Space, Tmpfs, own_mounts};

/// An anonymous file to which seals can be added (`MFD_ALLOW_SEALING`).
pub fn sealable() -> Result<OwnedFd, Failure> {
    with_flags(MemoryFlags::MFD_ALLOW_SEALING)
}

/// An anonymous file created with these flags. If the kernel does not know a flag the case is unsupported.
pub fn with_flags(flags: MemoryFlags) -> Result<OwnedFd, Failure> {
    let known = MemoryFlags::MFD_CLOEXEC | MemoryFlags::MFD_ALLOW_SEALING;
    match memfd_create(b"memory", flags) {
        Err(ENOSYS) => Err(Failure::unsupported("memfd_create", "ENOSYS")),
        Err(EINVAL) if !known.contains(flags) => Err(Failure::unsupported(&format!("{flags:?}"), "EINVAL")),
        other => Ok(other?),
    }
}

/// An anonymous file that holds these bytes and to which seals can be added; its offset is 0.
pub fn holding(bytes: &[u8]) -> Result<OwnedFd, Failure> {
    let file = sealable()?;
    let mut done = 0;
    while done < bytes.len() {
        done += pwrite(&file, &bytes[done..], offset(done))?;
    }
    Ok(file)
}

/// An anonymous file of `pages` pages, of which only those in `present` are allocated; the others are holes.
pub fn sparse(pages: usize, present: &[usize]) -> Result<OwnedFd, Failure> {
    let file = sealable()?;
    ftruncate(&file, offset(pages * page_size()))?;
    for &index in present {
        pwrite(&file, &vec![0xda; page_size()], offset(index * page_size()))?;
    }
    Ok(file)
}

/// A new file at a path, which holds these bytes; its offset is 0.
pub fn named(path: &Path, bytes: &[u8]) -> Result<OwnedFd, Errno> {
    let file = create(path, OFlag::O_RDWR | OFlag::O_EXCL, 0o600)?;
    pwrite(&file, bytes, 0)?;
    Ok(file)
}

/// All bytes of the file at a path.
pub fn under(path: &Path) -> Result<Vec<u8>, Errno> {
    content(open(path, OFlag::O_RDONLY)?)
}

/// All bytes of a file; the file offset stays as it was.
pub fn content(file: impl AsFd) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; size(file.as_fd())?];
    let mut done = 0;
    while done < bytes.len() {
        match pread(file.as_fd(), &mut bytes[done..], offset(done))? {
            0 => break,
            count => done += count,
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}

/// The size of a file.
pub fn size(file: impl AsFd) -> Result<usize, Errno> {
    usize::try_from(fstat(file)?.st_size).map_err(|_| ERANGE)
}

/// No seal.
pub const UNSEALED: Seals = Seals::empty();

/// The byte that [`Small::filled`] writes.
pub const FILLING: u8 = 0xf1;

/// A tmpfs mount of limited size, in the mount namespace of this case.
pub struct Small {
    mount: Tmpfs,
    directory: Scratch,
}

impl Small {
    /// A mount with these options, on a new directory.
    pub fn with(options: &str) -> Result<Self, Errno> {
        own_mounts()?;
        let directory = Scratch::new()?;
        Ok(Small { mount: Tmpfs::mount(directory.path(), options)?, directory })
    }

    /// A mount with these options on `/dev/shm`, where shared memory objects are kept.
    pub fn for_shared_memory(options: &str) -> Result<Self, Errno> {
        own_mounts()?;
        let directory = Scratch::new()?;
        Ok(Small { mount: Tmpfs::mount(Path::new("/dev/shm"), options)?, directory })
    }

    /// A mount of this many pages.
    pub fn of_pages(pages: usize) -> Result<Self, Errno> {
        Self::with(&format!("size={}", pages * page_size()))
    }

    /// The mounted file system.
    pub fn mount(&self) -> &Tmpfs {
        &self.mount
    }

    /// A path below the mount.
    pub fn join(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A new file on the mount, open for reading and writing.
    pub fn file(&self, name: &str) -> Result<OwnedFd, Errno> {
        create(&self.join(name), OFlag::O_RDWR | OFlag::O_EXCL, 0o600)
    }

    /// A new file on the mount with this many pages written; its offset is at the end.
    pub fn filled(&self, name: &str, pages: usize) -> Result<OwnedFd, Errno> {
        let file = self.file(name)?;
        write_all(&file, &vec![FILLING; pages * page_size()])?;
        Ok(file)
    }

    /// The number of free pages.
    pub fn free(&self) -> Result<u64, Errno> {
        self.mount.space().map(|Space { free, .. }| free)
    }

    /// The number of free inodes.
    pub fn free_inodes(&self) -> Result<u64, Errno> {
        self.mount.space().map(|Space { free_inodes, .. }| free_inodes)
    }
}
