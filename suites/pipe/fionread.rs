//! `ioctl(FIONREAD)`: the number of unread bytes in a pipe, from either end.
//!
//! POSIX does not have this request; pipe(7) promises the count on both ends.

use std::io::IoSlice;

use conformance::prelude::*;
use proptest::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, every_pipe, pipe_and_fifo};

/// `ioctl(FIONREAD)` on either end of an empty pipe or FIFO gives 0, and after a `write` of 300 bytes it gives 300.
#[apply(every_pipe)]
#[conformance::test(man = "pipe(7)")]
fn counts_at_both_ends(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    expect_eq!((unread(&reader), unread(&writer)), (Ok(0), Ok(0)));
    write(&writer, &pattern(300))?;
    expect_eq!((unread(&reader), unread(&writer)), (Ok(300), Ok(300)));
    Ok(())
}

/// After each `read` that returns n, `ioctl(FIONREAD)` on both ends gives n less than before.
#[rstest]
#[case::reads_of_1_byte(1, 40)]
#[case::reads_of_777_bytes(777, 10_000)]
#[case::reads_of_4095_bytes(4095, 20_000)]
#[case::reads_of_4097_bytes(4097, 20_000)]
#[conformance::test(man = "pipe(7)")]
fn decreases_by_the_count_of_each_read(#[case] piece: usize, #[case] total: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    // One large `write` and several small ones fill the buffers of the pipe differently.
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

/// After `writev` of segments of 0, 3, 0, 500 and 1 bytes, `ioctl(FIONREAD)` gives 504.
#[conformance::test(man = "pipe(7)", posix = "writev", level = documented)]
fn increases_by_the_count_of_writev() -> Outcome {
    let (reader, writer) = pipe()?;
    let pieces: [&[u8]; 5] = [b"", b"abc", b"", &pattern(500), b"d"];
    expect_eq!(writev(&writer, &pieces.map(IoSlice::new)), Ok(504));
    expect_eq!(unread(&reader), Ok(504));
    Ok(())
}

/// On a full pipe, `ioctl(FIONREAD)` gives the same number after a `write` that fails with `EAGAIN`, a `write` of 0 bytes and a
/// `read` of 0 bytes.
#[conformance::test(man = "pipe(7)", level = customary)]
fn stays_after_calls_that_transfer_no_byte() -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = fill(&writer)?;
    set_nonblocking(&writer, true)?;
    expect_eq!((write(&writer, b"x"), unread(&reader)), (Err(EAGAIN), Ok(capacity)));
    expect_eq!((read(&reader, &mut []), unread(&reader)), (Ok(0), Ok(capacity)));
    expect_eq!((write(&writer, b""), unread(&writer)), (Ok(0), Ok(capacity)));
    Ok(())
}

/// After the last writer has closed, `ioctl(FIONREAD)` on the read end gives the number of unread bytes. After the last reader
/// has closed, `ioctl(FIONREAD)` on the write end gives the number of unread bytes.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "pipe(7)")]
fn stays_after_the_other_end_closes(kind: Kind) -> Outcome {
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

/// After a process that has read 5 of 12 bytes is killed, `ioctl(FIONREAD)` on another descriptor of the read end gives 7.
#[conformance::test(man = "pipe(7)")]
fn stays_after_a_reader_is_killed() -> Outcome {
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

/// While a process is blocked in a `write` of more than the capacity, `ioctl(FIONREAD)` on both ends gives the capacity.
#[conformance::test(man = "pipe(7)")]
fn includes_bytes_of_a_blocked_write() -> Outcome {
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

/// After each call of a random sequence of non-blocking `write` and `read` calls, `ioctl(FIONREAD)` on both ends gives the sum of
/// the counts that `write` has returned minus the sum of the counts that `read` has returned.
#[conformance::test(man = "pipe(7)")]
fn is_bytes_written_minus_bytes_read() -> Outcome {
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
