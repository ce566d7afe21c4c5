//! `splice` from one pipe into another: which bytes move, how many, and when the call would rather not wait.

use conformance::prelude::*;
use rstest::rstest;

use common::pipe::Kind;
use common::transfer::{NO_FLAGS, SPLICE_F_NONBLOCK, drain, full, holding, null, pages};

/// The oldest bytes move, in order and at most as many as asked for; those that remain are the source's next ones. Nothing
/// is waited for beyond what is there.
#[rstest]
#[case::a_part_of_one_write(4, b"abcd", b"efghij")]
#[case::exactly_one_write(6, b"abcdef", b"ghij")]
#[case::a_part_of_the_second_write(9, b"abcdefghi", b"j")]
#[case::everything(10, b"abcdefghij", b"")]
#[case::more_than_there_is(1000, b"abcdefghij", b"")]
#[case::as_much_as_can_be_asked_for(usize::MAX, b"abcdefghij", b"")]
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

/// A source from which a part of a write has been read goes on where the reader left off.
#[rstest]
#[case::inside(1)]
#[case::to_the_end(3)]
#[conformance::test(man = "splice(2)")]
fn goes_on_where_a_read_left_off(#[case] length: usize) -> Outcome {
    let (source, _feed) = holding(b"abcde")?;
    let (sink, target) = holding(b"<")?;
    expect_eq!(read_some(&source, 2)?, b"ab");
    expect_eq!(splice(&source, &target, length, NO_FLAGS), Ok(length));
    expect_eq!(drain(&sink)?, [b"<", &b"cde"[..length]].concat());
    expect_eq!(drain(&source)?, b"cde"[length..].to_vec());
    Ok(())
}

/// What was moved in pieces that end in the middle of pages arrives as it was written.
#[conformance::test(man = "splice(2)")]
fn keeps_the_order_over_pieces_that_cross_pages() -> Outcome {
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

/// A transfer of no bytes moves none and returns at once, whatever else would keep it waiting or end it.
#[rstest]
#[case::from_an_empty_source(false, true)]
#[case::from_a_source_with_bytes(true, true)]
#[case::into_a_target_without_reader(true, false)]
#[conformance::test(man = "splice(2)")]
fn of_no_bytes_returns_zero(#[case] bytes: bool, #[case] reader: bool) -> Outcome {
    let (source, _feed) = holding(if bytes { b"abc" } else { b"" })?;
    let (sink, target) = pipe()?;
    let sink = reader.then_some(sink);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    expect_eq!(splice(&source, &target, 0, NO_FLAGS), Ok(0));
    expect_eq!((signal::caught(Signal::SIGPIPE), unread(&source)?), (0, if bytes { 3 } else { 0 }));
    expect_eq!(unread(sink.as_ref().unwrap_or(&target))?, 0);
    Ok(())
}

/// A full target takes no bytes of no length either, and does not keep the call waiting.
#[conformance::test(man = "splice(2)")]
fn of_no_bytes_does_not_wait_for_room() -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let ((sink, target), count) = full()?;
    expect_eq!(splice(&source, &target, 0, NO_FLAGS), Ok(0));
    expect_eq!((unread(&source)?, unread(&sink)?), (3, count));
    Ok(())
}

/// The bytes that are left when the last writer closes move first; then 0 says that there will be no more.
#[rstest]
#[conformance::test(man = "splice(2)")]
fn returns_zero_after_the_last_bytes_of_a_source_without_writers(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// What makes a transfer between pipes one that does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impatience {
    /// `SPLICE_F_NONBLOCK`.
    Flag,
    /// `O_NONBLOCK` at the source.
    Source,
    /// `O_NONBLOCK` at the target.
    Target,
}

impl Impatience {
    /// Sets the descriptors' flags, and gives those for the call.
    pub fn apply(self, source: &OwnedFd, target: &OwnedFd) -> Result<SpliceFlags, Errno> {
        match self {
            Impatience::Flag => return Ok(SPLICE_F_NONBLOCK),
            Impatience::Source => set_nonblocking(source, true)?,
            Impatience::Target => set_nonblocking(target, true)?,
        }
        Ok(NO_FLAGS)
    }
}

/// With the flag, or with either descriptor non-blocking, an empty source that has writers is EAGAIN, and not end-of-file.
#[rstest]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn does_not_wait_for_bytes(#[values(Impatience::Flag, Impatience::Source, Impatience::Target)] impatience: Impatience) -> Outcome {
    let (source, _feed) = pipe()?;
    let (sink, target) = pipe()?;
    let flags = impatience.apply(&source, &target)?;
    expect_eq!(splice(&source, &target, 5, flags), Err(EAGAIN));
    expect_eq!((unread(&source)?, unread(&sink)?), (0, 0));
    Ok(())
}

/// With the flag, or with either descriptor non-blocking, a full target is EAGAIN, and the source keeps its bytes.
#[rstest]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn does_not_wait_for_room(#[values(Impatience::Flag, Impatience::Source, Impatience::Target)] impatience: Impatience) -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let ((sink, target), count) = full()?;
    let flags = impatience.apply(&source, &target)?;
    expect_eq!(splice(&source, &target, 3, flags), Err(EAGAIN));
    expect_eq!((unread(&source)?, unread(&sink)?), (3, count));
    expect_eq!(drain(&source)?, b"abc");
    Ok(())
}

/// A target that is smaller than what is asked for takes what fits; the rest stays, and moves once there is room again.
#[rstest]
#[conformance::test(man = "splice(2)")]
fn moves_what_fits_into_a_smaller_target(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
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

/// A whole full pipe moves in one call into an empty one of its size, which is full then.
#[conformance::test(man = "splice(2)")]
fn empties_a_full_source_into_an_empty_target() -> Outcome {
    let ((source, feed), count) = full()?;
    let (sink, target) = pipe()?;
    expect_eq!(splice(&source, &target, count, NO_FLAGS), Ok(count));
    expect_eq!((unread(&source)?, unread(&sink)?), (0, count));
    set_nonblocking(&target, true)?;
    expect_eq!(write(&target, b"x"), Err(EAGAIN));
    expect_eq!(write(&feed, b"x"), Ok(1));
    Ok(())
}

/// Pieces that are moved one byte at a time fill a target of n pages after n transfers: a pipe counts buffers, not bytes. The
/// transfer that does not fit loses nothing.
#[conformance::test(man = "splice(2)", level = observed)]
fn fills_a_target_by_pieces_and_not_by_bytes() -> Outcome {
    let (sink, target) = pipe()?;
    let room = pages(&target)?;
    let bytes = pattern(room + 1);
    let (source, _feed) = holding(&bytes)?;
    let mut pieces = 0;
    while splice(&source, &target, 1, SPLICE_F_NONBLOCK) == Ok(1) {
        pieces += 1;
    }
    observe!("pipe.pieces_for_each_page", pieces / room);
    expect_eq!(pieces, room);
    expect_eq!(ready(&target, PollFlags::POLLOUT)?, PollFlags::empty());
    expect_eq!((drain(&source)?, drain(&sink)?), (bytes[room..].to_vec(), bytes[..room].to_vec()));
    Ok(())
}

/// The hints are allowed in any combination, the gift that only `vmsplice` can make included, and change nothing that can be seen.
#[rstest]
#[case::to_move(SpliceFlags::SPLICE_F_MOVE)]
#[case::more(SpliceFlags::SPLICE_F_MORE)]
#[case::gift(SpliceFlags::SPLICE_F_GIFT)]
#[case::all(SpliceFlags::all())]
#[conformance::test(man = "splice(2)")]
fn takes_hints(#[case] flags: SpliceFlags) -> Outcome {
    let bytes = pattern(page_size() + 5);
    let (source, _feed) = holding(&bytes)?;
    let (sink, target) = pipe()?;
    expect_eq!(splice(&source, &target, bytes.len(), flags), Ok(bytes.len()));
    expect_eq!((unread(&source)?, drain(&sink)?), (0, bytes));
    Ok(())
}

/// Both pipes keep the capacities that they had, the smaller as the larger one.
#[conformance::test(man = "splice(2)")]
fn leaves_the_capacities_alone() -> Outcome {
    let (source, _feed) = holding(&pattern(2 * page_size()))?;
    let (_sink, target) = pipe()?;
    let size = i32::try_from(4 * page_size()).map_err(|_| ERANGE)?;
    let before = (set_pipe_size(&source, size)?, pipe_size(&target)?);
    expect_eq!(splice(&source, &target, 2 * page_size(), NO_FLAGS), Ok(2 * page_size()));
    expect_eq!((pipe_size(&source)?, pipe_size(&target)?), before);
    Ok(())
}

/// Both pipes are as ready as their new content says: the source for writing, the target for reading.
#[conformance::test(man = "splice(2)")]
fn changes_the_readiness_of_both_pipes() -> Outcome {
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
