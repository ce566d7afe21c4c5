//! `tee`: a second pipe gets what the first one holds, and the first one keeps it.

use conformance::prelude::*;
use rstest::rstest;

use super::pipes::Impatience;
use common::transfer::{NO_FLAGS, SPLICE_F_NONBLOCK, drain, file, full, holding, pages};

/// The copy has the oldest bytes, at most as many as asked for; the source has lost none, and nothing more is waited for.
#[rstest]
#[case::a_part_of_one_write(2, b"ab")]
#[case::over_two_writes(4, b"abcd")]
#[case::everything(6, b"abcdef")]
#[case::more_than_there_is(1000, b"abcdef")]
#[case::as_much_as_can_be_asked_for(usize::MAX, b"abcdef")]
#[conformance::test(man = "tee(2)")]
fn copies_the_oldest_bytes_and_takes_none(#[case] length: usize, #[case] copied: &[u8]) -> Outcome {
    let (source, feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    write_all(&feed, b"def")?;
    expect_eq!(tee(&source, &target, length, NO_FLAGS), Ok(copied.len()));
    expect_eq!((unread(&source)?, unread(&sink)?), (6, copied.len()));
    expect_eq!((drain(&source)?, drain(&sink)?), (b"abcdef".to_vec(), copied.to_vec()));
    Ok(())
}

/// A copy begins where a reader of the source would go on, not at the beginning of the write that it has read a part of.
#[conformance::test(man = "tee(2)")]
fn begins_at_the_first_unread_byte() -> Outcome {
    let (source, _feed) = holding(b"abcdef")?;
    let (sink, target) = pipe()?;
    expect_eq!(read_some(&source, 2)?, b"ab");
    expect_eq!(tee(&source, &target, 3, NO_FLAGS), Ok(3));
    expect_eq!((drain(&sink)?, drain(&source)?), (b"cde".to_vec(), b"cdef".to_vec()));
    Ok(())
}

/// A copy of several pages ends in the middle of one without mixing up their order.
#[conformance::test(man = "tee(2)", fixed_in = "Linux 2.6.17 (aadd06e5c56b)")]
fn copies_over_several_pages() -> Outcome {
    let bytes = pattern(3 * page_size() + 100);
    let length = 2 * page_size() + 50;
    let (source, _feed) = holding(&bytes)?;
    let (sink, target) = pipe()?;
    expect_eq!(tee(&source, &target, length, NO_FLAGS), Ok(length));
    expect_eq!((unread(&source)?, drain(&sink)?), (bytes.len(), bytes[..length].to_vec()));
    expect_eq!(drain(&source)?, bytes);
    Ok(())
}

/// As nothing is taken, a second call copies the same bytes once more.
#[conformance::test(man = "tee(2)")]
fn copies_the_same_bytes_again() -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    expect_eq!(tee(&source, &target, 3, NO_FLAGS), Ok(3));
    expect_eq!(tee(&source, &target, 2, NO_FLAGS), Ok(2));
    expect_eq!((drain(&sink)?, drain(&source)?), (b"abcab".to_vec(), b"abc".to_vec()));
    Ok(())
}

/// The copy stays whole while the source is read, closed and gone.
#[conformance::test(man = "tee(2)")]
fn leaves_a_copy_that_outlives_the_source() -> Outcome {
    let bytes = pattern(page_size() + 10);
    let (source, feed) = holding(&bytes)?;
    let (sink, target) = pipe()?;
    expect_eq!(tee(&source, &target, bytes.len(), NO_FLAGS), Ok(bytes.len()));
    expect_eq!(read_exactly(&source, 7)?, bytes[..7].to_vec());
    expect_eq!(unread(&sink)?, bytes.len());
    drop((source, feed));
    expect_eq!(drain(&sink)?, bytes);
    Ok(())
}

/// The source stays whole while the copy is read, closed and gone.
#[conformance::test(man = "tee(2)")]
fn leaves_a_source_that_outlives_the_copy() -> Outcome {
    let bytes = pattern(page_size() + 10);
    let (source, _feed) = holding(&bytes)?;
    let (sink, target) = pipe()?;
    expect_eq!(tee(&source, &target, bytes.len(), NO_FLAGS), Ok(bytes.len()));
    expect_eq!(read_exactly(&sink, 7)?, bytes[..7].to_vec());
    expect_eq!(unread(&source)?, bytes.len());
    drop((sink, target));
    expect_eq!(drain(&source)?, bytes);
    Ok(())
}

/// A copy of no bytes makes none, and returns at once.
#[rstest]
#[case::of_an_empty_source(b"")]
#[case::of_a_source_with_bytes(b"abc")]
#[conformance::test(man = "tee(2)")]
fn of_no_bytes_returns_zero(#[case] bytes: &[u8]) -> Outcome {
    let (source, _feed) = holding(bytes)?;
    let (sink, target) = pipe()?;
    expect_eq!(tee(&source, &target, 0, NO_FLAGS), Ok(0));
    expect_eq!((unread(&source)?, unread(&sink)?), (bytes.len(), 0));
    Ok(())
}

/// An empty source without writers is end-of-file: 0. While there is a writer it is EAGAIN for whoever does not wait.
#[conformance::test(man = "tee(2)")]
fn returns_zero_only_when_the_last_writer_is_gone() -> Outcome {
    let (source, feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    expect_eq!(drain(&source)?, b"abc");
    expect_eq!(tee(&source, &target, 5, SPLICE_F_NONBLOCK), Err(EAGAIN));
    drop(feed);
    expect_eq!(tee(&source, &target, 5, SPLICE_F_NONBLOCK), Ok(0));
    expect_eq!(tee(&source, &target, 5, NO_FLAGS), Ok(0));
    expect_eq!(unread(&sink)?, 0);
    Ok(())
}

/// A source without writers can be copied for as long as it holds bytes.
#[conformance::test(man = "tee(2)")]
fn copies_what_the_last_writer_left() -> Outcome {
    let (source, feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    drop(feed);
    expect_eq!((tee(&source, &target, 9, NO_FLAGS), tee(&source, &target, 9, NO_FLAGS)), (Ok(3), Ok(3)));
    expect_eq!((read_to_end(&source)?, drain(&sink)?), (b"abc".to_vec(), b"abcabc".to_vec()));
    expect_eq!(tee(&source, &target, 9, NO_FLAGS), Ok(0));
    Ok(())
}

/// With the flag, or with either descriptor non-blocking, an empty source is EAGAIN.
#[rstest]
#[conformance::test(man = "tee(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn does_not_wait_for_bytes(#[values(Impatience::Flag, Impatience::Source, Impatience::Target)] impatience: Impatience) -> Outcome {
    let (source, _feed) = pipe()?;
    let (sink, target) = pipe()?;
    let flags = impatience.apply(&source, &target)?;
    expect_eq!(tee(&source, &target, 5, flags), Err(EAGAIN));
    expect_eq!(unread(&sink)?, 0);
    Ok(())
}

/// With the flag, or with either descriptor non-blocking, a full target is EAGAIN, and stays as it is.
#[rstest]
#[conformance::test(man = "tee(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn does_not_wait_for_room(#[values(Impatience::Flag, Impatience::Source, Impatience::Target)] impatience: Impatience) -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let ((sink, target), count) = full()?;
    let flags = impatience.apply(&source, &target)?;
    expect_eq!(tee(&source, &target, 3, flags), Err(EAGAIN));
    expect_eq!((unread(&source)?, unread(&sink)?), (3, count));
    Ok(())
}

/// A target with too little room gets what fits, from the beginning; the count says how much that was.
#[rstest]
#[case::none_used(0)]
#[case::half_used(1)]
#[conformance::test(man = "tee(2)")]
fn copies_what_fits(#[case] used: usize) -> Outcome {
    let page = page_size();
    let bytes = pattern(3 * page);
    let (source, _feed) = holding(&bytes)?;
    let (sink, target) = pipe()?;
    expect_eq!(set_pipe_size(&target, i32::try_from(2 * page).map_err(|_| ERANGE)?)?, 2 * page);
    write_all(&target, &vec![b'.'; used * page])?;
    let fits = (2 - used) * page;
    expect_eq!(tee(&source, &target, 3 * page, NO_FLAGS), Ok(fits));
    expect_eq!(tee(&source, &target, 3 * page, SPLICE_F_NONBLOCK), Err(EAGAIN));
    expect_eq!((unread(&source)?, unread(&sink)?), (3 * page, 2 * page));
    expect_eq!(drain(&sink)?[used * page..].to_vec(), bytes[..fits].to_vec());
    Ok(())
}

/// Copies of one byte fill a target of n pages after n calls, as no two of them share a buffer.
#[conformance::test(man = "tee(2)", level = observed)]
fn fills_the_target_by_pieces_and_not_by_bytes() -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let room = pages(&target)?;
    let mut pieces = 0;
    while tee(&source, &target, 1, SPLICE_F_NONBLOCK) == Ok(1) {
        pieces += 1;
    }
    expect_eq!((pieces, ready(&target, PollFlags::POLLOUT)?), (room, PollFlags::empty()));
    expect_eq!((drain(&sink)?, drain(&source)?), (vec![b'a'; room], b"abc".to_vec()));
    Ok(())
}

/// A full source is as full after it has been copied: only a read, afterwards, lets a blocked writer go on.
#[conformance::test(man = "tee(2)")]
fn makes_no_room_in_the_source() -> Outcome {
    let ((source, feed), count) = full()?;
    let (sink, target) = pipe()?;
    let writer = Participant::spawn("writer", feed, |feed, _| write(&feed, b"x"))?;
    writer.until_blocked()?;
    expect_eq!(tee(&source, &target, count, NO_FLAGS), Ok(count));
    writer.expect_still_blocked()?;
    expect_eq!((unread(&source)?, unread(&sink)?), (count, count));
    read_exactly(&source, page_size())?;
    expect_eq!(writer.join()?, Ok(1));
    Ok(())
}

/// Reading the copy makes room in the copy, and none in the source.
#[conformance::test(man = "tee(2)")]
fn leaves_room_in_the_source_to_readers_of_the_source() -> Outcome {
    let ((source, feed), count) = full()?;
    let (sink, target) = pipe()?;
    expect_eq!(tee(&source, &target, count, NO_FLAGS), Ok(count));
    read_exactly(&sink, count)?;
    set_nonblocking(&feed, true)?;
    expect_eq!(write(&feed, b"x"), Err(EAGAIN));
    set_nonblocking(&target, true)?;
    expect_eq!((write(&target, b"x"), unread(&source)?), (Ok(1), count));
    Ok(())
}

/// A pipe cannot be copied into itself.
#[rstest]
#[case::by_its_other_end(false)]
#[case::by_a_duplicate(true)]
#[conformance::test(man = "tee(2)")]
fn refuses_a_pipe_twice(#[case] duplicate: bool) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let target = if duplicate { dup(&writer)? } else { writer };
    expect_eq!(tee(&reader, &target, 3, NO_FLAGS), Err(EINVAL));
    expect_eq!(drain(&reader)?, b"abc");
    Ok(())
}

/// Both sides have to be pipes.
#[rstest]
#[case::as_the_source(true)]
#[case::as_the_target(false)]
#[conformance::test(man = "tee(2)")]
fn refuses_a_file(#[case] as_source: bool) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let file = file(b"xyz")?;
    let seen = if as_source { tee(&file, &writer, 3, NO_FLAGS) } else { tee(&reader, &file, 3, NO_FLAGS) };
    expect_eq!(seen, Err(EINVAL));
    expect_eq!((drain(&reader)?, common::transfer::content(&file)?), (b"abc".to_vec(), b"xyz".to_vec()));
    Ok(())
}

/// Each end can only be used in its own direction.
#[rstest]
#[case::a_writing_end_as_the_source(true)]
#[case::a_reading_end_as_the_target(false)]
#[conformance::test(man = "tee(2)", level = observed)]
fn refuses_an_end_in_the_wrong_direction(#[case] as_source: bool) -> Outcome {
    let (source, feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let seen = if as_source { tee(&feed, &target, 3, NO_FLAGS) } else { tee(&source, &sink, 3, NO_FLAGS) };
    expect_eq!(seen, Err(EBADF));
    expect_eq!((drain(&source)?, unread(&sink)?), (b"abc".to_vec(), 0));
    Ok(())
}
