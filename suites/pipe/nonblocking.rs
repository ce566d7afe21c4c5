//! `O_NONBLOCK`: results of `read` and `write` that would otherwise block, and how the flag is set.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, every_pipe, pipe_and_fifo};

/// A non-blocking `read` of an empty pipe fails with `EAGAIN` while a writer is open, and returns 0 after the last writer closes.
/// While bytes are unread, a non-blocking `read` returns these bytes, up to the requested count.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read")]
fn read_of_an_empty_pipe(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    let mut buffer = [0; 8];
    expect_eq!(read(&reader, &mut buffer), Err(EAGAIN));
    write(&writer, b"abc")?;
    expect_eq!((read(&reader, &mut buffer[..2]), read(&reader, &mut buffer[2..])), (Ok(2), Ok(1)));
    expect_eq!((read(&reader, &mut buffer), &buffer[..3]), (Err(EAGAIN), &b"abc"[..]));
    write(&writer, b"d")?;
    drop(writer);
    expect_eq!((read(&reader, &mut buffer), read(&reader, &mut buffer)), (Ok(1), Ok(0)));
    Ok(())
}

/// A non-blocking `readv` of an empty pipe with a writer fails with `EAGAIN` and leaves all its buffers as they were.
#[conformance::test(posix = "readv", posix = "read")]
fn readv_of_an_empty_pipe_changes_no_buffer() -> Outcome {
    let (reader, _writer) = pipe()?;
    set_nonblocking(&reader, true)?;
    let (mut one, mut two) = ([7; 4], [8; 4]);
    expect_eq!(readv(&reader, &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)]), Err(EAGAIN));
    expect_eq!((one, two), ([7; 4], [8; 4]));
    Ok(())
}

/// A non-blocking `read` of 100000 bytes from a pipe with 5010 unread bytes returns these 5010 bytes. The next `read` fails with
/// `EAGAIN`.
#[apply(every_pipe)]
#[conformance::test(posix = "read")]
fn read_returns_fewer_bytes_than_requested(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    write(&writer, &pattern(10))?;
    write(&writer, &pattern(5000))?;
    expect_eq!(read_some(&reader, 100_000), Ok([pattern(10), pattern(5000)].concat()));
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    Ok(())
}

/// On a full pipe, a non-blocking `write` of 1, `PIPE_BUF`, `PIPE_BUF` + 1 bytes or three times the capacity and a non-blocking
/// `writev` of two segments fail with `EAGAIN` and add no byte.
#[apply(every_pipe)]
#[conformance::test(posix = "write", posix = "writev")]
fn write_to_a_full_pipe_fails(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let capacity = fill(&writer)?;
    set_nonblocking(&writer, true)?;
    let limit = pipe_buf(&writer)?;
    for size in [1, limit, limit + 1, 3 * capacity] {
        expect_eq!(write(&writer, &vec![1; size]), Err(EAGAIN));
    }
    expect_eq!(writev(&writer, &[IoSlice::new(b"a"), IoSlice::new(b"b")]), Err(EAGAIN));
    expect_eq!(unread(&reader), Ok(capacity));
    Ok(())
}

/// For 0 to 3n + 1 free bytes, a non-blocking `write` of n ≤ `PIPE_BUF` bytes returns n and adds n bytes, or fails with `EAGAIN`
/// and adds none. If `poll` has reported `POLLOUT` before, `write` returns n.
#[rstest]
#[case::one_byte(1)]
#[case::hundred_bytes(100)]
#[case::half_a_page(2048)]
#[case::one_less_than_a_page(4095)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn small_write_is_all_or_nothing(#[case] size: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = fill(&writer)?;
    read_exactly(&reader, capacity)?;
    set_nonblocking(&writer, true)?;
    let size = size.min(pipe_buf(&writer)?);
    // Free bytes at the end of the pipe: 1 byte more and less than 0 to 3 times the size.
    for free in (0..4).flat_map(|times| (times * size).saturating_sub(1)..=times * size + 1) {
        set_nonblocking(&reader, true)?;
        while read(&reader, &mut vec![0; capacity]).is_ok() {}
        write_all(&writer, &vec![1; capacity - free])?;
        let (held, promised) = (unread(&reader)?, ready(&writer, PollFlags::POLLOUT)? == PollFlags::POLLOUT);
        match write(&writer, &vec![2; size]) {
            Ok(count) => {
                expect_eq!((count, unread(&reader)), (size, Ok(held + size)));
                expect!(size <= free, "write returned {size} with {free} bytes free");
            }
            Err(errno) => {
                expect_eq!((errno, unread(&reader)), (EAGAIN, Ok(held)));
                expect!(!promised, "poll had reported POLLOUT, with {free} bytes free");
            }
        }
    }
    Ok(())
}

/// A non-blocking `write` of `PIPE_BUF` bytes fails with `EAGAIN` and adds no byte after `PIPE_BUF` − 1 bytes have been read from
/// a full pipe. After at least `PIPE_BUF` bytes and at least a page have been read in total, the same `write` returns `PIPE_BUF`.
#[conformance::test(posix = "write")]
fn small_write_succeeds_when_enough_is_free() -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = fill(&writer)?;
    set_nonblocking(&writer, true)?;
    let (size, enough) = (pipe_buf(&writer)?, pipe_buf(&writer)?.max(page_size()));
    read_exactly(&reader, size - 1)?;
    expect_eq!((write(&writer, &vec![1; size]), unread(&reader)), (Err(EAGAIN), Ok(capacity - size + 1)));
    read_exactly(&reader, enough - size + 1)?;
    expect_eq!((write(&writer, &vec![1; size]), unread(&reader)), (Ok(size), Ok(capacity - enough + size)));
    Ok(())
}

/// After 10 bytes have been read from a full pipe, a non-blocking `write` of 10 bytes returns 10.
#[conformance::test(posix = "write")]
fn small_write_uses_the_last_free_bytes() -> Outcome {
    let (reader, writer) = pipe()?;
    fill(&writer)?;
    set_nonblocking(&writer, true)?;
    read_exactly(&reader, 10)?;
    expect_eq!(write(&writer, b"0123456789"), Ok(10));
    Ok(())
}

/// After 10 bytes have been read from a full pipe, a non-blocking `write` of 2 × `PIPE_BUF` bytes returns 10.
#[conformance::test(posix = "write", man = "pipe(7)")]
fn large_write_uses_the_last_free_bytes() -> Outcome {
    let (reader, writer) = pipe()?;
    fill(&writer)?;
    set_nonblocking(&writer, true)?;
    read_exactly(&reader, 10)?;
    let bytes = pattern(2 * pipe_buf(&writer)?);
    expect_eq!(write(&writer, &bytes), Ok(10));
    Ok(())
}

/// A non-blocking `write` of more than the capacity to an empty pipe returns exactly the capacity, and the next `write` fails
/// with `EAGAIN`. `read` then returns the first bytes of the written buffer, as many as the capacity.
#[rstest]
#[case::one_byte_more(1)]
#[case::two_thousand_bytes_more(2000)]
#[case::two_capacities_more(2 * 65536)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn large_write_returns_the_capacity(#[case] more: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = fill(&writer)?;
    read_exactly(&reader, capacity)?;
    set_nonblocking(&writer, true)?;
    let bytes = pattern(capacity + more);
    expect_eq!((write(&writer, &bytes), write(&writer, &bytes[capacity..])), (Ok(capacity), Err(EAGAIN)));
    expect_eq!(read_exactly(&reader, capacity), Ok(bytes[..capacity].to_vec()));
    // The rest can follow from where the first `write` ended.
    expect_eq!((write(&writer, &bytes[capacity..][..1]), unread(&reader)), (Ok(1), Ok(1)));
    Ok(())
}

/// A non-blocking `write` of 200 × `PIPE_BUF` bytes to an empty pipe returns at least `PIPE_BUF`. `ioctl(FIONREAD)` then gives
/// the returned count.
#[apply(every_pipe)]
#[conformance::test(posix = "write")]
fn large_write_adds_at_least_pipe_buf(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&writer, true)?;
    let limit = pipe_buf(&writer)?;
    let count = write(&writer, &pattern(200 * limit));
    expect_matches!(count, Ok(count) if count >= limit);
    expect_eq!(unread(&reader), count);
    Ok(())
}

/// If one page of a pipe of 16 pages is in use and m more bytes fit into that page, a non-blocking `write` of 16 pages and m
/// bytes returns the count of 15 pages and m bytes. `read` returns exactly these bytes.
#[cfg(has_pipe_size)]
#[rstest]
#[case::one_byte_unread(1, 1)]
#[case::most_of_a_page_unread(4000, 96)]
#[case::one_page_unread(4096, 0)]
#[conformance::test(man = "pipe(7)", level = customary)]
fn large_write_fills_the_last_page_first(#[case] held: usize, #[case] merged: usize) -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_NONBLOCK)?;
    let (page, capacity) = (page_size(), pipe_size(&reader)?);
    write_all(&writer, &vec![1; held])?;
    // The length is a number of whole pages and the bytes that fit into the rest of the last used page.
    let bytes = pattern(capacity + merged);
    let pages = capacity - held.next_multiple_of(page);
    expect_eq!(write(&writer, &bytes), Ok(merged + pages));
    expect_eq!(unread(&reader), Ok(held + merged + pages));
    read_exactly(&reader, held)?;
    expect_eq!(read_exactly(&reader, merged + pages), Ok(bytes[..merged + pages].to_vec()));
    Ok(())
}

/// After `PIPE_BUF` − 1 bytes have been read from a full pipe, a non-blocking `writev` of `PIPE_BUF` bytes in 2, 16 or 100
/// segments fails with `EAGAIN` and adds no byte. On the empty pipe the same `writev` returns `PIPE_BUF`.
#[rstest]
#[case::two_segments(2)]
#[case::sixteen_segments(16)]
#[case::hundred_segments(100)]
#[conformance::test(posix = "writev", posix = "write")]
fn writev_is_all_or_nothing(#[case] pieces: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = fill(&writer)?;
    set_nonblocking(&writer, true)?;
    let size = pipe_buf(&writer)?;
    let bytes = pattern(size);
    let parts: Vec<IoSlice<'_>> = bytes.chunks(size.div_ceil(pieces)).map(IoSlice::new).collect();
    // All segments but the last would fit.
    read_exactly(&reader, size - 1)?;
    expect_eq!((writev(&writer, &parts), unread(&reader)), (Err(EAGAIN), Ok(capacity - size + 1)));
    read_exactly(&reader, capacity - size + 1)?;
    expect_eq!(writev(&writer, &parts), Ok(size));
    expect_eq!(read_some(&reader, capacity), Ok(bytes));
    Ok(())
}

/// After `fcntl(F_SETFL)` sets `O_NONBLOCK` on the read end, `read` of the empty pipe fails with `EAGAIN`, and `F_GETFL` on the
/// write end shows `O_NONBLOCK` clear. After `F_SETFL` clears `O_NONBLOCK` through a duplicate of the read end, `read` blocks
/// until a byte is written and returns 1.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "fcntl", posix = "read", posix = "write")]
fn o_nonblock_applies_to_one_end(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    expect_eq!(status_flags(&writer)? & OFlag::O_NONBLOCK, OFlag::empty());
    let copy = dup(&reader)?;
    expect_eq!(status_flags(&copy)? & OFlag::O_NONBLOCK, OFlag::O_NONBLOCK);
    set_nonblocking(&copy, false)?;
    let blocked = Participant::spawn("reader", reader, |end, _| read(&end, &mut [0; 1]))?;
    blocked.until_blocked()?;
    write(&writer, b"x")?;
    expect_eq!(blocked.join()?, Ok(1));
    Ok(())
}

/// A process blocked in `read` on an empty pipe stays blocked when `fcntl(F_SETFL)` sets `O_NONBLOCK` on its open file
/// description. That `read` returns the bytes of the next `write`, and the following `read` of the empty pipe fails with
/// `EAGAIN`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "fcntl", posix = "read", level = customary)]
fn o_nonblock_keeps_a_blocked_read_blocked(kind: Kind) -> Outcome {
    let (end, writer) = kind.open()?;
    let same = dup(&end)?;
    let reader = Participant::spawn("reader", end, |end, _| (read_some(&end, 8), read(&end, &mut [0; 8])))?;
    reader.until_blocked()?;
    set_nonblocking(&same, true)?;
    reader.expect_still_blocked()?;
    write(&writer, b"bytes!")?;
    // The flag applies to the next call.
    expect_eq!(reader.join()?, (Ok(b"bytes!".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// A process blocked in `write` on a full pipe stays blocked when `fcntl(F_SETFL)` sets `O_NONBLOCK` on its open file
/// description. After all bytes of the pipe have been read, that `write` returns its whole count.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "fcntl", posix = "write", level = customary)]
fn o_nonblock_keeps_a_blocked_write_blocked(kind: Kind) -> Outcome {
    let (reader, end) = kind.open()?;
    let same = dup(&end)?;
    let capacity = fill(&end)?;
    let writer = Participant::spawn("writer", end, |end, _| write(&end, b"bytes!"))?;
    writer.until_blocked()?;
    set_nonblocking(&same, true)?;
    writer.expect_still_blocked()?;
    read_exactly(&reader, capacity)?;
    expect_eq!(writer.join()?, Ok(6));
    expect_eq!(read_some(&reader, 7), Ok(b"bytes!".to_vec()));
    Ok(())
}

/// On a pipe without `O_NONBLOCK`, `preadv2` with `RWF_NOWAIT` of the empty pipe and `pwritev2` with `RWF_NOWAIT` to the full
/// pipe fail with `EAGAIN`. `fcntl(F_GETFL)` on the write end then shows `O_NONBLOCK` clear.
#[cfg(linux)]
#[conformance::test(man = "preadv2(2)")]
fn rwf_nowait_applies_to_one_call() -> Outcome {
    use conformance::sys::fd::flagged_io::{RWF_NOWAIT, read_flagged, write_flagged};
    let (reader, writer) = pipe()?;
    let mut buffer = [0; 8];
    match read_flagged(&reader, &mut buffer, RWF_NOWAIT) {
        Err(errno @ (EOPNOTSUPP | ENOSYS)) => unsupported!("RWF_NOWAIT on a pipe", errno),
        other => expect_eq!(other, Err(EAGAIN)),
    }
    expect_eq!(write_flagged(&writer, b"abcd", RWF_NOWAIT), Ok(4));
    expect_eq!((read_flagged(&reader, &mut buffer, RWF_NOWAIT), &buffer[..4]), (Ok(4), &b"abcd"[..]));
    let capacity = fill(&writer)?;
    expect_eq!(write_flagged(&writer, b"e", RWF_NOWAIT), Err(EAGAIN));
    expect_eq!((unread(&reader), status_flags(&writer)?.contains(OFlag::O_NONBLOCK)), (Ok(capacity), false));
    Ok(())
}
