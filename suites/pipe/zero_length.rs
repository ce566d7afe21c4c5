//! Nothing at all: reads and writes of zero bytes, and vectors of no bytes, return at once and leave no trace, whatever the state
//! of the pipe: no byte, no room taken, no end-of-file, no wake-up.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{capacity, next, not_waiting};
use common::pipe::Kind;

/// A state of a pipe that still has both ends.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing to read.
    Empty,
    /// Something to read, and room.
    Some,
    /// No room.
    Full,
}

impl State {
    /// Ends that wait, and how much there is to read.
    fn open(self, kind: Kind) -> Result<(OwnedFd, OwnedFd, usize), Errno> {
        let (reader, writer) = kind.open()?;
        let held = match self {
            State::Empty => 0,
            State::Some => write(&writer, b"some")?,
            State::Full => fill(&writer)?,
        };
        Ok((reader, writer, held))
    }
}

/// A read of nothing returns 0 without waiting and takes nothing.
#[rstest]
#[conformance::test(man = "read(2)")]
fn is_read_at_once(
    #[values(State::Empty, State::Some, State::Full)] state: State,
    #[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind,
) -> Outcome {
    let (reader, _writer, held) = state.open(kind)?;
    expect_eq!((read(&reader, &mut []), unread(&reader)), (Ok(0), Ok(held)));
    set_nonblocking(&reader, true)?;
    expect_eq!((read(&reader, &mut []), unread(&reader)), (Ok(0), Ok(held)));
    Ok(())
}

/// A write of nothing, where there is a reader, returns 0 without waiting and adds nothing.
#[rstest]
#[conformance::test(posix = "write", level = observed)]
fn is_written_at_once(
    #[values(State::Empty, State::Some, State::Full)] state: State,
    #[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind,
) -> Outcome {
    let (reader, writer, held) = state.open(kind)?;
    expect_eq!((write(&writer, b""), unread(&reader)), (Ok(0), Ok(held)));
    set_nonblocking(&writer, true)?;
    expect_eq!((write(&writer, b""), unread(&reader)), (Ok(0), Ok(held)));
    Ok(())
}

/// Vectors whose segments are all empty are as good as nothing.
#[rstest]
#[conformance::test(man = "readv(2)")]
fn can_come_in_segments(
    #[values(State::Empty, State::Some, State::Full)] state: State,
    #[values(Kind::Pipe, Kind::Fifo)] kind: Kind,
) -> Outcome {
    let (reader, writer, held) = state.open(kind)?;
    let into = &mut [IoSliceMut::new(&mut []), IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])];
    expect_eq!((readv(&reader, into), unread(&reader)), (Ok(0), Ok(held)));
    expect_eq!((writev(&writer, &[IoSlice::new(b""); 3]), unread(&reader)), (Ok(0), Ok(held)));
    Ok(())
}

/// A vector without segments is either nothing or invalid; it moves nothing in either case.
#[conformance::test(posix = "readv", posix = "writev", level = observed)]
fn can_come_without_segments() -> Outcome {
    let (reader, writer, held) = State::Some.open(Kind::Pipe)?;
    let (got, put) = (readv(&reader, &mut []), writev(&writer, &[]));
    observe!("pipe.vector-without-segments", got.map_or_else(|errno| format!("{errno:?}"), |count| count.to_string()));
    expect!((got, put) == (Ok(0), Ok(0)) || (got, put) == (Err(EINVAL), Err(EINVAL)), "{got:?} and {put:?}");
    expect_eq!((unread(&reader), next(&reader)), (Ok(held), Ok(b"some".to_vec())));
    Ok(())
}

/// After writes of nothing there is nothing: nothing is ready, nothing can be read, and no end-of-file is seen.
#[rstest]
#[conformance::test(posix = "write", level = observed)]
fn looks_like_nothing_to_the_reader(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    expect_eq!((write(&writer, b""), writev(&writer, &[IoSlice::new(b"")])), (Ok(0), Ok(0)));
    expect_eq!((ready(&reader, PollFlags::POLLIN), next(&reader)), (Ok(PollFlags::empty()), Err(EAGAIN)));
    expect_eq!((write(&writer, b"x"), write(&writer, b""), next(&reader)), (Ok(1), Ok(0), Ok(b"x".to_vec())));
    expect_eq!((ready(&reader, PollFlags::POLLIN), next(&reader)), (Ok(PollFlags::empty()), Err(EAGAIN)));
    Ok(())
}

/// Any number of writes of nothing takes no room.
#[rstest]
#[conformance::test(posix = "write", level = observed)]
fn takes_no_room(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    for _ in 0..64 {
        expect_eq!((write(&writer, b""), writev(&writer, &[IoSlice::new(b""), IoSlice::new(b"")])), (Ok(0), Ok(0)));
    }
    expect_eq!(ready(&writer, PollFlags::POLLOUT), Ok(PollFlags::POLLOUT));
    let room = capacity(kind)?;
    expect_eq!((fill(&writer), unread(&reader)), (Ok(room), Ok(room)));
    Ok(())
}

/// A blocked reader sleeps on while nothing is written, and wakes for the first byte.
#[rstest]
#[conformance::test(posix = "read", posix = "write", level = observed)]
fn wakes_no_reader(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| next(&end))?;
    reader.until_blocked()?;
    expect_eq!((write(&writer, b""), writev(&writer, &[]), writev(&writer, &[IoSlice::new(b"")])), (Ok(0), Ok(0), Ok(0)));
    reader.expect_still_blocked()?;
    expect_eq!((write(&writer, b"x"), reader.join()?), (Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// A blocked writer sleeps on while nothing is read, and its bytes come when there is room.
#[rstest]
#[conformance::test(posix = "read", posix = "write", level = observed)]
fn wakes_no_writer(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// At the end of the file a read of nothing returns 0, before and after the bytes that were left.
#[rstest]
#[conformance::test(man = "read(2)")]
fn is_read_without_a_writer(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    write_all(writer, b"left")?;
    expect_eq!((read(&reader, &mut []), unread(&reader)), (Ok(0), Ok(4)));
    expect_eq!((next(&reader), read(&reader, &mut []), next(&reader)), (Ok(b"left".to_vec()), Ok(0), Ok(vec![])));
    Ok(())
}

/// Without a reader a write of nothing either succeeds without a signal or fails like one of something, with its signal.
#[rstest]
#[conformance::test(posix = "write", level = observed)]
fn is_written_without_a_reader(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    signal::block(Signal::SIGPIPE)?;
    let (reader, writer) = kind.open()?;
    drop(reader);
    let written = write(&writer, b"");
    let pending = signal::pending(Signal::SIGPIPE)?;
    observe!("pipe.nothing-without-reader", written.map_or_else(|errno| format!("{errno:?}"), |count| count.to_string()));
    expect!((written, pending) == (Ok(0), false) || (written, pending) == (Err(EPIPE), true), "{written:?}, pending: {pending}");
    Ok(())
}

/// The wrong end refuses even nothing, in every state.
#[rstest]
#[conformance::test(man = "read(2)", man = "write(2)")]
fn is_refused_by_the_wrong_end(
    #[values(State::Empty, State::Some, State::Full)] state: State,
    #[values(Kind::Pipe, Kind::Fifo)] kind: Kind,
) -> Outcome {
    let (reader, writer, held) = state.open(kind)?;
    expect_eq!((read(&writer, &mut []), write(&reader, b"")), (Err(EBADF), Err(EBADF)));
    let into = &mut [IoSliceMut::new(&mut [])];
    expect_eq!((readv(&writer, into), writev(&reader, &[IoSlice::new(b"")])), (Err(EBADF), Err(EBADF)));
    expect_eq!(unread(&reader), Ok(held));
    Ok(())
}
