//! `sendfile` into a pipe, and what it refuses.

use conformance::prelude::*;
use nix::unistd::Whence;
use rstest::rstest;

use common::transfer::{Backing, content, drain, file, file_with, full, holding, position};

/// Without an offset the bytes come from the source's position, which moves on by exactly as many as were moved.
#[rstest]
#[conformance::test(man = "sendfile(2)", fixed_in = "Linux 2.6.23 (bcd4f3acbaec)")]
fn takes_from_the_position(#[values(Backing::RegularFile, Backing::Memfd)] backing: Backing) -> Outcome {
    let bytes = pattern(page_size() + 900);
    let source = backing.file(&bytes)?;
    let (reader, writer) = pipe()?;
    lseek(&source, 4, Whence::SeekSet)?;
    expect_eq!(sendfile(&writer, &source, None, page_size()), Ok(page_size()));
    expect_eq!(position(&source)?, page_size() + 4);
    expect_eq!(sendfile(&writer, &source, None, page_size()), Ok(896));
    expect_eq!(sendfile(&writer, &source, None, page_size()), Ok(0));
    expect_eq!((position(&source)?, drain(&reader)?), (bytes.len(), bytes[4..].to_vec()));
    Ok(())
}

/// With an offset it is the offset that moves on, while the source's position stays.
#[conformance::test(man = "sendfile(2)")]
fn takes_from_an_offset_and_leaves_the_position() -> Outcome {
    let source = file(b"0123456789")?;
    let (reader, writer) = pipe()?;
    lseek(&source, 1, Whence::SeekSet)?;
    let mut offset = 6;
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), 2), Ok(2));
    expect_eq!((offset, position(&source)?), (8, 1));
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), 100), Ok(2));
    expect_eq!((offset, position(&source)?, drain(&reader)?), (10, 1, b"6789".to_vec()));
    Ok(())
}

/// Nothing is asked for, or nothing is left: 0, and the pipe is as empty as before.
#[rstest]
#[case::of_no_bytes(b"abc", 0, 0)]
#[case::of_an_empty_file(b"", 0, 5)]
#[case::at_the_end(b"abc", 3, 5)]
#[case::beyond_the_end(b"abc", 1_000_000, 5)]
#[conformance::test(man = "sendfile(2)")]
fn returns_zero_where_there_is_nothing_to_send(#[case] bytes: &[u8], #[case] at: i64, #[case] count: usize) -> Outcome {
    let source = file(bytes)?;
    let (reader, writer) = pipe()?;
    let mut offset = at;
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), count), Ok(0));
    expect_eq!((offset, unread(&reader)?, ready(&reader, PollFlags::POLLIN)?), (at, 0, PollFlags::empty()));
    Ok(())
}

/// More bytes may be asked for than any call sends: what comes is what is there. A number that is negative is refused.
#[conformance::test(man = "sendfile(2)")]
fn of_a_great_number_sends_what_is_there() -> Outcome {
    let source = file(b"abcdef")?;
    let (reader, writer) = pipe()?;
    let mut offset = 2;
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), usize::MAX), Err(EINVAL));
    expect_eq!((offset, unread(&reader)?), (2, 0));
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), 0x7fff_ffff), Ok(4));
    expect_eq!((offset, drain(&reader)?), (6, b"cdef".to_vec()));
    Ok(())
}

/// A non-blocking pipe takes what fits; the next call is EAGAIN, and the source's position tells how far it came.
#[conformance::test(man = "sendfile(2)", fixed_in = "Linux 5.19 (bdeb77bc2c40)")]
fn does_not_wait_for_room_in_a_nonblocking_pipe() -> Outcome {
    let (reader, writer) = pipe()?;
    set_nonblocking(&writer, true)?;
    let capacity = pipe_size(&writer)?;
    let bytes = pattern(2 * capacity);
    let source = file(&bytes)?;
    expect_eq!(sendfile(&writer, &source, None, bytes.len()), Ok(capacity));
    expect_eq!(sendfile(&writer, &source, None, capacity), Err(EAGAIN));
    expect_eq!((position(&source)?, unread(&reader)?), (capacity, capacity));
    expect!(drain(&reader)? == bytes[..capacity]);
    expect_eq!(sendfile(&writer, &source, None, 3), Ok(3));
    expect_eq!((position(&source)?, drain(&reader)?), (capacity + 3, bytes[capacity..capacity + 3].to_vec()));
    Ok(())
}

/// A refused call at an offset leaves the offset as it is.
#[conformance::test(man = "sendfile(2)", fixed_in = "Linux 5.19 (bdeb77bc2c40)")]
fn that_is_refused_leaves_the_offset() -> Outcome {
    let ((reader, writer), count) = full()?;
    set_nonblocking(&writer, true)?;
    let source = file(b"abcdef")?;
    let mut offset = 2;
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), 3), Err(EAGAIN));
    expect_eq!((offset, position(&source)?, unread(&reader)?), (2, 0, count));
    Ok(())
}

/// From a file to a file both positions move on; the target's content around them stays.
#[conformance::test(man = "sendfile(2)", fixed_in = "Linux 2.6.33")]
fn between_files_moves_both_positions() -> Outcome {
    let (source, target) = (file(b"abcdef")?, file(b"0123456789")?);
    lseek(&source, 1, Whence::SeekSet)?;
    lseek(&target, 2, Whence::SeekSet)?;
    expect_eq!(sendfile(&target, &source, None, 3), Ok(3));
    expect_eq!((position(&source)?, position(&target)?), (4, 5));
    expect_eq!((content(&target)?, content(&source)?), (b"01bcd56789".to_vec(), b"abcdef".to_vec()));
    Ok(())
}

/// A source has to be like a file: a pipe or a socket is an invalid argument, and keeps its bytes.
#[rstest]
#[case::a_pipe(false)]
#[case::a_socket(true)]
#[conformance::test(man = "sendfile(2)")]
fn refuses_a_source_that_is_no_file(#[case] socket: bool) -> Outcome {
    let (source, feed) = if socket { super::file::socket_pair()? } else { pipe()? };
    write_all(&feed, b"abc")?;
    let (sink, target) = pipe()?;
    let file = file(b"")?;
    expect_eq!((sendfile(&target, &source, None, 3), sendfile(&file, &source, None, 3)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((unread(&source)?, unread(&sink)?, content(&file)?), (3, 0, Vec::new()));
    Ok(())
}

/// An offset into a source that has no positions is ESPIPE.
#[conformance::test(man = "sendfile(2)")]
fn refuses_an_offset_into_a_pipe() -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let mut offset = 1;
    expect_eq!(sendfile(&target, &source, Some(&mut offset), 3), Err(ESPIPE));
    expect_eq!((offset, unread(&source)?, unread(&sink)?), (1, 3, 0));
    Ok(())
}

/// The source has to be open for reading, and the target for writing.
#[rstest]
#[case::a_source_that_can_only_be_written(OFlag::O_WRONLY, false)]
#[case::a_reading_end_as_the_target(OFlag::O_RDONLY, true)]
#[conformance::test(man = "sendfile(2)")]
fn refuses_the_wrong_direction(#[case] flags: OFlag, #[case] into_reading_end: bool) -> Outcome {
    let source = file_with(b"abc", flags)?;
    let (reader, writer) = pipe()?;
    expect_eq!(sendfile(if into_reading_end { &reader } else { &writer }, &source, None, 3), Err(EBADF));
    expect_eq!((unread(&reader)?, position(&source)?), (0, 0));
    Ok(())
}

/// A file that is open for appending is no target.
#[conformance::test(man = "sendfile(2)")]
fn refuses_a_target_open_for_appending() -> Outcome {
    let source = file(b"abc")?;
    let target = file_with(b"xyz", OFlag::O_RDWR | OFlag::O_APPEND)?;
    expect_eq!(sendfile(&target, &source, None, 3), Err(EINVAL));
    expect_eq!((content(&target)?, position(&source)?), (b"xyz".to_vec(), 0));
    Ok(())
}

/// An offset below zero is an invalid argument.
#[conformance::test(man = "sendfile(2)", level = observed)]
fn refuses_a_negative_offset() -> Outcome {
    let source = file(b"abc")?;
    let (reader, writer) = pipe()?;
    let mut offset = -1;
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), 3), Err(EINVAL));
    expect_eq!((offset, unread(&reader)?), (-1, 0));
    Ok(())
}

/// An offset that cannot be read is found out before anything is sent.
#[conformance::test(man = "sendfile(2)")]
fn refuses_an_offset_that_cannot_be_read() -> Outcome {
    let source = file(b"abc")?;
    let (reader, writer) = pipe()?;
    expect_eq!(sendfile_with_bad_offset(&writer, &source, 3), Err(EFAULT));
    expect_eq!((unread(&reader)?, position(&source)?), (0, 0));
    Ok(())
}

/// A stream socket as the target gets what was asked for, in order, and the source's position says so.
#[conformance::test(man = "sendfile(2)")]
fn into_a_socket_arrives_in_order() -> Outcome {
    let bytes = pattern(3 * page_size() + 1);
    let source = file(&bytes)?;
    let (socket, peer) = super::file::socket_pair()?;
    expect_eq!(sendfile(&socket, &source, None, bytes.len()), Ok(bytes.len()));
    expect_eq!((position(&source)?, read_exactly(&peer, bytes.len())?), (bytes.len(), bytes));
    Ok(())
}
