//! Direction: the reading end cannot be written to and the writing end cannot be read from, in whatever state the pipe is.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{next, not_waiting};
use common::pipe::Kind;

/// Reading from the writing end fails, and the bytes stay for the reading end.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn refuses_to_read_from_the_writing_end(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    write_all(&writer, b"data")?;
    let (mut one, mut other) = ([7; 2], [7; 2]);
    expect_eq!(read(&writer, &mut one), Err(EBADF));
    expect_eq!(readv(&writer, &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)]), Err(EBADF));
    expect_eq!((one, other, unread(&reader)), ([7; 2], [7; 2], Ok(4)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// Writing to the reading end fails, and nothing can be read afterwards.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn refuses_to_write_to_the_reading_end(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    expect_eq!(write(&reader, b"data"), Err(EBADF));
    expect_eq!(writev(&reader, &[IoSlice::new(b"da"), IoSlice::new(b"ta")]), Err(EBADF));
    expect_eq!((unread(&reader), ready(&reader, PollFlags::POLLIN)), (Ok(0), Ok(PollFlags::empty())));
    expect_eq!((fill(&writer), unread(&reader)), (common::ends::capacity(kind), common::ends::capacity(kind)));
    Ok(())
}

/// The wrong direction is refused also where the right one would find the other end closed: no end-of-file, no `SIGPIPE`.
#[rstest]
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn outranks_a_missing_peer(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    signal::block(Signal::SIGPIPE)?;
    let (reader, writer) = kind.open()?;
    drop(writer);
    expect_eq!(write(&reader, b"x"), Err(EBADF));
    let (reader, writer) = kind.open()?;
    drop(reader);
    expect_eq!((read(&writer, &mut [0; 1]), signal::pending(Signal::SIGPIPE)), (Err(EBADF), Ok(false)));
    Ok(())
}

/// The wrong direction is refused at once where the right one would have to wait.
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn outranks_waiting() -> Outcome {
    let (reader, writer) = pipe()?;
    expect_eq!(read(&writer, &mut [0; 1]), Err(EBADF));
    let full = fill(&writer)?;
    expect_eq!((write(&reader, b"x"), unread(&reader)), (Err(EBADF), Ok(full)));
    Ok(())
}

/// A FIFO that was opened for both directions is the exception: its descriptors do both.
#[conformance::test(man = "fifo(7)")]
fn is_both_for_a_fifo_opened_so() -> Outcome {
    let (one, other) = not_waiting(Kind::FifoReadWrite)?;
    expect_eq!((write(&one, b"from one"), next(&other)), (Ok(8), Ok(b"from one".to_vec())));
    expect_eq!((write(&other, b"back"), next(&other), next(&one)), (Ok(4), Ok(b"back".to_vec()), Err(EAGAIN)));
    Ok(())
}
