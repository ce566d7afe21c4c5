//! The fixture that `pipe` and `fifo` share: every kind of object that behaves as a pipe.

use conformance::prelude::*;

/// A kind of object with a reading and a writing end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `pipe`.
    Pipe,
    /// A FIFO, each end opened by name; the name is gone again.
    Fifo,
    /// A FIFO opened once with `O_RDWR`, which POSIX leaves undefined and fifo(7) documents: both ends are one open description,
    /// so that there is neither end-of-file nor a broken pipe.
    FifoReadWrite,
}

impl Kind {
    /// Reading end, writing end; both blocking, neither closed by `exec`.
    pub fn open(self) -> Result<(OwnedFd, OwnedFd), Errno> {
        if self == Kind::Pipe {
            return pipe();
        }
        let scratch = Scratch::new()?;
        let path = scratch.join("fifo");
        mkfifo(&path, 0o600)?;
        if self == Kind::FifoReadWrite {
            let both = open(&path, OFlag::O_RDWR)?;
            return Ok((dup(&both)?, both));
        }
        // A reader that does not wait lets the writer in.
        let reader = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        let writer = open(&path, OFlag::O_WRONLY)?;
        set_nonblocking(&reader, false)?;
        Ok((reader, writer))
    }
}
