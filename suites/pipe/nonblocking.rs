//! `O_NONBLOCK`: a call that would have to wait says so instead, and a small write is all or nothing.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use rstest::rstest;

use common::pipe::Kind;

/// A read of an empty pipe fails with `EAGAIN` while a writer is there, and returns 0 once none is; data comes before either.
#[rstest]
#[conformance::test(posix = "read")]
fn read_tells_empty_from_ended(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// A scattered read of an empty pipe fails as a whole and leaves the buffers alone.
#[conformance::test(posix = "readv", posix = "read")]
fn scattered_read_of_nothing_touches_no_buffer() -> Outcome {
    let (reader, _writer) = pipe()?;
    set_nonblocking(&reader, true)?;
    let (mut one, mut two) = ([7; 4], [8; 4]);
    expect_eq!(readv(&reader, &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)]), Err(EAGAIN));
    expect_eq!((one, two), ([7; 4], [8; 4]));
    Ok(())
}

/// A read returns what is there, without waiting for the rest of what it asked for.
#[rstest]
#[conformance::test(posix = "read")]
fn read_is_content_with_less(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    write(&writer, &pattern(10))?;
    write(&writer, &pattern(5000))?;
    expect_eq!(read_some(&reader, 100_000), Ok([pattern(10), pattern(5000)].concat()));
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    Ok(())
}

/// A full pipe takes nothing: `EAGAIN` for a small write, a large one, and a gathered one, and its content stays.
#[rstest]
#[conformance::test(posix = "write", posix = "writev")]
fn write_into_a_full_pipe_fails(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
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

/// At every fill level a write of at most `PIPE_BUF` bytes goes in whole or not at all, and what is counted is what went in.
#[rstest]
#[case::one_byte(1)]
#[case::hundred(100)]
#[case::half(2048)]
#[case::one_less_than_a_page(4095)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn small_write_is_all_or_nothing(#[case] size: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = fill(&writer)?;
    read_exactly(&reader, capacity)?;
    set_nonblocking(&writer, true)?;
    let size = size.min(pipe_buf(&writer)?);
    // Room that is free to the end, from nothing to three such writes and a bit: by the byte near multiples of the size.
    for room in (0..4).flat_map(|times| (times * size).saturating_sub(1)..=times * size + 1) {
        set_nonblocking(&reader, true)?;
        while read(&reader, &mut vec![0; capacity]).is_ok() {}
        write_all(&writer, &vec![1; capacity - room])?;
        let (held, promised) = (unread(&reader)?, ready(&writer, PollFlags::POLLOUT)? == PollFlags::POLLOUT);
        match write(&writer, &vec![2; size]) {
            Ok(count) => {
                expect_eq!((count, unread(&reader)), (size, Ok(held + size)));
                expect!(size <= room, "{size} bytes went into room for {room}");
            }
            Err(errno) => {
                expect_eq!((errno, unread(&reader)), (EAGAIN, Ok(held)));
                expect!(!promised, "poll had reported room, which was {room} bytes");
            }
        }
    }
    Ok(())
}

/// In a full pipe a small write is refused while a byte less than it needs is free, and accepted once there is room enough, for good
/// measure of a page.
#[conformance::test(posix = "write")]
fn small_write_fits_once_there_is_room() -> Outcome {
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

/// A small write for which there is room succeeds, however little room that is.
#[conformance::test(posix = "write")]
fn small_write_takes_the_last_bytes_of_room() -> Outcome {
    let (reader, writer) = pipe()?;
    fill(&writer)?;
    set_nonblocking(&writer, true)?;
    read_exactly(&reader, 10)?;
    expect_eq!(write(&writer, b"0123456789"), Ok(10));
    Ok(())
}

/// A large write transfers what there is room for, if that is only a byte, and returns how much it was.
#[conformance::test(posix = "write", man = "pipe(7)")]
fn large_write_takes_the_last_bytes_of_room() -> Outcome {
    let (reader, writer) = pipe()?;
    fill(&writer)?;
    set_nonblocking(&writer, true)?;
    read_exactly(&reader, 10)?;
    let bytes = pattern(2 * pipe_buf(&writer)?);
    expect_eq!(write(&writer, &bytes), Ok(10));
    Ok(())
}

/// A write larger than the whole pipe fills it, returns exactly the capacity, and what arrives is its beginning.
#[rstest]
#[case::one_byte_more(1)]
#[case::half_a_page_more(2000)]
#[case::thrice(2 * 65536)]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn large_write_returns_what_fitted(#[case] more: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = fill(&writer)?;
    read_exactly(&reader, capacity)?;
    set_nonblocking(&writer, true)?;
    let bytes = pattern(capacity + more);
    expect_eq!((write(&writer, &bytes), write(&writer, &bytes[capacity..])), (Ok(capacity), Err(EAGAIN)));
    expect_eq!(read_exactly(&reader, capacity), Ok(bytes[..capacity].to_vec()));
    // The rest goes in where it was cut off, and nothing is there twice.
    expect_eq!((write(&writer, &bytes[capacity..][..1]), unread(&reader)), (Ok(1), Ok(1)));
    Ok(())
}

/// A large write on an empty pipe transfers at least `PIPE_BUF` bytes.
#[rstest]
#[conformance::test(posix = "write")]
fn large_write_into_an_empty_pipe_moves_an_atomic_writes_worth(
    #[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind,
) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&writer, true)?;
    let limit = pipe_buf(&writer)?;
    let count = write(&writer, &pattern(200 * limit));
    expect_matches!(count, Ok(count) if count >= limit);
    expect_eq!(unread(&reader), count);
    Ok(())
}

/// A large write that is cut off leaves the room exactly full: the last page is not left half used.
#[cfg(has_pipe_size)]
#[rstest]
#[case::after_a_byte(1, 1)]
#[case::after_most_of_a_page(4000, 96)]
#[case::after_a_page(4096, 0)]
#[conformance::test(man = "pipe(7)", level = observed)]
fn large_write_merges_its_head_into_the_last_page(#[case] held: usize, #[case] merged: usize) -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_NONBLOCK)?;
    let (page, capacity) = (page_size(), pipe_size(&reader)?);
    write_all(&writer, &vec![1; held])?;
    // Its length is a number of pages and what fits into the last one.
    let bytes = pattern(capacity + merged);
    let pages = capacity - held.next_multiple_of(page);
    expect_eq!(write(&writer, &bytes), Ok(merged + pages));
    expect_eq!(unread(&reader), Ok(held + merged + pages));
    read_exactly(&reader, held)?;
    expect_eq!(read_exactly(&reader, merged + pages), Ok(bytes[..merged + pages].to_vec()));
    Ok(())
}

/// A gathered write of at most `PIPE_BUF` bytes in all goes in whole or not at all, however many its pieces.
#[rstest]
#[case::two(2)]
#[case::sixteen(16)]
#[case::hundred(100)]
#[conformance::test(posix = "writev", posix = "write")]
fn gathered_small_write_is_all_or_nothing(#[case] pieces: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = fill(&writer)?;
    set_nonblocking(&writer, true)?;
    let size = pipe_buf(&writer)?;
    let bytes = pattern(size);
    let parts: Vec<IoSlice<'_>> = bytes.chunks(size.div_ceil(pieces)).map(IoSlice::new).collect();
    // There is room for all pieces but the last.
    read_exactly(&reader, size - 1)?;
    expect_eq!((writev(&writer, &parts), unread(&reader)), (Err(EAGAIN), Ok(capacity - size + 1)));
    read_exactly(&reader, capacity - size + 1)?;
    expect_eq!(writev(&writer, &parts), Ok(size));
    expect_eq!(read_some(&reader, capacity), Ok(bytes));
    Ok(())
}

/// The flag counts from the moment it is set or cleared, for the description that it was set on.
#[rstest]
#[conformance::test(posix = "fcntl", posix = "read", posix = "write")]
fn flag_counts_at_once_and_for_its_own_end(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    expect!(!status_flags(&writer)?.contains(OFlag::O_NONBLOCK));
    let copy = dup(&reader)?;
    expect!(status_flags(&copy)?.contains(OFlag::O_NONBLOCK));
    set_nonblocking(&copy, false)?;
    let blocked = Participant::spawn("reader", reader, |end, _| read(&end, &mut [0; 1]))?;
    blocked.until_blocked()?;
    write(&writer, b"x")?;
    expect_eq!(blocked.join()?, Ok(1));
    Ok(())
}

/// Who is asleep in a read stays asleep when the flag is set on the same description, and is served by the next write.
#[rstest]
#[conformance::test(posix = "fcntl", posix = "read")]
fn flag_does_not_wake_a_sleeping_reader(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (end, writer) = kind.open()?;
    let same = dup(&end)?;
    let reader = Participant::spawn("reader", end, |end, _| (read_some(&end, 8), read(&end, &mut [0; 8])))?;
    reader.until_blocked()?;
    set_nonblocking(&same, true)?;
    reader.expect_still_blocked()?;
    write(&writer, b"served")?;
    // The next call of the same process obeys it.
    expect_eq!(reader.join()?, (Ok(b"served".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// Who is asleep in a write stays asleep when the flag is set on the same description, and goes on when there is room.
#[rstest]
#[conformance::test(posix = "fcntl", posix = "write")]
fn flag_does_not_wake_a_sleeping_writer(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, end) = kind.open()?;
    let same = dup(&end)?;
    let capacity = fill(&end)?;
    let writer = Participant::spawn("writer", end, |end, _| write(&end, b"served"))?;
    writer.until_blocked()?;
    set_nonblocking(&same, true)?;
    writer.expect_still_blocked()?;
    read_exactly(&reader, capacity)?;
    expect_eq!(writer.join()?, Ok(6));
    expect_eq!(read_some(&reader, 7), Ok(b"served".to_vec()));
    Ok(())
}

/// `RWF_NOWAIT` makes a single call not wait, on a descriptor that does, and changes nothing else about it.
#[cfg(linux)]
#[conformance::test(man = "preadv2(2)")]
fn flag_can_be_given_to_a_single_call() -> Outcome {
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
