//! [`Scratch`]: a temporary directory that only its maker removes.

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::names;
use crate::sys::Errno;

/// A directory below the case's own. A forked child has a copy of the owner, and must not remove what its parent still uses:
/// the directory goes only when it is dropped in the process that made it.
#[derive(Debug)]
pub struct Scratch {
    directory: ManuallyDrop<TempDir>,
    owner: u32,
}

impl Scratch {
    /// Makes a fresh directory in the running case's, or in the ambient temporary directory where no case runs.
    ///
    /// # Errors
    /// That of `mkdir(2)`.
    pub fn new() -> Result<Self, Errno> {
        let parent = names::case_directory().unwrap_or_else(std::env::temp_dir);
        let directory = tempfile::Builder::new().prefix("scratch-").tempdir_in(parent)?;
        Ok(Scratch { directory: ManuallyDrop::new(directory), owner: std::process::id() })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A path in the directory.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            let _ = std::fs::remove_dir_all(self.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_removed_by_its_maker_only() {
        let (mine, mut inherited) = (Scratch::new().unwrap(), Scratch::new().unwrap());
        std::fs::write(mine.join("file"), "text").unwrap();
        inherited.owner = 0;
        let paths = [&mine, &inherited].map(|scratch| scratch.path().to_owned());
        drop((mine, inherited));
        assert_eq!(paths.each_ref().map(|path| path.exists()), [false, true]);
        std::fs::remove_dir(&paths[1]).unwrap();
    }
}
