//! Short helpers for cases about the two ends of a pipe: non-blocking ends, one `read`, the capacity, and participants that make
//! one call.

use conformance::prelude::*;

use super::pipe::Kind;

/// Read end and write end, both with `O_NONBLOCK`.
pub fn open_nonblocking(kind: Kind) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    set_nonblocking(&writer, true)?;
    Ok((reader, writer))
}

/// One `read` of at most 16 bytes: the bytes.
pub fn next(from: impl AsFd) -> Result<Vec<u8>, Errno> {
    read_some(from, 16)
}

/// The capacity of a new pipe of this kind, in bytes.
pub fn capacity(kind: Kind) -> Result<usize, Errno> {
    let (_reader, writer) = kind.open()?;
    fill(&writer)
}

/// The access mode and the status flags that cases set. Other flags, which differ between systems, are left out.
pub fn flags(end: impl AsFd) -> Result<OFlag, Errno> {
    Ok(status_flags(end)? & (OFlag::O_ACCMODE | OFlag::O_NONBLOCK | OFlag::O_APPEND))
}

/// The write end of a new pipe whose read end is closed.
pub fn writer_without_reader(kind: Kind) -> Result<OwnedFd, Errno> {
    kind.open().map(|(_reader, writer)| writer)
}

/// Spawns a participant that makes one `read` of at most `size` bytes; its value is the bytes.
pub fn spawn_reader(name: &str, end: OwnedFd, size: usize) -> Result<Participant<Result<Vec<u8>, Errno>>, Errno> {
    Participant::spawn(name, end, move |end, _| read_some(&end, size))
}

/// Spawns a participant that makes one `write` of `size` bytes, all of them `byte`; its value is the count.
pub fn spawn_writer(name: &str, end: OwnedFd, byte: u8, size: usize) -> Result<Participant<Result<usize, Errno>>, Errno> {
    Participant::spawn(name, end, move |end, _| write(&end, &vec![byte; size]))
}
