//! Direction: `read` on the write end and `write` on the read end fail with `EBADF`, whatever the state of the pipe is.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{next, open_nonblocking};
use common::pipe::{Kind, pipe_and_fifo};

/// `read` and `readv` on the write end fail with `EBADF`. The buffers and the unread bytes stay as they were.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn read_on_the_write_end_fails(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    write_all(&writer, b"data")?;
    let (mut one, mut other) = ([7; 2], [7; 2]);
    expect_eq!(read(&writer, &mut one), Err(EBADF));
    expect_eq!(readv(&writer, &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)]), Err(EBADF));
    expect_eq!((one, other, unread(&reader)), ([7; 2], [7; 2], Ok(4)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `write` and `writev` on the read end fail with `EBADF` and add no byte to the pipe.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn write_on_the_read_end_fails(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    expect_eq!(write(&reader, b"data"), Err(EBADF));
    expect_eq!(writev(&reader, &[IoSlice::new(b"da"), IoSlice::new(b"ta")]), Err(EBADF));
    expect_eq!((unread(&reader), ready(&reader, PollFlags::POLLIN)), (Ok(0), Ok(PollFlags::empty())));
    expect_eq!((fill(&writer), unread(&reader)), (common::ends::capacity(kind), common::ends::capacity(kind)));
    Ok(())
}

/// `write` on the read end fails with `EBADF` after the last writer closed, and `read` on the write end fails with `EBADF` after
/// the last reader closed. No `SIGPIPE` is raised.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn ebadf_without_a_peer(kind: Kind) -> Outcome {
    signal::block(Signal::SIGPIPE)?;
    let (reader, writer) = kind.open()?;
    drop(writer);
    expect_eq!(write(&reader, b"x"), Err(EBADF));
    let (reader, writer) = kind.open()?;
    drop(reader);
    expect_eq!((read(&writer, &mut [0; 1]), signal::pending(Signal::SIGPIPE)), (Err(EBADF), Ok(false)));
    Ok(())
}

/// `read` on the write end of an empty pipe and `write` on the read end of a full pipe, both without `O_NONBLOCK`, fail with
/// `EBADF` without blocking.
#[conformance::test(posix = "read", posix = "write", man = "pipe(7)")]
fn ebadf_instead_of_blocking() -> Outcome {
    let (reader, writer) = pipe()?;
    expect_eq!(read(&writer, &mut [0; 1]), Err(EBADF));
    let full = fill(&writer)?;
    expect_eq!((write(&reader, b"x"), unread(&reader)), (Err(EBADF), Ok(full)));
    Ok(())
}

/// `write` through a descriptor of a FIFO opened with `O_RDWR` returns its whole count, and `read` through a duplicate of that
/// descriptor returns the bytes written.
#[conformance::test(man = "fifo(7)")]
fn both_for_a_fifo_opened_read_write() -> Outcome {
    let (one, other) = open_nonblocking(Kind::FifoReadWrite)?;
    expect_eq!((write(&one, b"from one"), next(&other)), (Ok(8), Ok(b"from one".to_vec())));
    expect_eq!((write(&other, b"back"), next(&other), next(&one)), (Ok(4), Ok(b"back".to_vec()), Err(EAGAIN)));
    Ok(())
}
