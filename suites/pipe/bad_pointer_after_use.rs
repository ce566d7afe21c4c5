//! Invalid pointers on a pipe that has been in use: every buffer of the pipe has held bytes before, and `EFAULT` must not bring
//! any of them back.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{next, open_nonblocking};
use common::pipe::{Kind, every_pipe, pipe_and_fifo};

/// Writes the chunk and reads it back, `times` times.
fn write_and_read_back(reader: &OwnedFd, writer: &OwnedFd, chunk: &[u8], times: usize) -> Outcome {
    for _ in 0..times {
        expect_eq!(write(writer, chunk), Ok(chunk.len()));
        expect!(read_exactly(reader, chunk.len())? == chunk, "the bytes read differ from those written");
    }
    Ok(())
}

/// If bytes have been written to a pipe and all of them read, and `write` from an invalid pointer then fails with `EFAULT`,
/// `ioctl(FIONREAD)` gives 0 at both ends and a non-blocking `read` fails with `EAGAIN`.
#[apply(every_pipe)]
#[conformance::test(man = "write(2)", man = "ioctl(2)")]
fn failed_write_brings_back_no_old_byte(kind: Kind) -> Outcome {
    let page = page_size();
    property(&(1..3 * page, 0..40_usize, 1..page), |(chunk, times, size)| {
        let (reader, writer) = open_nonblocking(kind)?;
        let guarded = Guarded::new()?;
        write_and_read_back(&reader, &writer, &pattern(chunk), times)?;
        expect_eq!(guarded.write_across(&writer, 0, size), Err(EFAULT));
        expect_eq!((unread(&reader), unread(&writer), next(&reader)), (Ok(0), Ok(0), Err(EAGAIN)));
        expect_eq!((write(&writer, b"new"), unread(&reader), next(&reader)), (Ok(3), Ok(3), Ok(b"new".to_vec())));
        expect_eq!((unread(&reader), next(&reader)), (Ok(0), Err(EAGAIN)));
        Ok(())
    })
}

/// Each time that `write` from an invalid pointer fails with `EFAULT` on an empty pipe whose buffers have all been used before,
/// `ioctl(FIONREAD)` gives 0. After each failure a `write` of 4 bytes returns 4 and `read` returns these 4 bytes, forty times in
/// turn.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "write(2)", man = "ioctl(2)")]
fn failed_write_at_each_buffer_in_turn(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    let guarded = Guarded::new()?;
    for length in [1, 100, page_size()] {
        for _ in 0..2 {
            let capacity = fill(&writer)?;
            read_exactly(&reader, capacity)?;
        }
        // Each successful write moves on to the next buffer.
        for _ in 0..40 {
            expect_eq!(guarded.write_across(&writer, 0, length), Err(EFAULT));
            expect_eq!(unread(&reader), Ok(0));
            expect_eq!((write(&writer, b"good"), unread(&reader), next(&reader)), (Ok(4), Ok(4), Ok(b"good".to_vec())));
        }
    }
    Ok(())
}

/// If `write` from an invalid pointer fails with `EFAULT` between two successful `write` calls to a pipe that has been filled and
/// emptied before, `ioctl(FIONREAD)` gives the sum of the two counts. `read` returns the bytes of both calls in order and no
/// other byte.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "write(2)", man = "ioctl(2)")]
fn failed_write_between_two_writes_adds_no_byte(kind: Kind) -> Outcome {
    let page = page_size();
    property(&(0..20_usize, 1..2 * page, 1..2 * page), |(times, before, after)| {
        let (reader, writer) = open_nonblocking(kind)?;
        let guarded = Guarded::new()?;
        write_and_read_back(&reader, &writer, &vec![b'o'; page], times)?;
        write_all(&writer, &vec![b'a'; before])?;
        expect_eq!((guarded.write_across(&writer, 0, page), unread(&reader)), (Err(EFAULT), Ok(before)));
        write_all(&writer, &vec![b'b'; after])?;
        expect_eq!(unread(&reader), Ok(before + after));
        expect!(read_exactly(&reader, before)? == vec![b'a'; before], "the bytes before the failed write were changed");
        expect!(read_exactly(&reader, after)? == vec![b'b'; after], "the bytes after the failed write were changed");
        expect_eq!((unread(&reader), next(&reader)), (Ok(0), Err(EAGAIN)));
        Ok(())
    })
}

/// If the last writer closes after its `write` from an invalid pointer failed with `EFAULT` on an empty pipe, `ioctl(FIONREAD)`
/// gives 0 and every `read` returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", man = "write(2)")]
fn failed_write_keeps_end_of_file(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    write_and_read_back(&reader, &writer, &pattern(page_size()), 20)?;
    expect_eq!(Guarded::new()?.write_across(&writer, 0, 10), Err(EFAULT));
    drop(writer);
    expect_eq!((unread(&reader), next(&reader), next(&reader)), (Ok(0), Ok(vec![]), Ok(vec![])));
    Ok(())
}
