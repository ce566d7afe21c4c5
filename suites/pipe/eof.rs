//! End-of-file: when `read` returns 0 because no writer is left, and when it does not.

use std::io::IoSliceMut;

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{next, open_nonblocking};
use common::pipe::{Kind, pipe_and_fifo};

/// After the last writer closes, `read` returns the unread bytes, if there are any, and then 0.
#[apply(pipe_and_fifo)]
#[case::nothing_buffered(|_| 0)]
#[case::one_byte(|_| 1)]
#[case::one_page(|page| page)]
#[case::over_a_page(|page| page + 1)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn follows_the_buffered_bytes(#[case] buffered: fn(usize) -> usize, kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let bytes = pattern(buffered(page_size()));
    write_all(writer, &bytes)?;
    expect_eq!(read_to_end(&reader), Ok(bytes));
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}

/// After the last writer of a full pipe closes, `read` calls return all unread bytes, as many as the capacity, and then 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn follows_all_bytes_of_a_full_pipe(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let full = fill(&writer)?;
    drop(writer);
    expect_eq!((unread(&reader), read_to_end(&reader).map(|bytes| bytes.len())), (Ok(full), Ok(full)));
    Ok(())
}

/// After the last writer closes with 10 bytes unread, `read` calls of 4 bytes return 4, 4, 2, 0 and 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn follows_several_small_reads(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    write_all(writer, b"0123456789")?;
    let counts = [(); 5].map(|()| read(&reader, &mut [0; 4]));
    expect_eq!(counts, [Ok(4), Ok(4), Ok(2), Ok(0), Ok(0)]);
    Ok(())
}

/// After the last writer closes, every `read` and `readv` returns 0, blocking or non-blocking and through every duplicate of the
/// read end.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "readv")]
fn is_persistent(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    drop(writer);
    let copy = dup(&reader)?;
    let mut buffer = [7; 2];
    for blocking in [true, false, true] {
        set_nonblocking(&reader, !blocking)?;
        expect_eq!((read(&reader, &mut buffer), read(&copy, &mut buffer)), (Ok(0), Ok(0)));
        expect_eq!(readv(&reader, &mut [IoSliceMut::new(&mut buffer)]), Ok(0));
    }
    expect_eq!((buffer, unread(&reader)), ([7; 2], Ok(0)));
    Ok(())
}

/// A process blocked in `read` on an empty pipe stays blocked when one of two write descriptors is closed. When the second is
/// closed, `read` returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn only_when_the_last_writer_closes(kind: Kind) -> Outcome {
    let (reader_end, first) = kind.open()?;
    let second = dup(&first)?;
    let reader = Participant::spawn("reader", reader_end, |end, _| read(&end, &mut [0; 1]))?;
    reader.until_blocked()?;
    drop(first);
    reader.expect_still_blocked()?;
    drop(second);
    expect_eq!(reader.join()?, Ok(0));
    Ok(())
}

/// A non-blocking `read` on the empty pipe fails with `EAGAIN` while any duplicate of the write end is open. After the last
/// duplicate is closed, `read` returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "dup")]
fn only_when_every_duplicate_is_closed(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    let mut copies = vec![dup(&writer)?, dup_close_on_exec(&writer)?, writer, dup(&reader)?];
    let (last, mut replaced) = (dup(&copies[0])?, dup(&reader)?);
    dup_onto(&copies[1], &mut replaced)?;
    copies.push(replaced);
    for index in [2, 0, 2, 0, 0] {
        drop(copies.remove(index));
        expect_eq!(next(&reader), Err(EAGAIN));
    }
    expect_eq!((write(&last, b"x"), next(&reader), next(&reader)), (Ok(1), Ok(b"x".to_vec()), Err(EAGAIN)));
    drop(last);
    expect_eq!(next(&reader), Ok(vec![]));
    Ok(())
}

/// If `dup2` replaces the last descriptor of the write end, a process blocked in `read` on the empty pipe is woken and `read`
/// returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "dup", posix = "read")]
fn when_dup2_replaces_the_last_writer(kind: Kind) -> Outcome {
    let (reader_end, mut writer) = kind.open()?;
    let (_other_reader, other_writer) = pipe()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| next(&end))?;
    reader.until_blocked()?;
    dup_onto(&other_writer, &mut writer)?;
    expect_eq!(reader.join()?, Ok(vec![]));
    Ok(())
}

/// If the process with the last write end exits, a process blocked in `read` on the empty pipe is woken and `read` returns 0,
/// even before the exited process has been waited for.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "_Exit")]
fn wakes_a_blocked_reader_when_the_last_writer_exits(kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |end, link| {
        link.wait("exit");
        // The descriptor is closed by the exit of the process.
        std::mem::forget(end);
    })?;
    let reader = Participant::spawn("reader", reader_end, |end, _| read(&end, &mut [0; 1]))?;
    reader.until_blocked()?;
    writer.open("exit")?;
    expect_eq!(reader.join()?, Ok(0));
    writer.join()?;
    Ok(())
}

/// If the process with the last write end is killed, a process blocked in `read` on the empty pipe is woken and `read` returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn wakes_a_blocked_reader_when_the_last_writer_is_killed(kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |_held, link| -> () { link.park() })?;
    let reader = Participant::spawn("reader", reader_end, |end, _| read(&end, &mut [0; 1]))?;
    reader.until_blocked()?;
    writer.kill()?;
    expect_eq!(reader.join()?, Ok(0));
    Ok(())
}

/// A process blocked in `read` on an empty pipe stays blocked while the last writer is stopped by `SIGSTOP`. When the stopped
/// writer is killed, `read` returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn when_a_stopped_writer_is_killed(kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |_held, link| -> () { link.park() })?;
    let reader = Participant::spawn("reader", reader_end, |end, _| next(&end))?;
    reader.until_blocked()?;
    writer.stop()?;
    reader.expect_still_blocked()?;
    writer.kill()?;
    expect_eq!(reader.join()?, Ok(vec![]));
    Ok(())
}

/// If the last writer is killed while it is blocked in a `write` of twice the capacity, `read` returns all bytes that the call
/// has added and then 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn follows_the_bytes_of_a_writer_killed_in_write(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = common::ends::capacity(kind)?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, &pattern(2 * capacity)))?;
    writer.until_blocked()?;
    writer.kill()?;
    let left = read_to_end(&reader);
    expect_eq!(left.as_deref(), Ok(&pattern(capacity)[..]));
    expect_eq!(next(&reader), Ok(vec![]));
    Ok(())
}

/// If the last writer writes 10 bytes and exits while a process is blocked in `read`, the blocked `read` returns the 10 bytes.
/// The next `read` calls return 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn follows_a_write_just_before_the_exit(kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |end, link| {
        link.wait("write");
        write(end, b"last bytes")
    })?;
    let reader = Participant::spawn("reader", reader_end, |end, _| (next(&end), next(&end), next(&end)))?;
    reader.until_blocked()?;
    writer.open("write")?;
    expect_eq!((writer.join()?, reader.join()?), (Ok(10), (Ok(b"last bytes".to_vec()), Ok(vec![]), Ok(vec![]))));
    Ok(())
}

/// If two processes close the last two write ends of an empty pipe at the same time, a blocking `read` on that pipe returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "close", man = "pipe(7)")]
fn when_two_writers_close_at_the_same_time(kind: Kind) -> Outcome {
    for _ in 0..6 {
        let (reader, writer) = kind.open()?;
        let (start, starter) = pipe()?;
        let close_at_start = |(start, end): (OwnedFd, OwnedFd), link: &Link| {
            let started = read(&start, &mut [0; 1]);
            drop(end);
            link.wait("exit");
            started
        };
        let first = Participant::spawn("first writer", (dup(&start)?, dup(&writer)?), close_at_start)?;
        let second = Participant::spawn("second writer", (start, writer), close_at_start)?;
        first.until_blocked()?;
        second.until_blocked()?;
        drop(starter);
        expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
        first.open("exit")?;
        second.open("exit")?;
        expect_eq!((first.join()?, second.join()?), (Ok(0), Ok(0)));
    }
    Ok(())
}

/// If three processes in a row each read one pipe until `read` returns 0, write all bytes to the next pipe and exit, and the
/// writer of the first pipe is killed, `read` on the last pipe returns all bytes and then 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn passes_through_a_pipeline(kind: Kind) -> Outcome {
    let (mut reader, source) = kind.open()?;
    let mut relays = Vec::new();
    for name in ["first relay", "second relay", "third relay"] {
        let (next_reader, writer) = kind.open()?;
        let relay = Participant::spawn(name, (reader, writer), |(from, to), _| -> Result<usize, Errno> {
            let all = read_to_end(&from)?;
            write_all(&to, &all)?;
            Ok(all.len())
        })?;
        reader = next_reader;
        relays.push(relay);
    }
    let victim = Participant::spawn("source", source, |end, link| -> Result<(), Errno> {
        write_all(&end, b"through")?;
        link.reached("written");
        link.park()
    })?;
    victim.until_reached("written")?;
    relays[2].until_blocked()?;
    victim.kill()?;
    expect_eq!((next(&reader), next(&reader)), (Ok(b"through".to_vec()), Ok(vec![])));
    for relay in relays {
        expect_eq!(relay.join()?, Ok(7));
    }
    Ok(())
}

/// On a FIFO whose only descriptor was opened with `O_RDWR`, a non-blocking `read` of the empty FIFO fails with `EAGAIN`, because
/// that descriptor is also a writer.
#[conformance::test(man = "fifo(7)")]
fn not_for_a_fifo_opened_read_write() -> Outcome {
    let (one, other) = open_nonblocking(Kind::FifoReadWrite)?;
    drop(other);
    expect_eq!((next(&one), write(&one, b"x")), (Err(EAGAIN), Ok(1)));
    expect_eq!((next(&one), next(&one)), (Ok(b"x".to_vec()), Err(EAGAIN)));
    Ok(())
}
