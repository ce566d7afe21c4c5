//! Atomicity: a `write` of at most `PIPE_BUF` bytes is never mixed with bytes of other writers. Longer writes may be mixed, but
//! lose no byte.
//!
//! Records say who wrote them, how long they are and which number they have, so that a torn, lost or repeated record is found.

use std::io::IoSlice;

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::record_fixture::{Record, Seen};
use common::pipe::{Kind, pipe_and_fifo};

/// Records that each writer writes.
const RECORDS: u32 = 40;

/// If four processes call `write` with records of at most `PIPE_BUF` bytes on one pipe at the same time, each `write` returns its
/// whole count. `read` returns the bytes of every record without a byte of another record between them, and the records of each
/// writer in the order of its calls.
#[apply(pipe_and_fifo)]
#[case::records_of_12_bytes(&[12], 4096)]
#[case::records_across_pages(&[700, 1, 4000], 65_536)]
#[case::records_of_pipe_buf_bytes(&[4096], 10_000)]
#[case::mixed_sizes_read_777_bytes_at_a_time(&[12, 511, 4095, 4096, 100], 777)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn small_writes_of_four_writers(#[case] sizes: &'static [usize], #[case] piece: usize, kind: Kind) -> Outcome {
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

/// If three processes call `writev` with records of at most `PIPE_BUF` bytes in 3 or 200 segments on one pipe at the same time,
/// each `writev` returns its whole count. `read` returns the bytes of every record without a byte of another record between them.
#[rstest]
#[case::three_segments(3)]
#[case::two_hundred_segments(200)]
#[conformance::test(posix = "writev", posix = "write")]
fn writev_of_three_writers(#[case] pieces: usize) -> Outcome {
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

/// A blocking `write` of `PIPE_BUF` bytes to a pipe with `PIPE_BUF` / 2 free bytes stays blocked and adds no byte. After all
/// unread bytes have been read, `write` returns `PIPE_BUF`, and one `read` returns exactly its bytes.
#[conformance::test(posix = "write")]
fn blocked_write_adds_no_part() -> Outcome {
    let (reader, writer_end) = pipe()?;
    let (capacity, size) = (fill(&writer_end)?, pipe_buf(&writer_end)?);
    let writer = Participant::spawn("writer", writer_end.try_clone()?, move |end, _| write(&end, &vec![b'w'; size]))?;
    writer.until_blocked()?;
    read_exactly(&reader, size / 2)?;
    writer.expect_still_blocked()?;
    expect_eq!(unread(&reader), Ok(capacity - size / 2));
    // A small write that fits may overtake the blocked one; whether there is space for it is the system's choice.
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

/// Non-blocking `write` calls of 4095 and 2 bytes in turn, or of 2048 and 4096 bytes in turn, each of `PIPE_BUF` bytes if that is
/// less, return their whole counts until one fails with `EAGAIN` and adds no byte. `read` then returns all added bytes in order.
#[rstest]
#[case::one_byte_does_not_fit(4095, 2)]
#[case::half_a_page_does_not_fit(2048, 4096)]
#[conformance::test(posix = "write")]
fn small_write_is_whole_at_a_page_end(#[case] first: usize, #[case] second: usize) -> Outcome {
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

/// If three processes call `write` with more than `PIPE_BUF` bytes each on one pipe at the same time, each `write` returns its
/// whole count. `read` returns every byte once, and the bytes of each writer in the order of its buffer.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn long_writes_keep_order_per_writer(kind: Kind) -> Outcome {
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
        expect!(own == marked(id, sizes[id]), "writer {id}: {} of {} bytes were read, or not in order", own.len(), sizes[id]);
    }
    expect_eq!(all.len(), sizes.iter().sum::<usize>());
    Ok(())
}

/// Bytes that say in their upper bits who wrote them and in their lower bits where they belong.
fn marked(id: usize, size: usize) -> Vec<u8> {
    let id = u8::try_from(id << 6).unwrap_or(0);
    (0..size).map(|index| id | u8::try_from(index % 61).unwrap_or(0)).collect()
}
