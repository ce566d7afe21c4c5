//! Capacity: how much a pipe takes while nobody reads, and that it takes exactly that.

use conformance::prelude::*;
use proptest::prelude::*;
use rstest::rstest;

use common::pipe::Kind;

/// An empty pipe takes a write of `PIPE_BUF` bytes at once and whole, with nobody reading.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn holds_at_least_one_atomic_write(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&writer, true)?;
    let size = pipe_buf(&writer)?;
    expect_eq!(write(&writer, &pattern(size)), Ok(size));
    expect_eq!(read_some(&reader, size + 1), Ok(pattern(size)));
    Ok(())
}

/// How much a new pipe takes is the system's choice; from then on it takes nothing at all.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)", level = observed)]
fn is_the_systems_choice(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&writer, true)?;
    let capacity = fill(&writer)?;
    expect!(capacity >= pipe_buf(&writer)?);
    observe!(if kind == Kind::Pipe { "pipe.capacity" } else { "fifo.capacity" }, capacity);
    expect_eq!(write(&writer, b"x"), Err(EAGAIN));
    expect_eq!(unread(&reader), Ok(capacity));
    Ok(())
}

/// A new pipe or FIFO has room for sixteen pages; both ends say so, and it is the exact number of bytes that go in.
#[cfg(has_pipe_size)]
#[rstest]
#[conformance::test(man = "pipe(7)", man = "fcntl(2)")]
fn is_sixteen_pages_unless_changed(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let sixteen = 16 * page_size();
    expect_eq!((pipe_size(&reader), pipe_size(&writer)), (Ok(sixteen), Ok(sixteen)));
    expect_eq!(fill(&writer), Ok(sixteen));
    expect_eq!((unread(&reader), ready(&writer, PollFlags::POLLOUT)), (Ok(sixteen), Ok(PollFlags::empty())));
    Ok(())
}

/// Bytes written one by one take up no more room than bytes written at once: the last page is filled up first.
#[cfg(has_pipe_size)]
#[rstest]
#[case::single_bytes(1)]
#[case::pairs(2)]
#[case::eighths_of_a_page(512)]
#[conformance::test(man = "pipe(7)")]
fn does_not_shrink_with_the_size_of_the_writes(#[case] piece: usize) -> Outcome {
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

/// Small writes that follow a whole page merge with each other, not with what was there before; none is split or lost.
#[cfg(has_pipe_size)]
#[conformance::test(man = "pipe(7)", level = observed)]
fn is_filled_up_by_a_write_that_fits_into_the_last_page() -> Outcome {
    let (reader, writer) = pipe2(OFlag::O_NONBLOCK)?;
    let (page, capacity) = (page_size(), pipe_size(&writer)?);
    // All slots are taken, the last by a single byte: no room for a page, and for all but one of its bytes.
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

/// A small write goes into the page that is partly used and leaves the others free: two bytes that do not fit take a new page.
#[cfg(has_pipe_size)]
#[rstest]
#[case::fits(1, 15)]
#[case::does_not_fit(2, 14)]
#[case::longer_than_a_page_and_its_head_fits(1 + 4096, 14)]
#[conformance::test(man = "pipe(7)", level = observed)]
fn counts_a_partly_used_page_once(#[case] second: usize, #[case] pages_left: usize) -> Outcome {
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

/// Room that a reader makes is usable again, as often as one likes: the capacity neither wears out nor grows.
#[rstest]
#[conformance::test(posix = "write", man = "pipe(7)")]
fn comes_back_whole_when_the_pipe_is_drained(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    // The first filling may make a growing buffer reach its full size.
    let capacity = fill(&writer)?;
    for _ in 0..5 {
        expect_eq!(read_exactly(&reader, capacity).map(|bytes| bytes.len()), Ok(capacity));
        expect_eq!(unread(&reader), Ok(0));
        expect_eq!(fill(&writer), Ok(capacity));
    }
    Ok(())
}

/// Whatever the sizes of writes and reads, a pipe gives out exactly what it took, in order, and never holds more than its capacity.
#[conformance::test(posix = "write", posix = "read")]
fn is_never_exceeded_and_loses_nothing() -> Outcome {
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
            expect!(sent - received.len() <= capacity);
            if index % 3 != 0 {
                received.extend(read_some(&reader, read_size).unwrap_or_default());
            }
            expect_eq!(unread(&reader), Ok(sent - received.len()));
        }
        drop(writer);
        received.extend(read_to_end(&reader)?);
        expect!(received == stream[..sent], "{} bytes came of {sent}, or not in order", received.len());
        Ok(())
    })
}
