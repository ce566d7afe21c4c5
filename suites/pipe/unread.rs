//! `FIONREAD`: how many bytes are in a pipe, at any time and from either end.
//!
//! No standard has it; pipe(7) promises the count on both ends.

use std::io::IoSlice;

use conformance::prelude::*;
use proptest::prelude::*;
use rstest::rstest;

use common::pipe::Kind;

/// An empty pipe holds nothing; after a write both ends count its bytes.
#[rstest]
#[conformance::test(man = "pipe(7)")]
fn is_counted_at_both_ends(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    expect_eq!((unread(&reader), unread(&writer)), (Ok(0), Ok(0)));
    write(&writer, &pattern(300))?;
    expect_eq!((unread(&reader), unread(&writer)), (Ok(300), Ok(300)));
    Ok(())
}

/// Each read takes off exactly what it returned, within a page and across pages, down to nothing.
#[rstest]
#[case::single_bytes(1, 40)]
#[case::odd_pieces(777, 10_000)]
#[case::just_under_a_page(4095, 20_000)]
#[case::just_over_a_page(4097, 20_000)]
#[conformance::test(man = "pipe(7)")]
fn falls_by_what_was_read(#[case] piece: usize, #[case] total: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    // All at once and in bits: both make segments, of different shapes.
    write_all(&writer, &pattern(total / 2))?;
    for bytes in pattern(total - total / 2).chunks(1000) {
        write(&writer, bytes)?;
    }
    let mut left = total;
    while left > 0 {
        let count = read(&reader, &mut vec![0; piece])?;
        left -= count;
        expect_eq!((unread(&reader), unread(&writer)), (Ok(left), Ok(left)));
    }
    Ok(())
}

/// The pieces of a `writev` count together, empty ones as nothing.
#[conformance::test(man = "pipe(7)", posix = "writev", level = documented)]
fn rises_by_all_pieces_of_a_gathered_write() -> Outcome {
    let (reader, writer) = pipe()?;
    let pieces: [&[u8]; 5] = [b"", b"abc", b"", &pattern(500), b"d"];
    expect_eq!(writev(&writer, &pieces.map(IoSlice::new)), Ok(504));
    expect_eq!(unread(&reader), Ok(504));
    Ok(())
}

/// Calls that move nothing change nothing: a refused write, an empty one, a read of nothing.
#[conformance::test(man = "pipe(7)")]
fn is_left_alone_by_what_moves_nothing() -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = fill(&writer)?;
    set_nonblocking(&writer, true)?;
    expect_eq!((write(&writer, b"x"), unread(&reader)), (Err(EAGAIN), Ok(capacity)));
    expect_eq!((read(&reader, &mut []), unread(&reader)), (Ok(0), Ok(capacity)));
    expect_eq!((write(&writer, b""), unread(&writer)), (Ok(0), Ok(capacity)));
    Ok(())
}

/// Closing the writer leaves the count to the reader, and closing the reader leaves it to the writer.
#[rstest]
#[conformance::test(man = "pipe(7)")]
fn outlives_the_other_end(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    write(&writer, &pattern(5000))?;
    drop(writer);
    read_exactly(&reader, 1000)?;
    expect_eq!(unread(&reader), Ok(4000));
    let (reader, writer) = kind.open()?;
    write(&writer, &pattern(5000))?;
    drop(reader);
    expect_eq!(unread(&writer), Ok(5000));
    Ok(())
}

/// A reader that is killed takes nothing with it that it had not read.
#[conformance::test(man = "pipe(7)")]
fn is_what_a_killed_reader_left() -> Outcome {
    let (reader_end, writer) = pipe()?;
    let kept = reader_end.try_clone()?;
    let reader = Participant::spawn("reader", reader_end, |end, link| {
        read(&end, &mut [0; 5]).expect("bytes to read");
        link.meet("to be killed");
    })?;
    write(&writer, b"hello, world")?;
    reader.until_reached("to be killed")?;
    reader.kill()?;
    expect_eq!(unread(&kept), Ok(7));
    expect_eq!(read_some(&kept, 100), Ok(b", world".to_vec()));
    Ok(())
}

/// While a long write waits for room, what it has put in counts already.
#[conformance::test(man = "pipe(7)")]
fn includes_what_a_blocked_writer_has_put_in() -> Outcome {
    let (reader, writer_end) = pipe()?;
    let probe = writer_end.try_clone()?;
    let capacity = fill(&probe)?;
    read_exactly(&reader, capacity)?;
    let writer = Participant::spawn("writer", writer_end, move |end, _| write(&end, &pattern(capacity + 10)))?;
    writer.until_blocked()?;
    expect_eq!((unread(&reader), unread(&probe)), (Ok(capacity), Ok(capacity)));
    read_exactly(&reader, capacity)?;
    expect_eq!(writer.join()?, Ok(capacity + 10));
    expect_eq!((unread(&reader), unread(&probe)), (Ok(10), Ok(10)));
    Ok(())
}

/// In any interleaving of writes and reads of any sizes the count is what was written less what was read.
#[conformance::test(man = "pipe(7)")]
fn is_always_the_difference_of_written_and_read() -> Outcome {
    let turns = prop::collection::vec((any::<bool>(), 1_usize..6000), 1..60);
    property(&turns, |turns| {
        let (reader, writer) = pipe()?;
        set_nonblocking(&reader, true)?;
        set_nonblocking(&writer, true)?;
        let mut held = 0;
        for (writes, size) in turns {
            if writes {
                held += write(&writer, &vec![1; size]).unwrap_or(0);
            } else {
                held -= read(&reader, &mut vec![0; size]).unwrap_or(0);
            }
            expect_eq!((unread(&reader), unread(&writer)), (Ok(held), Ok(held)));
        }
        Ok(())
    })
}
