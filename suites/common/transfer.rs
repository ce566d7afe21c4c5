//! Fixture for cases about `splice`, `tee`, `vmsplice` and `sendfile`: the calls that put bytes into a pipe, the calls that take
//! bytes out of one, and files as their source or target.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use nix::unistd::Whence;
use rstest_reuse::template;

/// No flag.
pub const NO_FLAGS: SpliceFlags = SpliceFlags::empty();

/// `SPLICE_F_NONBLOCK`.
pub const SPLICE_F_NONBLOCK: SpliceFlags = SpliceFlags::SPLICE_F_NONBLOCK;

/// `SPLICE_F_MOVE`.
pub const SPLICE_F_MOVE: SpliceFlags = SpliceFlags::SPLICE_F_MOVE;

/// A call that puts bytes into a pipe, other than `write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// `splice` from another pipe.
    SpliceFromPipe,
    /// `splice` from a file.
    SpliceFromFile,
    /// `tee` from another pipe.
    Tee,
    /// `vmsplice` from memory.
    Vmsplice,
    /// `sendfile` from a file.
    Sendfile,
}

/// A case for each call that puts bytes into a pipe.
#[template]
#[export]
#[rstest]
fn every_supply(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) {
}

impl Supply {
    /// Descriptors of a new source that holds the bytes; none for `vmsplice`. A source pipe comes with its write end, so that the
    /// source has no end-of-file.
    pub fn source(self, bytes: &[u8]) -> Result<Vec<OwnedFd>, Errno> {
        match self {
            Supply::Vmsplice => Ok(Vec::new()),
            Supply::SpliceFromFile | Supply::Sendfile => Ok(vec![file(bytes)?]),
            Supply::SpliceFromPipe | Supply::Tee => {
                let (reader, writer) = holding(bytes)?;
                Ok(vec![reader, writer])
            }
        }
    }

    /// Makes the call once, for `bytes.len()` bytes from the source (for `vmsplice`: for `bytes`): the count.
    pub fn once(self, source: &[OwnedFd], bytes: &[u8], to: impl AsFd) -> Result<usize, Errno> {
        match self {
            Supply::SpliceFromPipe | Supply::SpliceFromFile => splice(&source[0], to, bytes.len(), NO_FLAGS),
            Supply::Tee => tee(&source[0], to, bytes.len(), NO_FLAGS),
            Supply::Vmsplice => vmsplice(to, &[IoSlice::new(bytes)], NO_FLAGS),
            Supply::Sendfile => sendfile(to, &source[0], None, bytes.len()),
        }
    }

    /// How many of the bytes are left in the source: all of them for `vmsplice`, which does not consume memory.
    pub fn left(self, source: &[OwnedFd], bytes: &[u8]) -> Result<usize, Errno> {
        match self {
            Supply::Vmsplice => Ok(bytes.len()),
            Supply::SpliceFromPipe | Supply::Tee => unread(&source[0]),
            Supply::SpliceFromFile | Supply::Sendfile => Ok(bytes.len() - position(&source[0])?),
        }
    }
}

/// Five letters in one page of memory. Bytes that lie across two pages would take two buffers of a pipe.
pub fn letters() -> &'static [u8; 5] {
    #[repr(align(8))]
    struct Aligned([u8; 5]);
    static LETTERS: Aligned = Aligned(*b"abcde");
    &LETTERS.0
}

/// A call that takes bytes out of a pipe, other than `read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// `splice` to `/dev/null`.
    SpliceToDevNull,
    /// `splice` to a file.
    SpliceToFile,
    /// `splice` to another pipe.
    SpliceToPipe,
    /// `vmsplice` into memory.
    Vmsplice,
}

/// A case for each call that takes bytes out of a pipe.
#[template]
#[export]
#[rstest]
fn every_drain(#[values(Drain::SpliceToDevNull, Drain::SpliceToFile, Drain::SpliceToPipe, Drain::Vmsplice)] call: Drain) {}

impl Drain {
    /// Descriptors of a new target; none for `vmsplice`. A target pipe comes with its read end, so that the target has a reader.
    pub fn sink(self) -> Result<Vec<OwnedFd>, Errno> {
        match self {
            Drain::Vmsplice => Ok(Vec::new()),
            Drain::SpliceToDevNull => Ok(vec![null()?]),
            Drain::SpliceToFile => Ok(vec![file(b"")?]),
            Drain::SpliceToPipe => {
                let (reader, writer) = pipe()?;
                Ok(vec![writer, reader])
            }
        }
    }

    /// Makes the call once, for at most `size` bytes from the pipe: the count.
    pub fn once(self, from: impl AsFd, sink: &[OwnedFd], size: usize) -> Result<usize, Errno> {
        match self {
            Drain::Vmsplice => vmsplice_out(from, &mut [IoSliceMut::new(&mut vec![0; size])], NO_FLAGS),
            Drain::SpliceToDevNull | Drain::SpliceToFile | Drain::SpliceToPipe => splice(from, &sink[0], size, NO_FLAGS),
        }
    }
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// A regular file in the directory of the case.
    RegularFile,
    /// An anonymous file (`memfd_create`).
    Memfd,
}

/// A case for each kind of file.
#[template]
#[export]
#[rstest]
fn every_backing(#[values(Backing::RegularFile, Backing::Memfd)] file_type: Backing) {}

impl Backing {
    /// A file with this content, open for reading and writing; its offset is 0.
    pub fn file(self, content: &[u8]) -> Result<OwnedFd, Errno> {
        match self {
            Backing::RegularFile => file(content),
            Backing::Memfd => {
                let memory = nix::sys::memfd::memfd_create("source", nix::sys::memfd::MFdFlags::empty())?;
                write_all(&memory, content)?;
                lseek(&memory, 0, Whence::SeekSet)?;
                Ok(memory)
            }
        }
    }
}

/// An unlinked regular file with this content, open for reading and writing; its offset is 0.
pub fn file(content: &[u8]) -> Result<OwnedFd, Errno> {
    file_with(content, OFlag::O_RDWR)
}

/// An unlinked regular file with this content, opened with these flags.
pub fn file_with(content: &[u8], flags: OFlag) -> Result<OwnedFd, Errno> {
    let scratch = Scratch::new()?;
    let path = scratch.join("file");
    write_all(create(&path, OFlag::O_WRONLY, 0o600)?, content)?;
    open(&path, flags)
}

/// `/dev/null`, open for reading and writing.
pub fn null() -> Result<OwnedFd, Errno> {
    open(Path::new("/dev/null"), OFlag::O_RDWR)
}

/// A pipe that holds these bytes.
pub fn holding(bytes: &[u8]) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = pipe()?;
    write_all(&writer, bytes)?;
    Ok((reader, writer))
}

/// A full pipe, and how many bytes it holds.
pub fn full() -> Result<((OwnedFd, OwnedFd), usize), Errno> {
    let (reader, writer) = pipe()?;
    let count = fill(&writer)?;
    Ok(((reader, writer), count))
}

/// The size of a pipe (`F_GETPIPE_SZ`) in pages.
pub fn pages(pipe: impl AsFd) -> Result<usize, Errno> {
    Ok(pipe_size(pipe)? / page_size())
}

/// The file offset.
pub fn position(file: impl AsFd) -> Result<usize, Errno> {
    usize::try_from(lseek(file, 0, Whence::SeekCur)?).map_err(|_| ERANGE)
}

/// All bytes of a file; the file offset stays as it was.
pub fn content(file: impl AsFd) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let offset = i64::try_from(all.len()).map_err(|_| ERANGE)?;
        match nix::sys::uio::pread(file.as_fd(), &mut buffer, offset)? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Reads all bytes that are unread now, and does not wait for more.
pub fn drain(reader: impl AsFd) -> Result<Vec<u8>, Errno> {
    match unread(reader.as_fd())? {
        0 => Ok(Vec::new()),
        count => read_exactly(reader, count),
    }
}
