//! File systems in memory, mounted where only the calling process and its children see them.

use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use crate::sys::Errno;
use crate::sys::point::around;

/// Gives the calling process mounts of its own: what it mounts from now on is seen by it and its children only, and ends with them.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`.
pub fn own_mounts() -> Result<(), Errno> {
    around(|| unshare(CloneFlags::CLONE_NEWNS))?;
    around(|| mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>))?;
    Ok(())
}

/// A mounted tmpfs; taken away on drop by the process that mounted it.
#[derive(Debug)]
pub struct Tmpfs {
    directory: PathBuf,
    owner: u32,
}

/// What `statvfs` says of space and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Space {
    /// Blocks in all; a block of a tmpfs is a page.
    pub blocks: u64,
    /// Blocks that are free.
    pub free: u64,
    /// Inodes in all.
    pub inodes: u64,
    /// Inodes that are free.
    pub free_inodes: u64,
}

impl Tmpfs {
    /// `mount` of a new tmpfs on a directory.
    ///
    /// # Errors
    /// What the system answers.
    pub fn mount(directory: &Path, options: &str) -> Result<Self, Errno> {
        around(|| mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), Some(options)))?;
        Ok(Tmpfs { directory: directory.to_owned(), owner: std::process::id() })
    }

    /// `mount` with `MS_REMOUNT`: other options for a file system that is in use.
    ///
    /// # Errors
    /// What the system answers.
    pub fn remount(&self, options: &str) -> Result<(), Errno> {
        Ok(around(|| mount(None::<&str>, &self.directory, None::<&str>, MsFlags::MS_REMOUNT, Some(options)))?)
    }

    /// `statvfs`.
    ///
    /// # Errors
    /// What the system answers.
    #[allow(clippy::useless_conversion, reason = "counts have 32 bits on some systems")]
    pub fn space(&self) -> Result<Space, Errno> {
        let seen = around(|| nix::sys::statvfs::statvfs(&self.directory))?;
        Ok(Space {
            blocks: seen.blocks().into(),
            free: seen.blocks_free().into(),
            inodes: seen.files().into(),
            free_inodes: seen.files_free().into(),
        })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // Whoever still uses it keeps it; where that fails, it ends with the process.
            let _ = umount2(&self.directory, MntFlags::MNT_DETACH);
        }
    }
}
