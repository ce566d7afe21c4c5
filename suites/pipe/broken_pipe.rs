//! `EPIPE`: when `write` on a pipe fails because no reader is left, and when it does not. How `SIGPIPE` is delivered is tested in
//! `sigpipe.rs`.

use std::io::IoSlice;

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{capacity, next, open_nonblocking};
use common::pipe::{Kind, pipe_and_fifo};

/// After the last process that holds the read end is killed, `write` fails with `EPIPE`, and the handler for `SIGPIPE` runs once.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn when_the_last_reader_is_killed(kind: Kind) -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| (next(&end), next(&end)))?;
    reader.until_blocked()?;
    expect_eq!(write(&writer, b"read"), Ok(4));
    reader.until_blocked()?;
    reader.kill()?;
    expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    Ok(())
}

/// While the last reader is stopped by `SIGSTOP`, `write` returns 1 and raises no signal. After this stopped reader is killed,
/// `write` fails with `EPIPE` and raises `SIGPIPE`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn when_a_stopped_reader_is_killed(kind: Kind) -> Outcome {
    signal::block(Signal::SIGPIPE)?;
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", reader_end, |_end, link| -> () { link.park() })?;
    reader.stop()?;
    expect_eq!((write(&writer, b"x"), signal::pending(Signal::SIGPIPE)), (Ok(1), Ok(false)));
    reader.kill()?;
    expect_eq!((write(&writer, b"x"), signal::pending(Signal::SIGPIPE)), (Err(EPIPE), Ok(true)));
    Ok(())
}

/// If the process with the last read end exits, a process blocked in `write` on the full pipe, with the default action for
/// `SIGPIPE`, is killed by `SIGPIPE`, even before the exited process has been waited for.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", posix = "_Exit")]
fn when_the_last_reader_exits(kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let reader = Participant::spawn("reader", reader_end, |end, link| {
        link.wait("exit");
        std::mem::forget(end);
    })?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, b"x"))?;
    writer.until_blocked()?;
    reader.open("exit")?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGPIPE));
    reader.join()?;
    Ok(())
}

/// After one of two descriptors of the read end is closed, `write` returns 1 and raises no signal. After the second is closed,
/// `write` fails with `EPIPE` and raises `SIGPIPE`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", posix = "dup")]
fn only_when_the_last_reader_closes(kind: Kind) -> Outcome {
    signal::block(Signal::SIGPIPE)?;
    let (first, writer) = kind.open()?;
    let second = dup(&first)?;
    drop(first);
    expect_eq!((write(&writer, b"x"), signal::pending(Signal::SIGPIPE)), (Ok(1), Ok(false)));
    expect_eq!((next(&second), ready(&writer, PollFlags::POLLOUT)), (Ok(b"x".to_vec()), Ok(PollFlags::POLLOUT)));
    drop(second);
    expect_eq!((write(&writer, b"x"), signal::pending(Signal::SIGPIPE)), (Err(EPIPE), Ok(true)));
    Ok(())
}

/// While the writing process itself holds the only read end of a pipe, `write` of 1 byte returns 1. After `dup2` has replaced
/// that descriptor by another file, `write` fails with `EPIPE`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", posix = "close")]
fn not_while_the_writer_holds_a_read_end(kind: Kind) -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    let (reader, mut replaced) = kind.open()?;
    let writer = dup(&replaced)?;
    dup_onto(&reader, &mut replaced)?;
    drop(reader);
    expect_eq!((write(&writer, b"x"), next(&replaced)), (Ok(1), Ok(b"x".to_vec())));
    dup_onto(&writer, &mut replaced)?;
    expect_eq!((write(&writer, b"x"), write(&replaced, b"x")), (Err(EPIPE), Err(EPIPE)));
    Ok(())
}

/// A non-blocking `write` to a full pipe fails with `EAGAIN` while there is a reader. After the last reader closes, the same
/// `write` fails with `EPIPE` and raises `SIGPIPE`.
#[apply(pipe_and_fifo)]
#[case::one_byte(|_| 1)]
#[case::one_page(|page| page)]
#[case::two_pages(|page| 2 * page)]
#[conformance::test(posix = "write")]
fn takes_precedence_over_eagain(#[case] size: fn(usize) -> usize, kind: Kind) -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let (reader, writer) = open_nonblocking(kind)?;
    let bytes = pattern(size(page_size()));
    fill(&writer)?;
    expect_eq!((write(&writer, &bytes), signal::caught(Signal::SIGPIPE)), (Err(EAGAIN), 0));
    drop(reader);
    expect_eq!((write(&writer, &bytes), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    Ok(())
}

/// If the last reader closes while one process is blocked in `write` and another in `writev` on the full pipe, both calls fail
/// with `EPIPE`, and the handler for `SIGPIPE` runs once in each process.
#[apply(pipe_and_fifo)]
#[case::one_byte(|_| 1)]
#[case::one_page(|page| page)]
#[case::more_than_two_pages(|page| 2 * page + 1)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn wakes_blocked_write_and_writev(#[case] size: fn(usize) -> usize, kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let size = size(page_size());
    let single = Participant::spawn("writer", dup(&writer_end)?, |end, _| {
        signal::catch(Signal::SIGPIPE, Restart::Yes)?;
        Ok::<_, Errno>((write(&end, &pattern(size)), signal::caught(Signal::SIGPIPE)))
    })?;
    single.until_blocked()?;
    let vector = Participant::spawn("writev writer", writer_end, |end, _| {
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        Ok::<_, Errno>((writev(&end, &[IoSlice::new(b""), IoSlice::new(&pattern(size))]), signal::caught(Signal::SIGPIPE)))
    })?;
    vector.until_blocked()?;
    drop(reader);
    expect_eq!((single.join()?, vector.join()?), (Ok((Err(EPIPE), 1)), Ok((Err(EPIPE), 1))));
    Ok(())
}

/// A process blocked in `write` on a full pipe stays blocked when one of two readers closes. When the other reader is killed,
/// `write` fails with `EPIPE` and raises `SIGPIPE`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn wakes_blocked_write_when_the_last_reader_is_killed(kind: Kind) -> Outcome {
    let (first, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let second = Participant::spawn("second reader", dup(&first)?, |_end, link| -> () { link.park() })?;
    let writer = Participant::spawn("writer", writer_end, |end, _| {
        signal::block(Signal::SIGPIPE)?;
        Ok::<_, Errno>((write(&end, b"x"), signal::pending(Signal::SIGPIPE)))
    })?;
    writer.until_blocked()?;
    drop(first);
    writer.expect_still_blocked()?;
    second.kill()?;
    expect_eq!(writer.join()?, Ok((Err(EPIPE), Ok(true))));
    Ok(())
}

/// If the last reader closes, each of four processes blocked in `write` on the full pipe, with the default action for `SIGPIPE`,
/// is killed by `SIGPIPE`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", man = "pipe(7)", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn wakes_all_blocked_writers(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let mut writers = Vec::new();
    for name in ["first writer", "second writer", "third writer", "fourth writer"] {
        let writer = Participant::spawn(name, dup(&writer_end)?, |end, _| write(&end, b"x"))?;
        writer.until_blocked()?;
        writers.push(writer);
    }
    drop(reader);
    for writer in writers {
        expect_eq!(writer.end()?, End::Killed(Signal::SIGPIPE));
    }
    Ok(())
}

/// If the last reader closes while a process is blocked in a `write` that has added part of its bytes, `write` returns the count
/// of that part with 0 or 1 `SIGPIPE`, or fails with `EPIPE` and 1 `SIGPIPE`. All three are allowed; result and number of signals
/// are recorded.
#[apply(pipe_and_fifo)]
#[case::nothing_read(|_| 0)]
#[case::two_pages_read(|page| 2 * page)]
#[conformance::test(posix = "write", level = observed)]
fn ends_a_partly_done_write(#[case] taken: fn(usize) -> usize, kind: Kind) -> Outcome {
    let capacity = capacity(kind)?;
    let taken = taken(page_size());
    let (reader, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |end, _| {
        signal::catch(Signal::SIGPIPE, Restart::Yes)?;
        let partial = (write(&end, &pattern(3 * capacity)), signal::caught(Signal::SIGPIPE));
        Ok::<_, Errno>((partial, write(&end, b"x"), signal::caught(Signal::SIGPIPE)))
    })?;
    writer.until_blocked()?;
    expect_eq!(read_exactly(&reader, taken).as_deref(), Ok(&pattern(taken)[..]));
    writer.until_blocked()?;
    drop(reader);
    let (partial, after, signals) = writer.join()??;
    observe!("pipe.partly-done-write-when-the-reader-closes", if partial.0.is_ok() { "count" } else { "EPIPE" });
    observe!("pipe.partly-done-write-when-the-reader-closes-signals", partial.1);
    expect!(
        partial.0 == Ok(capacity + taken) || partial.0 == Err(EPIPE),
        "{:?} with a capacity of {capacity} and {taken} bytes read",
        partial.0
    );
    expect!(partial.1 == 1 || (partial.1 == 0 && partial.0.is_ok()), "{} signals with {:?}", partial.1, partial.0);
    expect_eq!((after, signals), (Err(EPIPE), partial.1 + 1));
    Ok(())
}

/// `write` and `writev` to a FIFO without readers fail with `EPIPE` and add no byte. After a reader has opened the FIFO, which
/// the writer has kept open, `read` returns the bytes written before the failure, followed by those written after it.
#[rstest]
#[case::no_unread_bytes(b"")]
#[case::four_unread_bytes(b"left")]
#[conformance::test(posix = "write", man = "fifo(7)")]
fn failed_write_adds_no_byte(#[case] left: &[u8]) -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    let reader = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let writer = open(&path, OFlag::O_WRONLY | OFlag::O_NONBLOCK)?;
    write_all(&writer, left)?;
    drop(reader);
    expect_eq!((write(&writer, b"failed"), writev(&writer, &[IoSlice::new(b"too")])), (Err(EPIPE), Err(EPIPE)));
    let later = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    expect_eq!((write(&writer, b"new"), read_some(&later, 64)), (Ok(3), Ok([left, b"new"].concat())));
    expect_eq!(next(&later), Err(EAGAIN));
    Ok(())
}

/// On a FIFO whose only descriptor was opened with `O_RDWR`, non-blocking `write` adds bytes until the FIFO is full and then
/// fails with `EAGAIN`. `read` on that descriptor returns all these bytes.
#[conformance::test(man = "fifo(7)")]
fn not_for_a_fifo_opened_read_write() -> Outcome {
    let (one, other) = open_nonblocking(Kind::FifoReadWrite)?;
    drop(one);
    let full = fill(&other)?;
    expect_eq!((write(&other, b"x"), read_exactly(&other, full).map(|bytes| bytes.len())), (Err(EAGAIN), Ok(full)));
    Ok(())
}
