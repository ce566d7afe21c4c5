//! Directories: the case's own, and those in which names of objects show.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::sandbox::leak::{Leak, LeakKind};
use crate::sys::Errno;

/// An open directory, and what was in it before the case.
#[derive(Debug)]
pub struct Listing {
    path: PathBuf,
    directory: Dir,
    before: HashSet<OsString>,
}

impl Listing {
    /// Opens a directory whose entries are all the worker's. What is in it now belongs to the worker itself.
    pub fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = Dir::open(path, flags, Mode::empty())?;
        let mut listing = Listing { path: path.to_owned(), directory, before: HashSet::new() };
        listing.begin();
        Ok(listing)
    }

    /// Takes note of what is there.
    pub fn begin(&mut self) {
        let now = self.entries();
        self.before.clear();
        self.before.extend(now);
    }

    /// Reports and removes what is new.
    pub fn audit(&mut self, leaks: &mut Vec<Leak>, describe: impl Fn(&str, LeakKind) -> Leak) {
        for name in self.entries() {
            if self.before.contains(&name) {
                continue;
            }
            let path = self.path.join(&name);
            let kind = kind_of(&path);
            leaks.push(describe(&name.to_string_lossy(), kind));
            remove(&path, kind);
        }
    }

    /// Names in the directory. Reading starts over each time: the iterator rewinds when it is dropped.
    fn entries(&mut self) -> Vec<OsString> {
        let names =
            self.directory.iter().filter_map(Result::ok).map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned());
        names.filter(|name| name != "." && name != "..").collect()
    }
}

/// Removes a case's directory, reporting what is in it. An empty one costs a single call.
pub fn remove_tree(path: &Path, called: &str, leaks: &mut Vec<Leak>) {
    if fs::remove_dir(path).is_ok() {
        return;
    }
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.filter_map(Result::ok) {
        let kind = kind_of(&entry.path());
        leaks.push(Leak::new(kind, format!("{} in {called}", entry.file_name().to_string_lossy())));
    }
    let _ = fs::remove_dir_all(path);
}

fn remove(path: &Path, kind: LeakKind) {
    let _ = if kind == LeakKind::Directory { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

fn kind_of(path: &Path) -> LeakKind {
    fs::symlink_metadata(path).map_or(LeakKind::OtherFile, |metadata| kind(metadata.file_type()))
}

fn kind(file_type: FileType) -> LeakKind {
    if file_type.is_file() {
        LeakKind::File
    } else if file_type.is_dir() {
        LeakKind::Directory
    } else if file_type.is_fifo() {
        LeakKind::Fifo
    } else if file_type.is_socket() {
        LeakKind::Socket
    } else {
        LeakKind::OtherFile
    }
}
