//! Several that wait on one pipe: all wake whom an event serves, nobody else is served, and nobody takes a wake-up to the grave.

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{reading, writing};
use common::pipe::Kind;

/// Of several readers asleep on a pipe, a single byte serves one; the others sleep on and are served by the next ones.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn wake_one_by_one_for_single_bytes(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let (told, tell) = pipe()?;
    let mut readers = Vec::new();
    for id in 0..3_u8 {
        let ends = (reader_end.try_clone()?, tell.try_clone()?);
        let reader = Participant::spawn(["first", "second", "third"][usize::from(id)], ends, move |(end, tell), _| {
            let got = read_some(&end, 1)?;
            write(&tell, &[id]).map(|_| got)
        })?;
        readers.push((id, reader));
    }
    for byte in *b"abc" {
        for (_, reader) in &readers {
            reader.until_blocked()?;
        }
        write(&writer, &[byte])?;
        let served = read_exactly(&told, 1)?[0];
        let place = readers.iter().position(|(id, _)| *id == served).unwrap_or(0);
        expect_eq!(readers.remove(place).1.join()?, Ok(vec![byte]));
        for (_, reader) in &readers {
            reader.expect_still_blocked()?;
        }
        expect_eq!((unread(&told), unread(&reader_end)), (Ok(0), Ok(0)));
    }
    Ok(())
}

/// Readers asleep for a byte each are all served by one write of as many bytes: who wakes first passes it on.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn wake_together_when_one_write_serves_all(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let mut readers = Vec::new();
    for name in ["first", "second", "third", "fourth"] {
        readers.push(reading(name, reader_end.try_clone()?, 1)?);
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

/// End-of-file wakes every sleeping reader.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn wake_together_at_the_end(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let mut readers = Vec::new();
    for name in ["first", "second", "third", "fourth"] {
        readers.push(reading(name, reader_end.try_clone()?, 1)?);
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

/// A reader that is killed in its sleep takes no wake-up with it: the write that follows serves another.
#[rstest]
#[conformance::test(posix = "read", man = "pipe(7)")]
fn to_read_pass_their_turn_on_when_killed(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let victim = reading("victim", reader_end.try_clone()?, 1)?;
    victim.until_blocked()?;
    let survivor = reading("survivor", reader_end, 1)?;
    survivor.until_blocked()?;
    victim.kill()?;
    survivor.expect_still_blocked()?;
    write(&writer, b"x")?;
    expect_eq!(survivor.join()?, Ok(b"x".to_vec()));
    Ok(())
}

/// Writers asleep on a full pipe all go on that fit into the room which one read makes.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn wake_together_when_one_read_makes_room_for_all(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let (capacity, size) = (fill(&writer_end)?, pipe_buf(&writer_end)?);
    let mut writers = Vec::new();
    for byte in 1..=3 {
        writers.push(writing("writer", writer_end.try_clone()?, byte, size)?);
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

/// Where there is room for one of two sleeping writers, one goes on and the other sleeps until there is more.
#[conformance::test(posix = "write", man = "pipe(7)")]
fn wake_one_by_one_for_room_for_one() -> Outcome {
    let (reader, writer_end) = pipe()?;
    let (told, tell) = pipe()?;
    let (capacity, size) = (fill(&writer_end)?, page_size().max(pipe_buf(&writer_end)?));
    let mut writers = Vec::new();
    for id in 0..2_u8 {
        let ends = (writer_end.try_clone()?, tell.try_clone()?);
        writers.push(Participant::spawn(["first", "second"][usize::from(id)], ends, move |(end, tell), _| {
            let count = write(&end, &vec![id; size])?;
            write(&tell, &[id]).map(|_| count)
        })?);
    }
    for writer in &writers {
        writer.until_blocked()?;
    }
    read_exactly(&reader, size)?;
    let done = usize::from(read_exactly(&told, 1)?[0]);
    expect_eq!(writers.remove(done).join()?, Ok(size));
    writers[0].expect_still_blocked()?;
    expect_eq!((unread(&told), unread(&reader)), (Ok(0), Ok(capacity)));
    read_exactly(&reader, size)?;
    expect_eq!(writers.remove(0).join()?, Ok(size));
    expect_eq!(unread(&reader), Ok(capacity));
    Ok(())
}

/// A writer that is killed in its sleep takes no wake-up with it, and none of its bytes are in the pipe.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn to_write_pass_their_turn_on_when_killed(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    let victim = writing("victim", writer_end.try_clone()?, 1, 100)?;
    victim.until_blocked()?;
    let survivor = writing("survivor", writer_end, 2, 100)?;
    survivor.until_blocked()?;
    victim.kill()?;
    survivor.expect_still_blocked()?;
    read_exactly(&reader, capacity)?;
    expect_eq!(survivor.join()?, Ok(100));
    expect_eq!(read_to_end(&reader), Ok(vec![2; 100]));
    Ok(())
}

/// A small writer is not held up for good by a large write that is half done: both get in, and the small one in one piece.
#[conformance::test(posix = "write")]
fn with_a_record_get_past_a_large_write() -> Outcome {
    let (reader, writer_end) = pipe()?;
    let capacity = fill(&writer_end)?;
    read_exactly(&reader, capacity)?;
    let large = writing("large", writer_end.try_clone()?, b'L', 2 * capacity)?;
    large.until_blocked()?;
    let small = writing("small", writer_end, b's', 50)?;
    small.until_blocked()?;
    let all = read_to_end(&reader)?;
    expect_eq!((large.join()?, small.join()?), (Ok(2 * capacity), Ok(50)));
    expect_eq!(all.len(), 2 * capacity + 50);
    // All of the small one stands in one place, and all around it is of the large one.
    let first = all.iter().position(|&byte| byte == b's').unwrap_or(0);
    let (before, rest) = all.split_at(first);
    expect_eq!(rest[..50].to_vec(), vec![b's'; 50]);
    expect!([before, &rest[50..]].concat() == vec![b'L'; 2 * capacity]);
    Ok(())
}
