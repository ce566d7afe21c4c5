//! The fixture of this suite: a FIFO in a directory of its own that no process has open.

use std::path::{Path, PathBuf};

use conformance::prelude::*;
use rstest_reuse::template;

/// An access mode of `open` for one end of a FIFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// `O_RDONLY`.
    ReadOnly,
    /// `O_WRONLY`.
    WriteOnly,
}

/// A case for each end of a FIFO.
#[template]
#[rstest]
fn every_access_mode(#[values(AccessMode::ReadOnly, AccessMode::WriteOnly)] access: AccessMode) {}

impl AccessMode {
    /// The flag of `open`.
    pub fn flag(self) -> OFlag {
        match self {
            AccessMode::ReadOnly => OFlag::O_RDONLY,
            AccessMode::WriteOnly => OFlag::O_WRONLY,
        }
    }

    /// The access mode for the opposite end.
    pub fn opposite(self) -> AccessMode {
        match self {
            AccessMode::ReadOnly => AccessMode::WriteOnly,
            AccessMode::WriteOnly => AccessMode::ReadOnly,
        }
    }
}

/// A participant that opens one end, closes it and returns the result of `open`.
pub type Opener = Participant<Result<(), Errno>>;

/// A FIFO that is removed with its directory.
#[derive(Debug)]
pub struct Fifo {
    scratch: Scratch,
    path: PathBuf,
}

impl Fifo {
    /// Creates a FIFO of mode 0600 in a directory of its own.
    pub fn new() -> Result<Self, Errno> {
        let scratch = Scratch::new()?;
        let path = scratch.join("fifo");
        mkfifo(&path, 0o600)?;
        Ok(Fifo { scratch, path })
    }

    /// The path of the FIFO.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory, in which the FIFO is the only name.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// The path of another name in that directory.
    pub fn sibling(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// Opens the FIFO with `O_RDONLY | O_NONBLOCK`.
    pub fn reader(&self) -> Result<OwnedFd, Errno> {
        open(&self.path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)
    }

    /// Opens the FIFO with `O_WRONLY | O_NONBLOCK`.
    pub fn writer(&self) -> Result<OwnedFd, Errno> {
        open(&self.path, OFlag::O_WRONLY | OFlag::O_NONBLOCK)
    }

    /// Opens the FIFO with `O_RDWR | O_NONBLOCK`, which never blocks.
    pub fn read_write(&self) -> Result<OwnedFd, Errno> {
        open(&self.path, OFlag::O_RDWR | OFlag::O_NONBLOCK)
    }

    /// A read end and a write end, both blocking.
    pub fn ends(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        let (reader, writer) = (self.reader()?, self.writer()?);
        set_nonblocking(&reader, false)?;
        set_nonblocking(&writer, false)?;
        Ok((reader, writer))
    }

    /// Opens the FIFO with those flags and `O_NONBLOCK`, and closes the descriptor at once.
    pub fn open_and_close(&self, flags: OFlag) -> Result<(), Errno> {
        open_and_close(&self.path, flags)
    }

    /// Whether no process has the FIFO open with that access mode: without readers, `open` for writing fails with `ENXIO`, and
    /// without writers, `read` returns 0.
    pub fn is_closed(&self, access: AccessMode) -> Result<bool, Errno> {
        match access {
            AccessMode::ReadOnly => match self.writer() {
                Ok(_) => Ok(false),
                Err(ENXIO) => Ok(true),
                Err(other) => Err(other),
            },
            AccessMode::WriteOnly => match read(self.reader()?, &mut [0; 1]) {
                Ok(count) => Ok(count == 0),
                Err(EAGAIN) => Ok(false),
                Err(other) => Err(other),
            },
        }
    }

    /// A participant that is blocked in `open` with that access mode.
    #[track_caller]
    pub fn blocked_open(&self, access: AccessMode, name: &str) -> Result<Opener, Failure> {
        let opener = Participant::spawn(name, (), |(), _| open(&self.path, access.flag()).map(drop))?;
        opener.until_blocked()?;
        Ok(opener)
    }
}

/// Opens a FIFO with those flags and `O_NONBLOCK`, and closes the descriptor at once.
pub fn open_and_close(path: &Path, flags: OFlag) -> Result<(), Errno> {
    open(path, flags | OFlag::O_NONBLOCK).map(drop)
}

/// The names in a directory, sorted.
pub fn names_in(directory: &Path) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
