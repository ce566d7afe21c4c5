//! Atomicity: a write of at most `PIPE_BUF` bytes is never mixed with another's; longer ones may be, but lose nothing.
//!
//! Records say who wrote them, how long they are and which number they have, so that a torn, lost or repeated one shows.

use std::io::IoSlice;

use conformance::prelude::*;
use rstest::rstest;

use super::records::{Record, Seen};
use common::pipe::Kind;

/// Records that each writer writes.
const RECORDS: u32 = 40;

/// Small writes of several writers at once arrive whole, each writer's in order, whatever their sizes and the reader's.
#[rstest]
#[case::equal_and_tiny(&[12], 4096)]
#[case::straddling_pages(&[700, 1, 4000], 65_536)]
#[case::the_largest(&[4096], 10_000)]
#[case::mixed_into_an_odd_reader(&[12, 511, 4095, 4096, 100], 777)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn holds_for_small_writes_of_many_writers(
    #[case] sizes: &'static [usize],
    #[case] piece: usize,
    #[values(Kind::Pipe, Kind::Fifo)] kind: Kind,
) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let limit = pipe_buf(&writer_end)?;
    let mut writers = Vec::new();
    for id in 0..4 {
        writers.push(Participant::spawn("writer", writer_end.try_clone()?, move |end, _| -> Result<(), Errno> {
            for number in 0..RECORDS {
                let size = sizes[(number as usize + usize::from(id)) % sizes.len()].min(limit);
                let record = Record::new(id, 0, number).bytes(size);
                if write(&end, &record)? != record.len() {
                    return Err(EIO);
                }
            }
            Ok(())
        })?);
    }
    drop(writer_end);
    let mut seen = Seen::default();
    loop {
        let bytes = read_some(&reader, piece)?;
        if bytes.is_empty() {
            break;
        }
        seen.take(&bytes)?;
    }
    for writer in writers {
        expect_eq!(writer.join()?, Ok(()));
    }
    seen.expect_ended()?;
    expect_eq!(seen.counts(), vec![RECORDS; 4]);
    Ok(())
}

/// A gathered write of at most `PIPE_BUF` bytes in all is as atomic as a plain one, however many pieces it is made of.
#[rstest]
#[case::few_pieces(3)]
#[case::many_pieces(200)]
#[conformance::test(posix = "writev", posix = "write")]
fn holds_for_gathered_writes(#[case] pieces: usize) -> Outcome {
    let (reader, writer_end) = pipe()?;
    let limit = pipe_buf(&writer_end)?;
    let mut writers = Vec::new();
    for id in 0..3 {
        writers.push(Participant::spawn("writer", writer_end.try_clone()?, move |end, _| -> Result<(), Errno> {
            for number in 0..RECORDS {
                let record = Record::new(id, 0, number).bytes(limit - number as usize);
                let parts: Vec<IoSlice<'_>> = record.chunks(record.len().div_ceil(pieces)).map(IoSlice::new).collect();
                if writev(&end, &parts)? != record.len() {
                    return Err(EIO);
                }
            }
            Ok(())
        })?);
    }
    drop(writer_end);
    let mut seen = Seen::default();
    seen.take(&read_to_end(&reader)?)?;
    for writer in writers {
        expect_eq!(writer.join()?, Ok(()));
    }
    seen.expect_ended()?;
    expect_eq!(seen.counts(), vec![RECORDS; 3]);
    Ok(())
}

/// A small write that has to wait puts in nothing before it can put in all: another that fits goes first, and neither is split.
#[conformance::test(posix = "write")]
fn keeps_a_waiting_write_out_entirely() -> Outcome {
    let (reader, writer_end) = pipe()?;
    let (capacity, size) = (fill(&writer_end)?, pipe_buf(&writer_end)?);
    let writer = Participant::spawn("waiting", writer_end.try_clone()?, move |end, _| write(&end, &vec![b'w'; size]))?;
    writer.until_blocked()?;
    read_exactly(&reader, size / 2)?;
    writer.expect_still_blocked()?;
    expect_eq!(unread(&reader), Ok(capacity - size / 2));
    // What goes first is a small write that does fit, here or later.
    set_nonblocking(&writer_end, true)?;
    let overtaking = write(&writer_end, b"!").unwrap_or(0);
    set_nonblocking(&writer_end, false)?;
    expect_eq!(unread(&reader), Ok(capacity - size / 2 + overtaking));
    read_exactly(&reader, capacity - size / 2)?;
    expect_eq!(read_exactly(&reader, overtaking), Ok(vec![b'!'; overtaking]));
    expect_eq!(writer.join()?, Ok(size));
    expect_eq!(read_some(&reader, capacity), Ok(vec![b'w'; size]));
    Ok(())
}

/// The tail of the last page is not used for a part of a small write: it goes in whole behind it, or waits.
#[rstest]
#[case::one_byte_short(4095, 2)]
#[case::half(2048, 4096)]
#[conformance::test(posix = "write")]
fn holds_across_the_end_of_a_page(#[case] first: usize, #[case] second: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    let limit = pipe_buf(&writer)?;
    set_nonblocking(&writer, true)?;
    let mut expected = Vec::new();
    for turn in 0_u8..=255 {
        let bytes = vec![turn; if turn % 2 == 0 { first.min(limit) } else { second.min(limit) }];
        match write(&writer, &bytes) {
            Err(EAGAIN) => break,
            other => expect_eq!(other, Ok(bytes.len())),
        }
        expected.extend(bytes);
    }
    expect_eq!(unread(&reader), Ok(expected.len()));
    expect_eq!(read_exactly(&reader, expected.len()), Ok(expected));
    Ok(())
}

/// Long writes of several writers may interleave, but every byte arrives, and each writer's in the order in which it wrote them.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn is_not_promised_for_long_writes_but_order_is(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let (sizes, mut writers) = ([100_000_usize, 65_537, 5000], Vec::new());
    for (id, size) in sizes.into_iter().enumerate() {
        writers.push(Participant::spawn("writer", writer_end.try_clone()?, move |end, _| write(&end, &marked(id, size)))?);
    }
    drop(writer_end);
    let all = read_to_end(&reader)?;
    for (id, writer) in writers.into_iter().enumerate() {
        expect_eq!(writer.join()?, Ok(sizes[id]));
        let own: Vec<u8> = all.iter().copied().filter(|&byte| usize::from(byte >> 6) == id).collect();
        expect!(own == marked(id, sizes[id]), "writer {id}: {} bytes of {} came, or out of order", own.len(), sizes[id]);
    }
    expect_eq!(all.len(), sizes.iter().sum::<usize>());
    Ok(())
}

/// Bytes that say in their upper bits who wrote them and in their lower bits where they belong.
fn marked(id: usize, size: usize) -> Vec<u8> {
    let id = u8::try_from(id << 6).unwrap_or(0);
    (0..size).map(|index| id | u8::try_from(index % 61).unwrap_or(0)).collect()
}
