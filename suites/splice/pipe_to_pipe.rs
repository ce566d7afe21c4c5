//! `splice` from one pipe into another: which bytes move, how many, and when the call fails with `EAGAIN`.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, every_pipe, pipe_and_fifo};
use common::transfer::{NO_FLAGS, SPLICE_F_NONBLOCK, drain, full, holding, null, pages};

/// `splice` of n bytes from a pipe with 10 unread bytes into another pipe moves the oldest bytes in order and returns the smaller
/// of n and 10 without blocking. The other bytes stay in the source.
#[rstest]
#[case::a_part_of_one_write(4, b"abcd", b"efghij")]
#[case::exactly_one_write(6, b"abcdef", b"ghij")]
#[case::a_part_of_the_second_write(9, b"abcdefghi", b"j")]
#[case::all_bytes(10, b"abcdefghij", b"")]
#[case::more_than_there_is(1000, b"abcdefghij", b"")]
#[case::size_max(usize::MAX, b"abcdefghij", b"")]
#[conformance::test(man = "splice(2)")]
fn moves_the_oldest_bytes(#[case] length: usize, #[case] moved: &[u8], #[case] left: &[u8]) -> Outcome {
    let (source, feed) = holding(b"abcdef")?;
    let (sink, target) = pipe()?;
    write_all(&feed, b"ghij")?;
    expect_eq!(splice(&source, &target, length, NO_FLAGS), Ok(moved.len()));
    expect_eq!((unread(&source)?, unread(&sink)?), (left.len(), moved.len()));
    expect_eq!((drain(&source)?, drain(&sink)?), (left.to_vec(), moved.to_vec()));
    Ok(())
}

/// After `read` of 2 of the 5 bytes of a `write`, `splice` of 1 or 3 bytes from that pipe into another starts at the first unread
/// byte and returns that length.
#[rstest]
#[case::ending_inside_the_write(1)]
#[case::ending_with_the_write(3)]
#[conformance::test(man = "splice(2)")]
fn starts_at_the_first_unread_byte(#[case] length: usize) -> Outcome {
    let (source, _feed) = holding(b"abcde")?;
    let (sink, target) = holding(b"<")?;
    expect_eq!(read_some(&source, 2)?, b"ab");
    expect_eq!(splice(&source, &target, length, NO_FLAGS), Ok(length));
    expect_eq!(drain(&sink)?, [b"<", &b"cde"[..length]].concat());
    expect_eq!(drain(&source)?, b"cde"[length..].to_vec());
    Ok(())
}

/// Successive `splice` calls, whose lengths end inside pages, from one pipe into another each return the smaller of their length
/// and the number of bytes that are left in the source. `read` from the target returns the bytes in order.
#[conformance::test(man = "splice(2)")]
fn keeps_the_order_across_pages() -> Outcome {
    let page = page_size();
    let bytes = pattern(3 * page + 17);
    let (source, _feed) = holding(&bytes)?;
    let (sink, target) = pipe()?;
    let mut moved = 0;
    for length in [1, page, page - 1, 7, 3 * page] {
        let expected = length.min(bytes.len() - moved);
        expect_eq!(splice(&source, &target, length, NO_FLAGS), Ok(expected));
        moved += expected;
    }
    expect_eq!((unread(&source)?, drain(&sink)?), (0, bytes));
    Ok(())
}

/// `splice` of length 0 between two pipes returns 0 without blocking and without `SIGPIPE`, also from an empty source or into a
/// target without readers.
#[rstest]
#[case::from_an_empty_source(false, true)]
#[case::from_a_source_with_bytes(true, true)]
#[case::into_a_target_without_reader(true, false)]
#[conformance::test(man = "splice(2)", level = customary)]
fn zero_length_returns_zero(#[case] bytes: bool, #[case] reader: bool) -> Outcome {
    let (source, _feed) = holding(if bytes { b"abc" } else { b"" })?;
    let (sink, target) = pipe()?;
    let sink = reader.then_some(sink);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    expect_eq!(splice(&source, &target, 0, NO_FLAGS), Ok(0));
    expect_eq!((signal::caught(Signal::SIGPIPE), unread(&source)?), (0, if bytes { 3 } else { 0 }));
    expect_eq!(unread(sink.as_ref().unwrap_or(&target))?, 0);
    Ok(())
}

/// `splice` of length 0 into a full pipe returns 0 without blocking, and both pipes keep their bytes.
#[conformance::test(man = "splice(2)", level = customary)]
fn zero_length_into_a_full_pipe_returns_zero() -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let ((sink, target), count) = full()?;
    expect_eq!(splice(&source, &target, 0, NO_FLAGS), Ok(0));
    expect_eq!((unread(&source)?, unread(&sink)?), (3, count));
    Ok(())
}

/// `splice` with `SPLICE_F_NONBLOCK` from an empty pipe or FIFO fails with `EAGAIN` while a writer is open. After the last writer
/// closed, `splice` without flags returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "splice(2)")]
fn returns_zero_after_the_last_writer_closed(kind: Kind) -> Outcome {
    let (source, feed) = kind.open()?;
    write_all(&feed, b"abc")?;
    let (sink, target) = pipe()?;
    let second = dup(&feed)?;
    drop(feed);
    expect_eq!(splice(&source, &target, 9, NO_FLAGS), Ok(3));
    expect_eq!(splice(&source, &target, 9, SPLICE_F_NONBLOCK), Err(EAGAIN));
    drop(second);
    expect_eq!(splice(&source, &target, 9, NO_FLAGS), Ok(0));
    expect_eq!(splice(&source, null()?, 9, NO_FLAGS), Ok(0));
    expect_eq!(drain(&sink)?, b"abc");
    Ok(())
}

/// What makes a transfer between pipes non-blocking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonblocking {
    /// `SPLICE_F_NONBLOCK`.
    SpliceFNonblock,
    /// `O_NONBLOCK` at the source.
    Source,
    /// `O_NONBLOCK` at the target.
    Target,
}

impl Nonblocking {
    /// Sets `O_NONBLOCK` where it is asked for, and returns the flags for the call.
    pub fn apply(self, source: &OwnedFd, target: &OwnedFd) -> Result<SpliceFlags, Errno> {
        match self {
            Nonblocking::SpliceFNonblock => return Ok(SPLICE_F_NONBLOCK),
            Nonblocking::Source => set_nonblocking(source, true)?,
            Nonblocking::Target => set_nonblocking(target, true)?,
        }
        Ok(NO_FLAGS)
    }
}

/// `splice` between two pipes from an empty source with a writer fails with `EAGAIN` if `SPLICE_F_NONBLOCK` is given, or if the
/// read end of the source or the write end of the target has `O_NONBLOCK` set.
#[rstest]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn empty_source_gives_eagain(
    #[values(Nonblocking::SpliceFNonblock, Nonblocking::Source, Nonblocking::Target)] nonblocking: Nonblocking,
) -> Outcome {
    let (source, _feed) = pipe()?;
    let (sink, target) = pipe()?;
    let flags = nonblocking.apply(&source, &target)?;
    expect_eq!(splice(&source, &target, 5, flags), Err(EAGAIN));
    expect_eq!((unread(&source)?, unread(&sink)?), (0, 0));
    Ok(())
}

/// `splice` between two pipes into a full target fails with `EAGAIN` if `SPLICE_F_NONBLOCK` is given, or if the read end of the
/// source or the write end of the target has `O_NONBLOCK` set. The source keeps its bytes.
#[rstest]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn full_target_gives_eagain(
    #[values(Nonblocking::SpliceFNonblock, Nonblocking::Source, Nonblocking::Target)] nonblocking: Nonblocking,
) -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let ((sink, target), count) = full()?;
    let flags = nonblocking.apply(&source, &target)?;
    expect_eq!(splice(&source, &target, 3, flags), Err(EAGAIN));
    expect_eq!((unread(&source)?, unread(&sink)?), (3, count));
    expect_eq!(drain(&source)?, b"abc");
    Ok(())
}

/// `splice` of 3 pages into an empty pipe or FIFO with a capacity of 2 pages returns the size of 2 pages, and the third page
/// stays in the source. After `read` of a page from the target, the next `splice` of a page returns the page size.
#[apply(every_pipe)]
#[conformance::test(man = "splice(2)")]
fn count_is_limited_by_the_target_capacity(kind: Kind) -> Outcome {
    let page = page_size();
    let bytes = pattern(3 * page);
    let (source, _feed) = holding(&bytes)?;
    let (sink, target) = kind.open()?;
    expect_eq!(set_pipe_size(&target, i32::try_from(2 * page).map_err(|_| ERANGE)?)?, 2 * page);
    expect_eq!(splice(&source, &target, 3 * page, NO_FLAGS), Ok(2 * page));
    expect_eq!((unread(&source)?, unread(&sink)?), (page, 2 * page));
    expect_eq!(splice(&source, &target, page, SPLICE_F_NONBLOCK), Err(EAGAIN));
    expect_eq!(read_exactly(&sink, page)?, bytes[..page].to_vec());
    expect_eq!(splice(&source, &target, page, SPLICE_F_NONBLOCK), Ok(page));
    expect_eq!(read_exactly(&sink, 2 * page)?, bytes[page..].to_vec());
    Ok(())
}

/// `splice` of a full pipe into an empty pipe of the same capacity returns that capacity. A non-blocking `write` to the target
/// then fails with `EAGAIN`, and `write` of 1 byte to the source returns 1.
#[conformance::test(man = "splice(2)", level = customary)]
fn moves_a_full_pipe_in_one_call() -> Outcome {
    let ((source, feed), count) = full()?;
    let (sink, target) = pipe()?;
    expect_eq!(splice(&source, &target, count, NO_FLAGS), Ok(count));
    expect_eq!((unread(&source)?, unread(&sink)?), (0, count));
    set_nonblocking(&target, true)?;
    expect_eq!(write(&target, b"x"), Err(EAGAIN));
    expect_eq!(write(&feed, b"x"), Ok(1));
    Ok(())
}

/// Exactly n successive `splice` calls of 1 byte with `SPLICE_F_NONBLOCK` from one pipe into an empty pipe with a capacity of n
/// pages return 1. `poll` then reports no `POLLOUT` on the write end of the target.
#[conformance::test(man = "splice(2)", level = customary)]
fn each_one_byte_splice_takes_a_page_slot() -> Outcome {
    let (sink, target) = pipe()?;
    let slots = pages(&target)?;
    let bytes = pattern(slots + 1);
    let (source, _feed) = holding(&bytes)?;
    let mut pieces = 0;
    while splice(&source, &target, 1, SPLICE_F_NONBLOCK) == Ok(1) {
        pieces += 1;
    }
    observe!("splice.one-byte-transfers-per-page", pieces / slots);
    expect_eq!(pieces, slots);
    expect_eq!(ready(&target, PollFlags::POLLOUT)?, PollFlags::empty());
    expect_eq!((drain(&source)?, drain(&sink)?), (bytes[slots..].to_vec(), bytes[..slots].to_vec()));
    Ok(())
}

/// `splice` of all bytes of a pipe into another with `SPLICE_F_MOVE`, `SPLICE_F_MORE`, `SPLICE_F_GIFT` or all defined flags
/// returns their count, and `read` from the target returns the bytes unchanged.
#[rstest]
#[case::splice_f_move(SpliceFlags::SPLICE_F_MOVE)]
#[case::splice_f_more(SpliceFlags::SPLICE_F_MORE)]
#[case::splice_f_gift(SpliceFlags::SPLICE_F_GIFT)]
#[case::all_flags(SpliceFlags::all())]
#[conformance::test(man = "splice(2)")]
fn accepts_every_flag(#[case] flags: SpliceFlags) -> Outcome {
    let bytes = pattern(page_size() + 5);
    let (source, _feed) = holding(&bytes)?;
    let (sink, target) = pipe()?;
    expect_eq!(splice(&source, &target, bytes.len(), flags), Ok(bytes.len()));
    expect_eq!((unread(&source)?, drain(&sink)?), (0, bytes));
    Ok(())
}

/// `splice` of 2 pages from a pipe with a capacity of 4 pages into one of the default capacity leaves the value of
/// `fcntl(F_GETPIPE_SZ)` of both pipes as it was.
#[conformance::test(man = "splice(2)", level = customary)]
fn keeps_both_capacities() -> Outcome {
    let (source, _feed) = holding(&pattern(2 * page_size()))?;
    let (_sink, target) = pipe()?;
    let size = i32::try_from(4 * page_size()).map_err(|_| ERANGE)?;
    let before = (set_pipe_size(&source, size)?, pipe_size(&target)?);
    expect_eq!(splice(&source, &target, 2 * page_size(), NO_FLAGS), Ok(2 * page_size()));
    expect_eq!((pipe_size(&source)?, pipe_size(&target)?), before);
    Ok(())
}

/// After `splice` of a full pipe into an empty pipe of the same capacity, `poll` reports `POLLOUT` on the write end of the source
/// and `POLLIN` on the read end of the target, and no event on the other two ends.
#[conformance::test(man = "splice(2)")]
fn changes_the_readiness_of_all_ends() -> Outcome {
    let ((source, feed), count) = full()?;
    let (sink, target) = pipe()?;
    let states = || -> Result<_, Errno> {
        let reading = |end| ready(end, PollFlags::POLLIN);
        let writing = |end| ready(end, PollFlags::POLLOUT);
        Ok((reading(&source)?, writing(&feed)?, reading(&sink)?, writing(&target)?))
    };
    let (readable, writable, neither) = (PollFlags::POLLIN, PollFlags::POLLOUT, PollFlags::empty());
    expect_eq!(states()?, (readable, neither, neither, writable));
    expect_eq!(splice(&source, &target, count, NO_FLAGS), Ok(count));
    expect_eq!(states()?, (neither, writable, readable, neither));
    Ok(())
}
