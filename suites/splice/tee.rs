//! `tee`: copies the bytes of a pipe into another pipe, while the source keeps them.

use conformance::prelude::*;
use rstest::rstest;

use super::pipe_to_pipe::Nonblocking;
use common::transfer::{NO_FLAGS, SPLICE_F_NONBLOCK, drain, file, full, holding, pages};

/// `tee` of n bytes from a pipe with 6 unread bytes into another pipe copies the oldest bytes in order and returns the smaller of
/// n and 6 without blocking. The source keeps all 6 bytes.
#[rstest]
#[case::a_part_of_one_write(2, b"ab")]
#[case::a_part_of_the_second_write(4, b"abcd")]
#[case::all_bytes(6, b"abcdef")]
#[case::more_than_there_is(1000, b"abcdef")]
#[case::size_max(usize::MAX, b"abcdef")]
#[conformance::test(man = "tee(2)")]
fn copies_the_oldest_bytes(#[case] length: usize, #[case] copied: &[u8]) -> Outcome {
    let (source, feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    write_all(&feed, b"def")?;
    expect_eq!(tee(&source, &target, length, NO_FLAGS), Ok(copied.len()));
    expect_eq!((unread(&source)?, unread(&sink)?), (6, copied.len()));
    expect_eq!((drain(&source)?, drain(&sink)?), (b"abcdef".to_vec(), copied.to_vec()));
    Ok(())
}

/// After `read` of 2 of the 6 bytes of a `write`, `tee` of 3 bytes from that pipe into another copies the first 3 unread bytes
/// and returns 3.
#[conformance::test(man = "tee(2)")]
fn starts_at_the_first_unread_byte() -> Outcome {
    let (source, _feed) = holding(b"abcdef")?;
    let (sink, target) = pipe()?;
    expect_eq!(read_some(&source, 2)?, b"ab");
    expect_eq!(tee(&source, &target, 3, NO_FLAGS), Ok(3));
    expect_eq!((drain(&sink)?, drain(&source)?), (b"cde".to_vec(), b"cdef".to_vec()));
    Ok(())
}

/// `tee` of two pages and 50 bytes into another pipe returns that length, and `read` from the target returns these bytes in
/// order.
#[conformance::test(man = "tee(2)", fixed_in = "Linux 2.6.17 (aadd06e5c56b)")]
fn keeps_the_order_across_pages() -> Outcome {
    let bytes = pattern(3 * page_size() + 100);
    let length = 2 * page_size() + 50;
    let (source, _feed) = holding(&bytes)?;
    let (sink, target) = pipe()?;
    expect_eq!(tee(&source, &target, length, NO_FLAGS), Ok(length));
    expect_eq!((unread(&source)?, drain(&sink)?), (bytes.len(), bytes[..length].to_vec()));
    expect_eq!(drain(&source)?, bytes);
    Ok(())
}

/// Two `tee` calls of 3 and 2 bytes from the same pipe return 3 and 2, and both copy from the first unread byte of the source.
#[conformance::test(man = "tee(2)")]
fn copies_the_same_bytes_again() -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    expect_eq!(tee(&source, &target, 3, NO_FLAGS), Ok(3));
    expect_eq!(tee(&source, &target, 2, NO_FLAGS), Ok(2));
    expect_eq!((drain(&sink)?, drain(&source)?), (b"abcab".to_vec(), b"abc".to_vec()));
    Ok(())
}

/// After `tee` of all bytes of a pipe into a second pipe, and after the first pipe is partly read and then closed, `read` from
/// the second pipe still returns all copied bytes.
#[conformance::test(man = "tee(2)")]
fn copy_outlives_the_source() -> Outcome {
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

/// After `tee` of all bytes of a pipe into a second pipe, of which some are read before the second pipe is closed, `read` from
/// the first pipe still returns all bytes.
#[conformance::test(man = "tee(2)")]
fn source_outlives_the_copy() -> Outcome {
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

/// `tee` of length 0 between two pipes returns 0 without blocking, from an empty source and from a source with bytes.
#[rstest]
#[case::empty_source(b"")]
#[case::source_with_bytes(b"abc")]
#[conformance::test(man = "tee(2)", level = customary)]
fn zero_length_returns_zero(#[case] bytes: &[u8]) -> Outcome {
    let (source, _feed) = holding(bytes)?;
    let (sink, target) = pipe()?;
    expect_eq!(tee(&source, &target, 0, NO_FLAGS), Ok(0));
    expect_eq!((unread(&source)?, unread(&sink)?), (bytes.len(), 0));
    Ok(())
}

/// `tee` with `SPLICE_F_NONBLOCK` from an empty pipe fails with `EAGAIN` while a writer is open. After the last writer closed,
/// `tee` returns 0 with and without the flag.
#[conformance::test(man = "tee(2)")]
fn returns_zero_after_the_last_writer_closed() -> Outcome {
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

/// Each of two `tee` calls of 9 bytes from a pipe with 3 unread bytes and without writers returns 3. After the bytes of the
/// source are read, `tee` returns 0.
#[conformance::test(man = "tee(2)")]
fn copies_the_bytes_left_by_the_last_writer() -> Outcome {
    let (source, feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    drop(feed);
    expect_eq!((tee(&source, &target, 9, NO_FLAGS), tee(&source, &target, 9, NO_FLAGS)), (Ok(3), Ok(3)));
    expect_eq!((read_to_end(&source)?, drain(&sink)?), (b"abc".to_vec(), b"abcabc".to_vec()));
    expect_eq!(tee(&source, &target, 9, NO_FLAGS), Ok(0));
    Ok(())
}

/// `tee` from an empty pipe with a writer fails with `EAGAIN` if `SPLICE_F_NONBLOCK` is given, or if the read end of the source
/// or the write end of the target has `O_NONBLOCK` set.
#[rstest]
#[conformance::test(man = "tee(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn empty_source_gives_eagain(
    #[values(Nonblocking::SpliceFNonblock, Nonblocking::Source, Nonblocking::Target)] nonblocking: Nonblocking,
) -> Outcome {
    let (source, _feed) = pipe()?;
    let (sink, target) = pipe()?;
    let flags = nonblocking.apply(&source, &target)?;
    expect_eq!(tee(&source, &target, 5, flags), Err(EAGAIN));
    expect_eq!(unread(&sink)?, 0);
    Ok(())
}

/// `tee` into a full pipe fails with `EAGAIN` if `SPLICE_F_NONBLOCK` is given, or if the read end of the source or the write end
/// of the target has `O_NONBLOCK` set. Both pipes keep their bytes.
#[rstest]
#[conformance::test(man = "tee(2)", fixed_in = "Linux 5.1 (ee5e001196d1)")]
fn full_target_gives_eagain(
    #[values(Nonblocking::SpliceFNonblock, Nonblocking::Source, Nonblocking::Target)] nonblocking: Nonblocking,
) -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let ((sink, target), count) = full()?;
    let flags = nonblocking.apply(&source, &target)?;
    expect_eq!(tee(&source, &target, 3, flags), Err(EAGAIN));
    expect_eq!((unread(&source)?, unread(&sink)?), (3, count));
    Ok(())
}

/// `tee` of 3 pages into a pipe with 1 or 2 free pages copies the first 1 or 2 pages of the source and returns their size. The
/// next `tee` with `SPLICE_F_NONBLOCK` fails with `EAGAIN`.
#[rstest]
#[case::two_free_pages(0)]
#[case::one_free_page(1)]
#[conformance::test(man = "tee(2)")]
fn count_is_limited_by_the_free_space(#[case] used: usize) -> Outcome {
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

/// Exactly n successive `tee` calls of 1 byte with `SPLICE_F_NONBLOCK` into an empty pipe with a capacity of n pages return 1.
/// `poll` then reports no `POLLOUT` on the write end of the target.
#[conformance::test(man = "tee(2)", level = customary)]
fn each_one_byte_tee_takes_a_page_slot() -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let slots = pages(&target)?;
    let mut pieces = 0;
    while tee(&source, &target, 1, SPLICE_F_NONBLOCK) == Ok(1) {
        pieces += 1;
    }
    expect_eq!((pieces, ready(&target, PollFlags::POLLOUT)?), (slots, PollFlags::empty()));
    expect_eq!((drain(&sink)?, drain(&source)?), (vec![b'a'; slots], b"abc".to_vec()));
    Ok(())
}

/// While a `write` of 1 byte is blocked on a full pipe, `tee` of all bytes of that pipe into another leaves the `write` blocked.
/// After `read` of a page from the full pipe, the blocked `write` returns 1.
#[conformance::test(man = "tee(2)")]
fn frees_no_space_in_the_source() -> Outcome {
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

/// After `tee` of a full pipe and `read` of the whole copy, a non-blocking `write` to the source fails with `EAGAIN`. A
/// non-blocking `write` of 1 byte to the target returns 1.
#[conformance::test(man = "tee(2)")]
fn reading_the_copy_frees_no_space_in_the_source() -> Outcome {
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

/// `tee` from a pipe into the write end of the same pipe, or into a duplicate of it, fails with `EINVAL`, and the pipe keeps its
/// bytes.
#[rstest]
#[case::write_end(false)]
#[case::duplicate_of_the_write_end(true)]
#[conformance::test(man = "tee(2)")]
fn rejects_one_pipe_as_source_and_target(#[case] duplicate: bool) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let target = if duplicate { dup(&writer)? } else { writer };
    expect_eq!(tee(&reader, &target, 3, NO_FLAGS), Err(EINVAL));
    expect_eq!(drain(&reader)?, b"abc");
    Ok(())
}

/// `tee` with a regular file as source or as target fails with `EINVAL`, and the pipe and the file keep their bytes.
#[rstest]
#[case::as_source(true)]
#[case::as_target(false)]
#[conformance::test(man = "tee(2)")]
fn rejects_a_regular_file(#[case] as_source: bool) -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let file = file(b"xyz")?;
    let seen = if as_source { tee(&file, &writer, 3, NO_FLAGS) } else { tee(&reader, &file, 3, NO_FLAGS) };
    expect_eq!(seen, Err(EINVAL));
    expect_eq!((drain(&reader)?, common::transfer::content(&file)?), (b"abc".to_vec(), b"xyz".to_vec()));
    Ok(())
}

/// `tee` from the write end of a pipe, or into the read end of a pipe, fails with `EBADF`, and both pipes keep their bytes.
#[rstest]
#[case::write_end_as_source(true)]
#[case::read_end_as_target(false)]
#[conformance::test(man = "tee(2)", level = customary)]
fn rejects_a_pipe_end_of_the_wrong_direction(#[case] as_source: bool) -> Outcome {
    let (source, feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let seen = if as_source { tee(&feed, &target, 3, NO_FLAGS) } else { tee(&source, &sink, 3, NO_FLAGS) };
    expect_eq!(seen, Err(EBADF));
    expect_eq!((drain(&source)?, unread(&sink)?), (b"abc".to_vec(), 0));
    Ok(())
}
