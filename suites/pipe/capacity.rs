//! Capacity: how many bytes a pipe takes without a `read`.

use conformance::prelude::*;
use proptest::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, every_pipe};

/// A non-blocking `write` of `PIPE_BUF` bytes to an empty pipe returns `PIPE_BUF`, and `read` returns these bytes.
#[apply(every_pipe)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn is_at_least_pipe_buf(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&writer, true)?;
    let size = pipe_buf(&writer)?;
    expect_eq!(write(&writer, &pattern(size)), Ok(size));
    expect_eq!(read_some(&reader, size + 1), Ok(pattern(size)));
    Ok(())
}

/// The number of bytes that `write` can add to a new pipe before a non-blocking `write` of 1 byte fails with `EAGAIN` is
/// recorded. This number is at least `PIPE_BUF`.
#[apply(every_pipe)]
#[conformance::test(posix = "write", man = "pipe(7)", level = observed)]
fn of_a_new_pipe(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&writer, true)?;
    let capacity = fill(&writer)?;
    expect!(capacity >= pipe_buf(&writer)?, "the capacity is {capacity}");
    observe!(if kind == Kind::Pipe { "pipe.capacity" } else { "fifo.capacity" }, capacity);
    expect_eq!(write(&writer, b"x"), Err(EAGAIN));
    expect_eq!(unread(&reader), Ok(capacity));
    Ok(())
}

/// `fcntl(F_GETPIPE_SZ)` on either end of a new pipe or FIFO returns the size of 16 pages. `write` adds exactly that many bytes
/// before `poll` reports no `POLLOUT`.
#[cfg(has_pipe_size)]
#[apply(every_pipe)]
#[conformance::test(man = "pipe(7)", man = "fcntl(2)")]
fn is_sixteen_pages_by_default(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let sixteen = 16 * page_size();
    expect_eq!((pipe_size(&reader), pipe_size(&writer)), (Ok(sixteen), Ok(sixteen)));
    expect_eq!(fill(&writer), Ok(sixteen));
    expect_eq!((unread(&reader), ready(&writer, PollFlags::POLLOUT)), (Ok(sixteen), Ok(PollFlags::empty())));
    Ok(())
}

/// Non-blocking `write` calls of 1, 2 or 512 bytes each to a pipe of one page return their whole counts until they have added
/// exactly a page. The next `write` fails with `EAGAIN`.
#[cfg(has_pipe_size)]
#[rstest]
#[case::writes_of_1_byte(1)]
#[case::writes_of_2_bytes(2)]
#[case::writes_of_512_bytes(512)]
#[conformance::test(man = "pipe(7)")]
fn is_the_same_for_small_writes(#[case] piece: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = set_pipe_size(&writer, 1)?;
    set_nonblocking(&writer, true)?;
    for bytes in pattern(capacity).chunks(piece) {
        expect_eq!(write(&writer, bytes), Ok(piece));
    }
    expect_eq!(write(&writer, b"x"), Err(EAGAIN));
    expect_eq!(read_some(&reader, capacity + 1), Ok(pattern(capacity)));
    Ok(())
}

/// If the last page of a pipe holds 2 bytes and no other page is free, a non-blocking `write` of a page less 1 byte fails with
/// `EAGAIN`. A non-blocking `write` of a page less 2 bytes then returns its whole count.
#[cfg(has_pipe_size)]
#[conformance::test(man = "pipe(7)", level = customary)]
fn last_page_takes_small_writes_that_fit() -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_NONBLOCK)?;
    let (page, capacity) = (page_size(), pipe_size(&writer)?);
    // All pages are in use, and the last one holds a single byte: a whole page does not fit, a page less 1 byte does.
    expect_eq!(write(&writer, &pattern(capacity - page + 1)), Ok(capacity - page + 1));
    expect_eq!(ready(&writer, PollFlags::POLLOUT), Ok(PollFlags::empty()));
    expect_eq!(write(&writer, b"2"), Ok(1));
    expect_eq!(write(&writer, &pattern(page - 1)), Err(EAGAIN));
    expect_eq!(write(&writer, &pattern(page - 2)), Ok(page - 2));
    expect_eq!(write(&writer, b"x"), Err(EAGAIN));
    let all = [pattern(capacity - page + 1), b"2".to_vec(), pattern(page - 2)].concat();
    expect_eq!(read_some(&reader, capacity + 1), Ok(all));
    Ok(())
}

/// If the only used page of a pipe of 16 pages has 1 byte free, exactly 15 non-blocking `write` calls of a page return their
/// whole count after a `write` of 1 byte. After a `write` of 2 bytes or of a page and 1 byte instead, exactly 14 do.
#[cfg(has_pipe_size)]
#[rstest]
#[case::one_byte_fits(1, 15)]
#[case::two_bytes_do_not_fit(2, 14)]
#[case::first_byte_of_a_page_and_one_fits(1 + 4096, 14)]
#[conformance::test(man = "pipe(7)", level = customary)]
fn small_write_uses_the_rest_of_the_last_page(#[case] second: usize, #[case] pages_left: usize) -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_NONBLOCK)?;
    let page = page_size();
    // The table is written for pages of 4096 bytes.
    let second = if second > 4096 { second - 4096 + page } else { second };
    let (first, second) = (pattern(page - 1), vec![0xee; second]);
    expect_eq!(write(&writer, &first), Ok(first.len()));
    expect_eq!(write(&writer, &second), Ok(second.len()));
    let filler = vec![0xff; page];
    let more = (0..20).take_while(|_| write(&writer, &filler) == Ok(page)).count();
    expect_eq!(more, pages_left);
    expect_eq!(unread(&reader), Ok(first.len() + second.len() + more * page));
    expect_eq!(read_exactly(&reader, first.len() + second.len()), Ok([first, second].concat()));
    Ok(())
}

/// After `read` has removed all bytes of a full pipe, `write` adds exactly as many bytes as before until the pipe is full again,
/// five times in turn.
#[apply(every_pipe)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn is_the_same_after_each_drain(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    // A system whose buffers grow has reached the full size after the first fill.
    let capacity = fill(&writer)?;
    for _ in 0..5 {
        expect_eq!(read_exactly(&reader, capacity).map(|bytes| bytes.len()), Ok(capacity));
        expect_eq!(unread(&reader), Ok(0));
        expect_eq!(fill(&writer), Ok(capacity));
    }
    Ok(())
}

/// After each `write` of a random sequence of non-blocking `write` and `read` calls, the sum of the counts of `write` minus the
/// sum of the counts of `read` is at most the number of bytes that `write` has added before until the empty pipe was full. `read`
/// returns all bytes that `write` has counted, in order.
#[conformance::test(posix = "write", posix = "read")]
fn is_never_exceeded() -> Outcome {
    let turns = prop::collection::vec((1_usize..9000, 1_usize..12000), 1..30);
    let stream = pattern(30 * 9000);
    property(&turns, |turns| {
        let (reader, writer) = pipe()?;
        let capacity = fill(&writer)?;
        read_exactly(&reader, capacity)?;
        set_nonblocking(&reader, true)?;
        set_nonblocking(&writer, true)?;
        let (mut sent, mut received) = (0, Vec::new());
        for (index, (write_size, read_size)) in turns.into_iter().enumerate() {
            sent += write(&writer, &stream[sent..][..write_size]).unwrap_or(0);
            expect!(sent - received.len() <= capacity, "{} bytes are unread, the capacity is {capacity}", sent - received.len());
            if index % 3 != 0 {
                received.extend(read_some(&reader, read_size).unwrap_or_default());
            }
            expect_eq!(unread(&reader), Ok(sent - received.len()));
        }
        drop(writer);
        received.extend(read_to_end(&reader)?);
        expect!(received == stream[..sent], "{} of {sent} bytes were read, or not in order", received.len());
        Ok(())
    })
}
