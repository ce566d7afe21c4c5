//! End-of-file: what a reader sees once nobody can write any more, after everything that was written, and not before.

use std::io::IoSliceMut;

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{next, not_waiting};
use common::pipe::Kind;

/// A read returns the bytes that are still buffered, and then 0, once every write end is closed.
#[rstest]
#[case::nothing_buffered(|_| 0)]
#[case::one_byte(|_| 1)]
#[case::one_page(|page| page)]
#[case::over_a_page(|page| page + 1)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn follows_the_buffered_bytes(#[case] buffered: fn(usize) -> usize, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let bytes = pattern(buffered(page_size()));
    write_all(writer, &bytes)?;
    expect_eq!(read_to_end(&reader), Ok(bytes));
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}

/// A full pipe without a writer is read to its last byte.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn follows_a_full_buffer(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let full = fill(&writer)?;
    drop(writer);
    expect_eq!((unread(&reader), read_to_end(&reader).map(|bytes| bytes.len())), (Ok(full), Ok(full)));
    Ok(())
}

/// Reads that are too small for what is left get it piece by piece; the last piece is as short as it is, and then comes 0.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn waits_for_partial_reads(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    write_all(writer, b"0123456789")?;
    let counts = [(); 5].map(|()| read(&reader, &mut [0; 4]));
    expect_eq!(counts, [Ok(4), Ok(4), Ok(2), Ok(0), Ok(0)]);
    Ok(())
}

/// It is a state: every read sees it, whether or not it may wait, through every duplicate, in vectors too, and no buffer changes.
#[rstest]
#[conformance::test(posix = "read", posix = "readv")]
fn stays(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    drop(writer);
    let copy = dup(&reader)?;
    let mut buffer = [7; 2];
    for waits in [true, false, true] {
        set_nonblocking(&reader, !waits)?;
        expect_eq!((read(&reader, &mut buffer), read(&copy, &mut buffer)), (Ok(0), Ok(0)));
        expect_eq!(readv(&reader, &mut [IoSliceMut::new(&mut buffer)]), Ok(0));
    }
    expect_eq!((buffer, unread(&reader)), ([7; 2], Ok(0)));
    Ok(())
}

/// A reader blocked on an empty channel sleeps on while one of two writers closes, and sees end-of-file when the other does.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn takes_the_last_writer(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// Duplicates, in whatever order they are closed, keep it away up to the last one, which can still write.
#[rstest]
#[conformance::test(posix = "read", posix = "dup")]
fn waits_for_every_duplicate(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
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

/// `dup2` onto the last writer closes it.
#[rstest]
#[conformance::test(posix = "dup", posix = "read")]
fn follows_a_writer_that_is_replaced(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, mut writer) = kind.open()?;
    let (_other_reader, other_writer) = pipe()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| next(&end))?;
    reader.until_blocked()?;
    dup_onto(&other_writer, &mut writer)?;
    expect_eq!(reader.join()?, Ok(vec![]));
    Ok(())
}

/// A reader blocked on an empty pipe wakes up with end-of-file when the last writer exits, before anybody has waited for it.
#[rstest]
#[conformance::test(posix = "read", posix = "_Exit")]
fn wakes_a_blocked_reader_when_the_last_writer_exits(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |end, link| {
        link.wait("exit");
        // The process takes the descriptor with it.
        std::mem::forget(end);
    })?;
    let reader = Participant::spawn("reader", reader_end, |end, _| read(&end, &mut [0; 1]))?;
    reader.until_blocked()?;
    writer.open("exit")?;
    expect_eq!(reader.join()?, Ok(0));
    writer.join()?;
    Ok(())
}

/// A reader blocked on an empty pipe wakes up with end-of-file when the last writer is killed.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn wakes_a_blocked_reader_when_the_last_writer_is_killed(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |_held, link| -> () { link.park() })?;
    let reader = Participant::spawn("reader", reader_end, |end, _| read(&end, &mut [0; 1]))?;
    reader.until_blocked()?;
    writer.kill()?;
    expect_eq!(reader.join()?, Ok(0));
    Ok(())
}

/// A stopped writer is a writer; killed while it is stopped, it is none.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn waits_for_a_stopped_writer_to_be_killed(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// A writer that is killed while it waits for room leaves what it had written, all of it, and then end-of-file.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn follows_the_bytes_of_a_writer_killed_in_a_write(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let room = common::ends::capacity(kind)?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, &pattern(2 * room)))?;
    writer.until_blocked()?;
    writer.kill()?;
    let left = read_to_end(&reader);
    expect_eq!(left.as_deref(), Ok(&pattern(room)[..]));
    expect_eq!(next(&reader), Ok(vec![]));
    Ok(())
}

/// A blocked reader whose writer writes once and is gone gets the bytes first.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn does_not_overtake_last_words(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |end, link| {
        link.wait("speak");
        write(end, b"last words")
    })?;
    let reader = Participant::spawn("reader", reader_end, |end, _| (next(&end), next(&end), next(&end)))?;
    reader.until_blocked()?;
    writer.open("speak")?;
    expect_eq!((writer.join()?, reader.join()?), (Ok(10), (Ok(b"last words".to_vec()), Ok(vec![]), Ok(vec![]))));
    Ok(())
}

/// Two processes that give up the last two writers at the same time leave none behind.
#[rstest]
#[conformance::test(posix = "close", man = "pipe(7)")]
fn is_not_lost_when_two_writers_go_at_once(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    for _ in 0..6 {
        let (reader, writer) = kind.open()?;
        let (start, starter) = pipe()?;
        let close_at_start = |(start, end): (OwnedFd, OwnedFd), link: &Link| {
            let started = read(&start, &mut [0; 1]);
            drop(end);
            link.wait("exit");
            started
        };
        let one = Participant::spawn("one writer", (dup(&start)?, dup(&writer)?), close_at_start)?;
        let other = Participant::spawn("other writer", (start, writer), close_at_start)?;
        one.until_blocked()?;
        other.until_blocked()?;
        drop(starter);
        expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
        one.open("exit")?;
        other.open("exit")?;
        expect_eq!((one.join()?, other.join()?), (Ok(0), Ok(0)));
    }
    Ok(())
}

/// End-of-file runs through a pipeline: each process that sees it ends, and so hands it on, behind the bytes.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn runs_through_a_pipeline(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// A channel that is open for both directions in one description has always a writer.
#[conformance::test(man = "fifo(7)")]
fn never_comes_while_one_descriptor_does_both() -> Outcome {
    let (one, other) = not_waiting(Kind::FifoReadWrite)?;
    drop(other);
    expect_eq!((next(&one), write(&one, b"x")), (Err(EAGAIN), Ok(1)));
    expect_eq!((next(&one), next(&one)), (Ok(b"x".to_vec()), Err(EAGAIN)));
    Ok(())
}
