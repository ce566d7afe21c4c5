//! `read`, `write`, `readv` and `writev` of 0 bytes: they return without blocking and change nothing, whatever the state of the
//! pipe is. POSIX leaves the results of a `write` of 0 bytes to a pipe unspecified.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{capacity, next, open_nonblocking};
use common::pipe::{Kind, every_pipe, pipe_and_fifo};

/// A state of a pipe that still has both ends.
#[derive(Clone, Copy, Debug)]
enum State {
    /// No unread byte.
    Empty,
    /// Unread bytes, and free space.
    SomeBytes,
    /// No free space.
    Full,
}

impl State {
    /// Blocking ends of a pipe in this state, and the number of unread bytes.
    fn open(self, kind: Kind) -> Result<(OwnedFd, OwnedFd, usize), Errno> {
        let (reader, writer) = kind.open()?;
        let held = match self {
            State::Empty => 0,
            State::SomeBytes => write(&writer, b"some")?,
            State::Full => fill(&writer)?,
        };
        Ok((reader, writer, held))
    }
}

/// `read` of 0 bytes, blocking or non-blocking, returns 0 at once and removes no byte, whether the pipe is empty, partly filled
/// or full.
#[apply(every_pipe)]
#[conformance::test(man = "read(2)")]
fn read_returns_0(#[values(State::Empty, State::SomeBytes, State::Full)] state: State, kind: Kind) -> Outcome {
    let (reader, _writer, held) = state.open(kind)?;
    expect_eq!((read(&reader, &mut []), unread(&reader)), (Ok(0), Ok(held)));
    set_nonblocking(&reader, true)?;
    expect_eq!((read(&reader, &mut []), unread(&reader)), (Ok(0), Ok(held)));
    Ok(())
}

/// `write` of 0 bytes to a pipe with a reader, blocking or non-blocking, returns 0 at once and adds no byte, whether the pipe is
/// empty, partly filled or full.
#[apply(every_pipe)]
#[conformance::test(posix = "write", level = customary)]
fn write_returns_0(#[values(State::Empty, State::SomeBytes, State::Full)] state: State, kind: Kind) -> Outcome {
    let (reader, writer, held) = state.open(kind)?;
    expect_eq!((write(&writer, b""), unread(&reader)), (Ok(0), Ok(held)));
    set_nonblocking(&writer, true)?;
    expect_eq!((write(&writer, b""), unread(&reader)), (Ok(0), Ok(held)));
    Ok(())
}

/// `readv` and `writev` with three segments of 0 bytes return 0 at once and transfer no byte, whether the pipe is empty, partly
/// filled or full.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "readv(2)", level = customary)]
fn empty_segments_return_0(#[values(State::Empty, State::SomeBytes, State::Full)] state: State, kind: Kind) -> Outcome {
    let (reader, writer, held) = state.open(kind)?;
    let into = &mut [IoSliceMut::new(&mut []), IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])];
    expect_eq!((readv(&reader, into), unread(&reader)), (Ok(0), Ok(held)));
    expect_eq!((writev(&writer, &[IoSlice::new(b""); 3]), unread(&reader)), (Ok(0), Ok(held)));
    Ok(())
}

/// `readv` and `writev` with `iovcnt` 0 both return 0 or both fail with `EINVAL`; both results are allowed, and which happens is
/// recorded. No byte is transferred.
#[conformance::test(posix = "readv", posix = "writev", level = observed)]
fn no_segments_return_0_or_einval() -> Outcome {
    let (reader, writer, held) = State::SomeBytes.open(Kind::Pipe)?;
    let (got, put) = (readv(&reader, &mut []), writev(&writer, &[]));
    observe!("pipe.readv-and-writev-without-segments", got.map_or_else(|errno| format!("{errno:?}"), |count| count.to_string()));
    expect!((got, put) == (Ok(0), Ok(0)) || (got, put) == (Err(EINVAL), Err(EINVAL)), "{got:?} and {put:?}");
    expect_eq!((unread(&reader), next(&reader)), (Ok(held), Ok(b"some".to_vec())));
    Ok(())
}

/// After `write` and `writev` of 0 bytes to an empty pipe, `poll` reports no event at the read end and a non-blocking `read`
/// fails with `EAGAIN`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", level = customary)]
fn write_of_0_bytes_is_not_readable(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    expect_eq!((write(&writer, b""), writev(&writer, &[IoSlice::new(b"")])), (Ok(0), Ok(0)));
    expect_eq!((ready(&reader, PollFlags::POLLIN), next(&reader)), (Ok(PollFlags::empty()), Err(EAGAIN)));
    expect_eq!((write(&writer, b"x"), write(&writer, b""), next(&reader)), (Ok(1), Ok(0), Ok(b"x".to_vec())));
    expect_eq!((ready(&reader, PollFlags::POLLIN), next(&reader)), (Ok(PollFlags::empty()), Err(EAGAIN)));
    Ok(())
}

/// After 64 calls each of `write` and `writev` of 0 bytes to an empty pipe, `poll` on the write end reports `POLLOUT`. `write`
/// then adds as many bytes as to a new pipe before the pipe is full.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", level = customary)]
fn writes_of_0_bytes_use_no_capacity(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    for _ in 0..64 {
        expect_eq!((write(&writer, b""), writev(&writer, &[IoSlice::new(b""), IoSlice::new(b"")])), (Ok(0), Ok(0)));
    }
    expect_eq!(ready(&writer, PollFlags::POLLOUT), Ok(PollFlags::POLLOUT));
    let capacity = capacity(kind)?;
    expect_eq!((fill(&writer), unread(&reader)), (Ok(capacity), Ok(capacity)));
    Ok(())
}

/// A process blocked in `read` on an empty pipe stays blocked after `write` and `writev` of 0 bytes. That `read` returns the byte
/// of a later `write` of 1 byte.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "write", level = customary)]
fn write_of_0_bytes_keeps_read_blocked(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| next(&end))?;
    reader.until_blocked()?;
    expect_eq!((write(&writer, b""), writev(&writer, &[]), writev(&writer, &[IoSlice::new(b"")])), (Ok(0), Ok(0), Ok(0)));
    reader.expect_still_blocked()?;
    expect_eq!((write(&writer, b"x"), reader.join()?), (Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// A process blocked in `write` on a full pipe stays blocked after `read` and `readv` of 0 bytes. After the pipe has been read,
/// that `write` returns its whole count.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "write", level = required)]
fn read_of_0_bytes_keeps_write_blocked(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let full = fill(&writer_end)?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, b"last"))?;
    writer.until_blocked()?;
    expect_eq!((read(&reader, &mut []), readv(&reader, &mut [IoSliceMut::new(&mut [])])), (Ok(0), Ok(0)));
    writer.expect_still_blocked()?;
    expect_eq!(read_exactly(&reader, full).map(|bytes| bytes.len()), Ok(full));
    expect_eq!((writer.join()?, next(&reader), next(&reader)), (Ok(4), Ok(b"last".to_vec()), Ok(vec![])));
    Ok(())
}

/// After the last writer closes with 4 bytes unread, `read` of 0 bytes returns 0 and `ioctl(FIONREAD)` still gives 4. After the 4
/// bytes have been read, `read` of 0 bytes returns 0 again.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "read(2)")]
fn read_without_writers_returns_0(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    write_all(writer, b"left")?;
    expect_eq!((read(&reader, &mut []), unread(&reader)), (Ok(0), Ok(4)));
    expect_eq!((next(&reader), read(&reader, &mut []), next(&reader)), (Ok(b"left".to_vec()), Ok(0), Ok(vec![])));
    Ok(())
}

/// `write` of 0 bytes to a pipe without readers returns 0 without a signal, or fails with `EPIPE` and raises `SIGPIPE`. Both are
/// allowed, and which happens is recorded.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", level = observed)]
fn write_without_readers(kind: Kind) -> Outcome {
    signal::block(Signal::SIGPIPE)?;
    let (reader, writer) = kind.open()?;
    drop(reader);
    let written = write(&writer, b"");
    let pending = signal::pending(Signal::SIGPIPE)?;
    observe!("pipe.write-of-0-bytes-without-reader", written.map_or_else(|errno| format!("{errno:?}"), |count| count.to_string()));
    expect!((written, pending) == (Ok(0), false) || (written, pending) == (Err(EPIPE), true), "{written:?}, pending: {pending}");
    Ok(())
}

/// `read` and `readv` of 0 bytes on the write end, and `write` and `writev` of 0 bytes on the read end, fail with `EBADF`.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "read(2)", man = "write(2)", level = customary)]
fn ebadf_at_the_wrong_end(#[values(State::Empty, State::SomeBytes, State::Full)] state: State, kind: Kind) -> Outcome {
    let (reader, writer, held) = state.open(kind)?;
    expect_eq!((read(&writer, &mut []), write(&reader, b"")), (Err(EBADF), Err(EBADF)));
    let into = &mut [IoSliceMut::new(&mut [])];
    expect_eq!((readv(&writer, into), writev(&reader, &[IoSlice::new(b"")])), (Err(EBADF), Err(EBADF)));
    expect_eq!(unread(&reader), Ok(held));
    Ok(())
}
