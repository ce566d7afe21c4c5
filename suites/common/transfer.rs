//! The fixture of everything that moves bytes without passing them through a process: the ways into a pipe, the ways out of it,
//! and the files at the other side.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use nix::unistd::Whence;

/// No flags at all.
pub const NO_FLAGS: SpliceFlags = SpliceFlags::empty();

/// `SPLICE_F_NONBLOCK`.
pub const SPLICE_F_NONBLOCK: SpliceFlags = SpliceFlags::SPLICE_F_NONBLOCK;

/// `SPLICE_F_MOVE`.
pub const SPLICE_F_MOVE: SpliceFlags = SpliceFlags::SPLICE_F_MOVE;

/// A way into a pipe other than `write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// `splice` out of another pipe.
    SpliceFromPipe,
    /// `splice` out of a file.
    SpliceFromFile,
    /// `tee` from another pipe.
    Tee,
    /// `vmsplice` from memory.
    Vmsplice,
    /// `sendfile`.
    Sendfile,
}

impl Supply {
    /// What holds the bytes, where that is not memory; a pipe's other end comes along, so that its source never sees end-of-file.
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

    /// One call that brings `bytes`, or what the source holds of them, into the pipe.
    pub fn once(self, source: &[OwnedFd], bytes: &[u8], to: impl AsFd) -> Result<usize, Errno> {
        match self {
            Supply::SpliceFromPipe | Supply::SpliceFromFile => splice(&source[0], to, bytes.len(), NO_FLAGS),
            Supply::Tee => tee(&source[0], to, bytes.len(), NO_FLAGS),
            Supply::Vmsplice => vmsplice(to, &[IoSlice::new(bytes)], NO_FLAGS),
            Supply::Sendfile => sendfile(to, &source[0], None, bytes.len()),
        }
    }

    /// How many of the bytes the source holds still; all of them where it is memory, which a transfer does not use up.
    pub fn left(self, source: &[OwnedFd], bytes: &[u8]) -> Result<usize, Errno> {
        match self {
            Supply::Vmsplice => Ok(bytes.len()),
            Supply::SpliceFromPipe | Supply::Tee => unread(&source[0]),
            Supply::SpliceFromFile | Supply::Sendfile => Ok(bytes.len() - position(&source[0])?),
        }
    }
}

/// Five letters that lie in one page, wherever the linker puts them: what is in two pages goes into a pipe as two pieces.
pub fn letters() -> &'static [u8; 5] {
    #[repr(align(8))]
    struct Aligned([u8; 5]);
    static LETTERS: Aligned = Aligned(*b"abcde");
    &LETTERS.0
}

/// A way out of a pipe other than `read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// `splice` to a device that forgets everything.
    SpliceToDevNull,
    /// `splice` into a file.
    SpliceToFile,
    /// `splice` into another pipe.
    SpliceToPipe,
    /// `vmsplice` into memory.
    Vmsplice,
}

impl Drain {
    /// Where the bytes go, where that is not memory; a pipe's other end comes along, so that there is somebody to read.
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

    /// One call that takes at most `size` bytes out of the pipe.
    pub fn once(self, from: impl AsFd, sink: &[OwnedFd], size: usize) -> Result<usize, Errno> {
        match self {
            Drain::Vmsplice => vmsplice_out(from, &mut [IoSliceMut::new(&mut vec![0; size])], NO_FLAGS),
            Drain::SpliceToDevNull | Drain::SpliceToFile | Drain::SpliceToPipe => splice(from, &sink[0], size, NO_FLAGS),
        }
    }
}

/// Where the pages of a file live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// A file in the case's directory.
    RegularFile,
    /// A file of memory (`memfd_create`).
    Memfd,
}

impl Backing {
    /// A file with that content, open for reading and writing at its beginning.
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

/// A file without a name, with that content, open for reading and writing at its beginning.
pub fn file(content: &[u8]) -> Result<OwnedFd, Errno> {
    file_with(content, OFlag::O_RDWR)
}

/// A file without a name, with that content, opened with those flags.
pub fn file_with(content: &[u8], flags: OFlag) -> Result<OwnedFd, Errno> {
    let scratch = Scratch::new()?;
    let path = scratch.join("file");
    write_all(create(&path, OFlag::O_WRONLY, 0o600)?, content)?;
    open(&path, flags)
}

/// The device that forgets everything.
pub fn null() -> Result<OwnedFd, Errno> {
    open(Path::new("/dev/null"), OFlag::O_RDWR)
}

/// A pipe that holds some bytes.
pub fn holding(bytes: &[u8]) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = pipe()?;
    write_all(&writer, bytes)?;
    Ok((reader, writer))
}

/// A pipe that is full, and how many bytes it holds.
pub fn full() -> Result<((OwnedFd, OwnedFd), usize), Errno> {
    let (reader, writer) = pipe()?;
    let count = fill(&writer)?;
    Ok(((reader, writer), count))
}

/// How many writes of a page a pipe of its size takes.
pub fn pages(pipe: impl AsFd) -> Result<usize, Errno> {
    Ok(pipe_size(pipe)? / page_size())
}

/// A file's position.
pub fn position(file: impl AsFd) -> Result<usize, Errno> {
    usize::try_from(lseek(file, 0, Whence::SeekCur)?).map_err(|_| ERANGE)
}

/// A file's whole content, read without moving its position.
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

/// Everything that a pipe holds now, taken out without waiting for more.
pub fn drain(reader: impl AsFd) -> Result<Vec<u8>, Errno> {
    match unread(reader.as_fd())? {
        0 => Ok(Vec::new()),
        count => read_exactly(reader, count),
    }
}
