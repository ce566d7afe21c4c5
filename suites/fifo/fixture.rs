//! The fixture of this suite: a FIFO under a name of its own, with nobody at either side.

use std::path::{Path, PathBuf};

use conformance::prelude::*;

/// One of the two sides from which a FIFO is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Opened with `O_RDONLY`.
    Reader,
    /// Opened with `O_WRONLY`.
    Writer,
}

impl Side {
    /// The access mode.
    pub fn flag(self) -> OFlag {
        match self {
            Side::Reader => OFlag::O_RDONLY,
            Side::Writer => OFlag::O_WRONLY,
        }
    }

    /// The side that this one waits for.
    pub fn other(self) -> Side {
        match self {
            Side::Reader => Side::Writer,
            Side::Writer => Side::Reader,
        }
    }
}

/// A participant that opens one side, and tells whether that worked.
pub type Opener = Participant<Result<(), Errno>>;

/// A FIFO that goes with its directory.
#[derive(Debug)]
pub struct Named {
    scratch: Scratch,
    path: PathBuf,
}

impl Named {
    /// Makes a FIFO that its owner may open, in a directory of its own.
    pub fn new() -> Result<Self, Errno> {
        let scratch = Scratch::new()?;
        let path = scratch.join("fifo");
        mkfifo(&path, 0o600)?;
        Ok(Named { scratch, path })
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory in which it is the only name.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// Another name in that directory.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// Opens it for reading without waiting; reads do not wait either.
    pub fn reader(&self) -> Result<OwnedFd, Errno> {
        open(&self.path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)
    }

    /// Opens it for writing without waiting; writes do not wait either.
    pub fn writer(&self) -> Result<OwnedFd, Errno> {
        open(&self.path, OFlag::O_WRONLY | OFlag::O_NONBLOCK)
    }

    /// Opens it once for both, which never waits; neither do reads and writes.
    pub fn both(&self) -> Result<OwnedFd, Errno> {
        open(&self.path, OFlag::O_RDWR | OFlag::O_NONBLOCK)
    }

    /// A reading and a writing end; both wait.
    pub fn ends(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        let (reader, writer) = (self.reader()?, self.writer()?);
        set_nonblocking(&reader, false)?;
        set_nonblocking(&writer, false)?;
        Ok((reader, writer))
    }

    /// Opens it without waiting, and closes it at once.
    pub fn visit(&self, flags: OFlag) -> Result<(), Errno> {
        visit(&self.path, flags)
    }

    /// Whether nobody has that side open, as the other side is told.
    pub fn nobody_at(&self, side: Side) -> Result<bool, Errno> {
        match side {
            Side::Reader => match self.writer() {
                Ok(_) => Ok(false),
                Err(ENXIO) => Ok(true),
                Err(other) => Err(other),
            },
            Side::Writer => match read(self.reader()?, &mut [0; 1]) {
                Ok(count) => Ok(count == 0),
                Err(EAGAIN) => Ok(false),
                Err(other) => Err(other),
            },
        }
    }

    /// A participant that opens that side and, as was made sure of, waits for somebody on the other one.
    #[track_caller]
    pub fn waiting(&self, side: Side, name: &str) -> Result<Opener, Failure> {
        let opener = Participant::spawn(name, (), |(), _| open(&self.path, side.flag()).map(drop))?;
        opener.until_blocked()?;
        Ok(opener)
    }
}

/// Opens a FIFO without waiting, and closes it at once.
pub fn visit(path: &Path, flags: OFlag) -> Result<(), Errno> {
    open(path, flags | OFlag::O_NONBLOCK).map(drop)
}

/// The names in a directory, in order.
pub fn names_in(directory: &Path) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
