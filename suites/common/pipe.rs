//! Fixture: the kinds of object that behave as a pipe, each opened as a read end and a write end.

use conformance::prelude::*;
use rstest_reuse::template;

/// A kind of object with a read end and a write end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Made by `pipe`.
    Pipe,
    /// A FIFO, each end opened by name; the name is removed afterwards.
    Fifo,
    /// A FIFO opened once with `O_RDWR`, which POSIX leaves undefined and fifo(7) documents. Both ends are one open file
    /// description, so that there is neither end-of-file nor `EPIPE`.
    FifoReadWrite,
}

/// A case for a pipe and for a FIFO, each with two ends.
#[template]
#[export]
#[rstest]
fn pipe_and_fifo(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) {}

/// A case for each kind of pipe.
#[template]
#[export]
#[rstest]
fn every_pipe(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) {}

impl Kind {
    /// Read end and write end, both blocking and without close-on-exec.
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
        // Opened non-blocking, the reader does not wait for a writer.
        let reader = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
        let writer = open(&path, OFlag::O_WRONLY)?;
        set_nonblocking(&reader, false)?;
        Ok((reader, writer))
    }
}
