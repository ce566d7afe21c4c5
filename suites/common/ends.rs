//! Shorthand that the topics about single ends share: ends that do not wait, and probes that leave an end as it was.

use conformance::prelude::*;

use super::pipe::Kind;

/// Reading end, writing end; neither waits.
pub fn not_waiting(kind: Kind) -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    set_nonblocking(&writer, true)?;
    Ok((reader, writer))
}

/// One read of at most a few bytes.
pub fn next(from: impl AsFd) -> Result<Vec<u8>, Errno> {
    read_some(from, 16)
}

/// What a new pipe of that kind holds at most.
pub fn capacity(kind: Kind) -> Result<usize, Errno> {
    let (_reader, writer) = kind.open()?;
    fill(&writer)
}

/// The access mode and the status flags that cases set. Systems show flags of their own beside them.
pub fn flags(end: impl AsFd) -> Result<OFlag, Errno> {
    Ok(status_flags(end)? & (OFlag::O_ACCMODE | OFlag::O_NONBLOCK | OFlag::O_APPEND))
}

/// Writing end of a channel that has lost its reader.
pub fn broken(kind: Kind) -> Result<OwnedFd, Errno> {
    kind.open().map(|(_reader, writer)| writer)
}

/// A participant that reads once: what it got.
pub fn reading(name: &str, end: OwnedFd, size: usize) -> Result<Participant<Result<Vec<u8>, Errno>>, Errno> {
    Participant::spawn(name, end, move |end, _| read_some(&end, size))
}

/// A participant that writes a byte `size` times in one call: how many went in.
pub fn writing(name: &str, end: OwnedFd, byte: u8, size: usize) -> Result<Participant<Result<usize, Errno>>, Errno> {
    Participant::spawn(name, end, move |end, _| write(&end, &vec![byte; size]))
}
