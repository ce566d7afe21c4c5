//! Several processes blocked on one pipe: an event wakes every process that it allows to continue, and a killed process does not
//! use up the wake-up of another.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{spawn_reader, spawn_writer};
use common::pipe::{Kind, pipe_and_fifo};

/// If three processes are blocked in `read` of 1 byte on an empty pipe, after each `write` of 1 byte the `read` of exactly one of
/// them returns that byte, and the others stay blocked.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)", level = customary)]
fn one_byte_ends_one_of_three_reads(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let (reports, report) = pipe()?;
    let mut readers = Vec::new();
    for id in 0..3_u8 {
        let ends = (reader_end.try_clone()?, report.try_clone()?);
        let reader = Participant::spawn(
            ["first reader", "second reader", "third reader"][usize::from(id)],
            ends,
            move |(end, report), _| {
                let got = read_some(&end, 1)?;
                write(&report, &[id]).map(|_| got)
            },
        )?;
        readers.push((id, reader));
    }
    for byte in *b"abc" {
        for (_, reader) in &readers {
            reader.until_blocked()?;
        }
        write(&writer, &[byte])?;
        let served = read_exactly(&reports, 1)?[0];
        let place = readers.iter().position(|(id, _)| *id == served).unwrap_or(0);
        expect_eq!(readers.remove(place).1.join()?, Ok(vec![byte]));
        for (_, reader) in &readers {
            reader.expect_still_blocked()?;
        }
        expect_eq!((unread(&reports), unread(&reader_end)), (Ok(0), Ok(0)));
    }
    Ok(())
}

/// If four processes are blocked in `read` of 1 byte on an empty pipe, one `write` of 4 bytes wakes all of them, and each `read`
/// returns a different one of the 4 bytes.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)", level = customary, fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn one_write_ends_four_reads(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let mut readers = Vec::new();
    for name in ["first reader", "second reader", "third reader", "fourth reader"] {
        readers.push(spawn_reader(name, reader_end.try_clone()?, 1)?);
    }
    for reader in &readers {
        reader.until_blocked()?;
    }
    expect_eq!(write(&writer, b"abcd"), Ok(4));
    let mut seen = Vec::new();
    for reader in readers {
        seen.extend(reader.join()?.unwrap_or_default());
    }
    seen.sort_unstable();
    expect_eq!((seen, unread(&reader_end)), (b"abcd".to_vec(), Ok(0)));
    Ok(())
}

/// If four processes are blocked in `read` of 1 byte on an empty pipe, all of them are woken when the last writer closes, and
/// each `read` returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn last_close_ends_four_reads(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let mut readers = Vec::new();
    for name in ["first reader", "second reader", "third reader", "fourth reader"] {
        readers.push(spawn_reader(name, reader_end.try_clone()?, 1)?);
    }
    for reader in &readers {
        reader.until_blocked()?;
    }
    drop(writer);
    for reader in readers {
        expect_eq!(reader.join()?, Ok(vec![]));
    }
    Ok(())
}

/// If the first of two processes blocked in `read` on an empty pipe is killed, the second stays blocked, and its `read` returns
/// the byte of the next `write`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn write_after_a_kill_wakes_the_second_reader(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let victim = spawn_reader("victim", reader_end.try_clone()?, 1)?;
    victim.until_blocked()?;
    let survivor = spawn_reader("survivor", reader_end, 1)?;
    survivor.until_blocked()?;
    victim.kill()?;
    survivor.expect_still_blocked()?;
    write(&writer, b"x")?;
    expect_eq!(survivor.join()?, Ok(b"x".to_vec()));
    Ok(())
}

/// If three processes are blocked in `write` of `PIPE_BUF` bytes on a full pipe, each `write` returns `PIPE_BUF` after three
/// pages, at least 3 × `PIPE_BUF` bytes, have been read. `read` then returns the bytes of each `write` without a byte of another
/// between them.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", man = "pipe(7)", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn one_read_ends_three_writes(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let (capacity, size) = (fill(&writer_end)?, pipe_buf(&writer_end)?);
    let mut writers = Vec::new();
    for byte in 1..=3 {
        writers.push(spawn_writer("writer", writer_end.try_clone()?, byte, size)?);
    }
    for writer in &writers {
        writer.until_blocked()?;
    }
    read_exactly(&reader, 3 * page_size().max(size))?;
    for writer in writers {
        expect_eq!(writer.join()?, Ok(size));
    }
    let left = capacity - 3 * page_size().max(size);
    expect_eq!(unread(&reader), Ok(left + 3 * size));
    read_exactly(&reader, left)?;
    // Each write is in one piece.
    let mut pieces: Vec<Vec<u8>> = read_exactly(&reader, 3 * size)?.chunks(size).map(<[u8]>::to_vec).collect();
    pieces.sort_unstable();
    expect_eq!(pieces, (1..=3).map(|byte| vec![byte; size]).collect::<Vec<_>>());
    Ok(())
}

/// If two processes are blocked in `write` of a page on a full pipe and a page is read, the `write` of one of them returns its
/// whole count, and the other stays blocked until another page is read.
#[conformance::test(posix = "write", man = "pipe(7)")]
fn space_for_one_ends_one_of_two_writes() -> Outcome {
    let (reader, writer_end) = pipe()?;
    let (reports, report) = pipe()?;
    let (capacity, size) = (fill(&writer_end)?, page_size().max(pipe_buf(&writer_end)?));
    let mut writers = Vec::new();
    for id in 0..2_u8 {
        let ends = (writer_end.try_clone()?, report.try_clone()?);
        writers.push(Participant::spawn(["first writer", "second writer"][usize::from(id)], ends, move |(end, report), _| {
            let count = write(&end, &vec![id; size])?;
            write(&report, &[id]).map(|_| count)
        })?);
    }
    for writer in &writers {
        writer.until_blocked()?;
    }
    read_exactly(&reader, size)?;
    let done = usize::from(read_exactly(&reports, 1)?[0]);
    expect_eq!(writers.remove(done).join()?, Ok(size));
    writers[0].expect_still_blocked()?;
    expect_eq!((unread(&reports), unread(&reader)), (Ok(0), Ok(capacity)));
    read_exactly(&reader, size)?;
    expect_eq!(writers.remove(0).join()?, Ok(size));
    expect_eq!(unread(&reader), Ok(capacity));
    Ok(())
}

/// If the first of two processes blocked in `write` on a full pipe is killed, the second stays blocked until all bytes of the
/// pipe are read, and its `write` returns its whole count. `read` returns no byte of the killed writer.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn read_after_a_kill_wakes_the_second_writer(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    let victim = spawn_writer("victim", writer_end.try_clone()?, 1, 100)?;
    victim.until_blocked()?;
    let survivor = spawn_writer("survivor", writer_end, 2, 100)?;
    survivor.until_blocked()?;
    victim.kill()?;
    survivor.expect_still_blocked()?;
    read_exactly(&reader, capacity)?;
    expect_eq!(survivor.join()?, Ok(100));
    expect_eq!(read_to_end(&reader), Ok(vec![2; 100]));
    Ok(())
}

/// If one process is blocked in a `write` of twice the capacity, which has filled the pipe, and another in a `write` of 50 bytes,
/// both calls return their whole counts when the pipe is read. `read` returns the 50 bytes without a byte of the large `write`
/// between them.
#[conformance::test(posix = "write")]
fn small_write_completes_beside_a_large_one() -> Outcome {
    let (reader, writer_end) = pipe()?;
    let capacity = fill(&writer_end)?;
    read_exactly(&reader, capacity)?;
    let large = spawn_writer("large writer", writer_end.try_clone()?, b'L', 2 * capacity)?;
    large.until_blocked()?;
    let small = spawn_writer("small writer", writer_end, b's', 50)?;
    small.until_blocked()?;
    let all = read_to_end(&reader)?;
    expect_eq!((large.join()?, small.join()?), (Ok(2 * capacity), Ok(50)));
    expect_eq!(all.len(), 2 * capacity + 50);
    // The bytes of the small `write` are in one piece, and all others are of the large one.
    let first = all.iter().position(|&byte| byte == b's').unwrap_or(0);
    let (before, rest) = all.split_at(first);
    expect_eq!(rest[..50].to_vec(), vec![b's'; 50]);
    expect_eq!([before, &rest[50..]].concat(), vec![b'L'; 2 * capacity]);
    Ok(())
}
