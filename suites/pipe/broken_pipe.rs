//! A broken pipe: what a writer sees once nobody can read any more, and not before. The write fails with `EPIPE`, beside the
//! signal.

use std::io::IoSlice;

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{capacity, next, not_waiting};
use common::pipe::Kind;

/// Nobody can read any more when the last reader has been killed.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn follows_the_death_of_the_last_reader(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// A stopped reader is a reader, whose bytes wait for it; killed while it is stopped, it is none.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn waits_for_a_stopped_reader_to_be_killed(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    signal::block(Signal::SIGPIPE)?;
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", reader_end, |_end, link| -> () { link.park() })?;
    reader.stop()?;
    expect_eq!((write(&writer, b"x"), signal::pending(Signal::SIGPIPE)), (Ok(1), Ok(false)));
    reader.kill()?;
    expect_eq!((write(&writer, b"x"), signal::pending(Signal::SIGPIPE)), (Err(EPIPE), Ok(true)));
    Ok(())
}

/// Nobody can read any more when the last reader has exited, before anybody has waited for it.
#[rstest]
#[conformance::test(posix = "write", posix = "_Exit")]
fn follows_the_exit_of_the_last_reader(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// One of two readers may go without anybody noticing; the pipe breaks with the last.
#[rstest]
#[conformance::test(posix = "write", posix = "dup")]
fn takes_the_last_reader(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// A writer's own reader counts as one: it keeps the pipe whole, and breaks it by closing.
#[rstest]
#[conformance::test(posix = "write", posix = "close")]
fn is_not_broken_by_reading_oneself(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// A full pipe that has lost its reader is broken and not full: a write that may not wait fails with `EPIPE`, of any size.
#[rstest]
#[case::one_byte(|_| 1)]
#[case::atomic(|page| page)]
#[case::larger(|page| 2 * page)]
#[conformance::test(posix = "write")]
fn outranks_a_full_pipe(#[case] size: fn(usize) -> usize, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let (reader, writer) = not_waiting(kind)?;
    let bytes = pattern(size(page_size()));
    fill(&writer)?;
    expect_eq!((write(&writer, &bytes), signal::caught(Signal::SIGPIPE)), (Err(EAGAIN), 0));
    drop(reader);
    expect_eq!((write(&writer, &bytes), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    Ok(())
}

/// A writer that waits for room wakes up when the last reader closes, with `EPIPE` and one signal, whether its bytes were to stay
/// together or not, and whichever call it is in.
#[rstest]
#[case::one_byte(|_| 1)]
#[case::atomic(|page| page)]
#[case::larger(|page| 2 * page + 1)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn wakes_a_blocked_writer(#[case] size: fn(usize) -> usize, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let size = size(page_size());
    let single = Participant::spawn("writer", dup(&writer_end)?, |end, _| {
        signal::catch(Signal::SIGPIPE, Restart::Yes)?;
        Ok::<_, Errno>((write(&end, &pattern(size)), signal::caught(Signal::SIGPIPE)))
    })?;
    single.until_blocked()?;
    let vector = Participant::spawn("writer of a vector", writer_end, |end, _| {
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        Ok::<_, Errno>((writev(&end, &[IoSlice::new(b""), IoSlice::new(&pattern(size))]), signal::caught(Signal::SIGPIPE)))
    })?;
    vector.until_blocked()?;
    drop(reader);
    expect_eq!((single.join()?, vector.join()?), (Ok((Err(EPIPE), 1)), Ok((Err(EPIPE), 1))));
    Ok(())
}

/// A writer that waits for room sleeps on while one of two readers closes, and wakes up when the other is killed.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn wakes_a_blocked_writer_only_with_the_last_reader(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// Every one of several blocked writers wakes up, with a signal of its own.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn wakes_all_writers(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// A write that the last reader leaves half done is answered with the count so far or with `EPIPE`, and the signal comes in either
/// case; the next write fails.
#[rstest]
#[case::nothing_read(|_| 0)]
#[case::two_pages_read(|page| 2 * page)]
#[conformance::test(posix = "write", level = observed)]
fn interrupts_a_write_half_way(#[case] taken: fn(usize) -> usize, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let room = capacity(kind)?;
    let taken = taken(page_size());
    let (reader, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |end, _| {
        signal::catch(Signal::SIGPIPE, Restart::Yes)?;
        let half = (write(&end, &pattern(3 * room)), signal::caught(Signal::SIGPIPE));
        Ok::<_, Errno>((half, write(&end, b"x"), signal::caught(Signal::SIGPIPE)))
    })?;
    writer.until_blocked()?;
    expect_eq!(read_exactly(&reader, taken).as_deref(), Ok(&pattern(taken)[..]));
    writer.until_blocked()?;
    drop(reader);
    let (half, after, signals) = writer.join()??;
    observe!("pipe.half-done-without-reader", if half.0.is_ok() { "count" } else { "EPIPE" });
    observe!("pipe.half-done-signals", half.1);
    expect!(half.0 == Ok(room + taken) || half.0 == Err(EPIPE), "{:?} with room for {room} and {taken} read", half.0);
    expect!(half.1 == 1 || (half.1 == 0 && half.0.is_ok()), "{} signals with {:?}", half.1, half.0);
    expect_eq!((after, signals), (Err(EPIPE), half.1 + 1));
    Ok(())
}

/// A write that fails so leaves room and unread bytes as they are: nothing of it is found by a reader that comes later.
#[rstest]
#[case::nothing(b"")]
#[case::something(b"left")]
#[conformance::test(posix = "write", man = "fifo(7)")]
fn adds_nothing_to_what_is_unread(#[case] left: &[u8]) -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    let reader = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let writer = open(&path, OFlag::O_WRONLY | OFlag::O_NONBLOCK)?;
    write_all(&writer, left)?;
    drop(reader);
    expect_eq!((write(&writer, b"refused"), writev(&writer, &[IoSlice::new(b"too")])), (Err(EPIPE), Err(EPIPE)));
    let later = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    expect_eq!((write(&writer, b"new"), read_some(&later, 64)), (Ok(3), Ok([left, b"new"].concat())));
    expect_eq!(next(&later), Err(EAGAIN));
    Ok(())
}

/// A channel that is open for both directions in one description has always a reader.
#[conformance::test(man = "fifo(7)")]
fn never_comes_while_one_descriptor_does_both() -> Outcome {
    let (one, other) = not_waiting(Kind::FifoReadWrite)?;
    drop(one);
    let full = fill(&other)?;
    expect_eq!((write(&other, b"x"), read_exactly(&other, full).map(|bytes| bytes.len())), (Err(EAGAIN), Ok(full)));
    Ok(())
}
