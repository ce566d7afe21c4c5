//! The fixture of the topics about files in memory: files without a name, and small file systems that can be filled up.

use conformance::prelude::*;
use conformance::sys::memory::memfd::{MemoryFlags, Seals, memfd_create};
use conformance::sys::path::tmpfs::{Space, Tmpfs, own_mounts};

/// A file without a name, to which seals can be added.
pub fn sealable() -> Result<OwnedFd, Failure> {
    with_flags(MemoryFlags::MFD_ALLOW_SEALING)
}

/// A file without a name, with these flags; those that a kernel does not know make the case unsupported.
pub fn with_flags(flags: MemoryFlags) -> Result<OwnedFd, Failure> {
    let known = MemoryFlags::MFD_CLOEXEC | MemoryFlags::MFD_ALLOW_SEALING;
    match memfd_create(b"memory", flags) {
        Err(ENOSYS) => Err(Failure::unsupported("memfd_create", "ENOSYS")),
        Err(EINVAL) if !known.contains(flags) => Err(Failure::unsupported(&format!("{flags:?}"), "EINVAL")),
        other => Ok(other?),
    }
}

/// A file without a name that holds these bytes and to which seals can be added; its position is 0.
pub fn holding(bytes: &[u8]) -> Result<OwnedFd, Failure> {
    let file = sealable()?;
    let mut done = 0;
    while done < bytes.len() {
        done += pwrite(&file, &bytes[done..], offset(done))?;
    }
    Ok(file)
}

/// A file of so many pages, of which only those have memory.
pub fn sparse(pages: usize, present: &[usize]) -> Result<OwnedFd, Failure> {
    let file = sealable()?;
    ftruncate(&file, offset(pages * page_size()))?;
    for &index in present {
        pwrite(&file, &vec![0xda; page_size()], offset(index * page_size()))?;
    }
    Ok(file)
}

/// A new file under a name, which holds these bytes; its position is 0.
pub fn named(path: &Path, bytes: &[u8]) -> Result<OwnedFd, Errno> {
    let file = create(path, OFlag::O_RDWR | OFlag::O_EXCL, 0o600)?;
    pwrite(&file, bytes, 0)?;
    Ok(file)
}

/// What stands under a name.
pub fn under(path: &Path) -> Result<Vec<u8>, Errno> {
    content(open(path, OFlag::O_RDONLY)?)
}

/// All bytes of a file; its position stays.
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

/// A number of bytes as an offset into a file.
pub fn offset(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// No seals at all.
pub const UNSEALED: Seals = Seals::empty();

/// What [`Small::filled`] writes.
pub const FILLING: u8 = 0xf1;

/// A file system in memory of a limited size, seen by this case only.
pub struct Small {
    mount: Tmpfs,
    directory: Scratch,
}

impl Small {
    /// With mount options.
    pub fn with(options: &str) -> Result<Self, Errno> {
        own_mounts()?;
        let directory = Scratch::new()?;
        Ok(Small { mount: Tmpfs::mount(directory.path(), options)?, directory })
    }

    /// With mount options, in the place where named shared memory is kept, which holds nothing else then.
    pub fn for_shared_memory(options: &str) -> Result<Self, Errno> {
        own_mounts()?;
        let directory = Scratch::new()?;
        Ok(Small { mount: Tmpfs::mount(Path::new("/dev/shm"), options)?, directory })
    }

    /// Of so many pages.
    pub fn of_pages(pages: usize) -> Result<Self, Errno> {
        Self::with(&format!("size={}", pages * page_size()))
    }

    /// The mounted file system.
    pub fn mount(&self) -> &Tmpfs {
        &self.mount
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A new file in it, open for both ways.
    pub fn file(&self, name: &str) -> Result<OwnedFd, Errno> {
        create(&self.join(name), OFlag::O_RDWR | OFlag::O_EXCL, 0o600)
    }

    /// A new file in it of so many pages, which are written; its position is at its end.
    pub fn filled(&self, name: &str, pages: usize) -> Result<OwnedFd, Errno> {
        let file = self.file(name)?;
        write_all(&file, &vec![FILLING; pages * page_size()])?;
        Ok(file)
    }

    /// Free pages.
    pub fn free(&self) -> Result<u64, Errno> {
        self.mount.space().map(|Space { free, .. }| free)
    }

    /// Free inodes.
    pub fn free_inodes(&self) -> Result<u64, Errno> {
        self.mount.space().map(|Space { free_inodes, .. }| free_inodes)
    }
}
