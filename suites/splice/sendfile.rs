//! `sendfile` into a pipe, a file or a socket, and arguments that it rejects.

use conformance::prelude::*;
use nix::unistd::Whence;
use rstest::rstest;
use rstest_reuse::apply;

use common::transfer::{Backing, content, drain, every_backing, file, file_with, full, holding, position};

/// `sendfile` from a file into a pipe without an offset starts at the file position, returns the smaller of its count and the
/// number of bytes from there to end-of-file, and advances the position by the returned count. At end-of-file, the call
/// returns 0.
#[apply(every_backing)]
#[conformance::test(man = "sendfile(2)", fixed_in = "Linux 2.6.23 (bcd4f3acbaec)")]
fn reads_at_the_file_position(file_type: Backing) -> Outcome {
    let bytes = pattern(page_size() + 900);
    let source = file_type.file(&bytes)?;
    let (reader, writer) = pipe()?;
    lseek(&source, 4, Whence::SeekSet)?;
    expect_eq!(sendfile(&writer, &source, None, page_size()), Ok(page_size()));
    expect_eq!(position(&source)?, page_size() + 4);
    expect_eq!(sendfile(&writer, &source, None, page_size()), Ok(896));
    expect_eq!(sendfile(&writer, &source, None, page_size()), Ok(0));
    expect_eq!((position(&source)?, drain(&reader)?), (bytes.len(), bytes[4..].to_vec()));
    Ok(())
}

/// `sendfile` from a file into a pipe with an offset starts at the offset, returns the smaller of its count and the number of
/// bytes from there to end-of-file, and advances the offset by the returned count. The file position stays as it was.
#[conformance::test(man = "sendfile(2)")]
fn reads_at_an_offset() -> Outcome {
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

/// `sendfile` into a pipe returns 0 if the count is 0 or the offset is at or beyond end-of-file. The offset stays as it was, and
/// the pipe stays empty.
#[rstest]
#[case::count_zero(b"abc", 0, 0)]
#[case::empty_file(b"", 0, 5)]
#[case::at_the_end(b"abc", 3, 5)]
#[case::beyond_the_end(b"abc", 1_000_000, 5)]
#[conformance::test(man = "sendfile(2)")]
fn returns_zero_without_bytes_to_send(#[case] bytes: &[u8], #[case] at: i64, #[case] count: usize) -> Outcome {
    let source = file(bytes)?;
    let (reader, writer) = pipe()?;
    let mut offset = at;
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), count), Ok(0));
    expect_eq!((offset, unread(&reader)?, ready(&reader, PollFlags::POLLIN)?), (at, 0, PollFlags::empty()));
    Ok(())
}

/// `sendfile` with the count `SIZE_MAX`, which is negative as `ssize_t`, fails with `EINVAL`. With the count 0x7fffffff and 4
/// bytes between the offset and end-of-file, the call returns 4.
#[conformance::test(man = "sendfile(2)")]
fn rejects_a_negative_and_accepts_a_large_count() -> Outcome {
    let source = file(b"abcdef")?;
    let (reader, writer) = pipe()?;
    let mut offset = 2;
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), usize::MAX), Err(EINVAL));
    expect_eq!((offset, unread(&reader)?), (2, 0));
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), 0x7fff_ffff), Ok(4));
    expect_eq!((offset, drain(&reader)?), (6, b"cdef".to_vec()));
    Ok(())
}

/// `sendfile` of twice the capacity of an empty pipe from a file into that pipe with `O_NONBLOCK` set returns the capacity. The
/// next `sendfile` fails with `EAGAIN`, and the file position stays at the capacity.
#[conformance::test(man = "sendfile(2)", fixed_in = "Linux 5.19 (bdeb77bc2c40)")]
fn full_nonblocking_pipe_gives_eagain() -> Outcome {
    let (reader, writer) = pipe()?;
    set_nonblocking(&writer, true)?;
    let capacity = pipe_size(&writer)?;
    let bytes = pattern(2 * capacity);
    let source = file(&bytes)?;
    expect_eq!(sendfile(&writer, &source, None, bytes.len()), Ok(capacity));
    expect_eq!(sendfile(&writer, &source, None, capacity), Err(EAGAIN));
    expect_eq!((position(&source)?, unread(&reader)?), (capacity, capacity));
    expect_eq!(drain(&reader)?, bytes[..capacity].to_vec());
    expect_eq!(sendfile(&writer, &source, None, 3), Ok(3));
    expect_eq!((position(&source)?, drain(&reader)?), (capacity + 3, bytes[capacity..capacity + 3].to_vec()));
    Ok(())
}

/// `sendfile` with an offset into a full pipe with `O_NONBLOCK` set fails with `EAGAIN`. The offset, the file position and the
/// bytes of the pipe stay as they were.
#[conformance::test(man = "sendfile(2)", fixed_in = "Linux 5.19 (bdeb77bc2c40)")]
fn eagain_leaves_the_offset() -> Outcome {
    let ((reader, writer), count) = full()?;
    set_nonblocking(&writer, true)?;
    let source = file(b"abcdef")?;
    let mut offset = 2;
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), 3), Err(EAGAIN));
    expect_eq!((offset, position(&source)?, unread(&reader)?), (2, 0, count));
    Ok(())
}

/// `sendfile` of 3 bytes from a file to a file returns 3 and advances both file positions by 3. The other bytes of the target
/// stay as they were.
#[conformance::test(man = "sendfile(2)", fixed_in = "Linux 2.6.33")]
fn advances_both_positions_between_files() -> Outcome {
    let (source, target) = (file(b"abcdef")?, file(b"0123456789")?);
    lseek(&source, 1, Whence::SeekSet)?;
    lseek(&target, 2, Whence::SeekSet)?;
    expect_eq!(sendfile(&target, &source, None, 3), Ok(3));
    expect_eq!((position(&source)?, position(&target)?), (4, 5));
    expect_eq!((content(&target)?, content(&source)?), (b"01bcd56789".to_vec(), b"abcdef".to_vec()));
    Ok(())
}

/// `sendfile` from a pipe or a stream socket, into a pipe or a file, fails with `EINVAL`, and the source keeps its bytes.
#[rstest]
#[case::pipe(false)]
#[case::stream_socket(true)]
#[conformance::test(man = "sendfile(2)")]
fn rejects_a_pipe_or_socket_as_source(#[case] socket: bool) -> Outcome {
    let (source, feed) = if socket { super::files_and_devices::socket_pair()? } else { pipe()? };
    write_all(&feed, b"abc")?;
    let (sink, target) = pipe()?;
    let file = file(b"")?;
    expect_eq!((sendfile(&target, &source, None, 3), sendfile(&file, &source, None, 3)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((unread(&source)?, unread(&sink)?, content(&file)?), (3, 0, Vec::new()));
    Ok(())
}

/// `sendfile` from a pipe with an offset fails with `ESPIPE`. The offset stays as it was, and the source keeps its bytes.
#[conformance::test(man = "sendfile(2)")]
fn rejects_an_offset_of_a_pipe() -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let mut offset = 1;
    expect_eq!(sendfile(&target, &source, Some(&mut offset), 3), Err(ESPIPE));
    expect_eq!((offset, unread(&source)?, unread(&sink)?), (1, 3, 0));
    Ok(())
}

/// `sendfile` from a file opened with `O_WRONLY`, or into the read end of a pipe, fails with `EBADF`. The file position stays 0,
/// and the pipe stays empty.
#[rstest]
#[case::write_only_source(OFlag::O_WRONLY, false)]
#[case::read_end_as_target(OFlag::O_RDONLY, true)]
#[conformance::test(man = "sendfile(2)")]
fn rejects_the_wrong_access_mode(#[case] flags: OFlag, #[case] into_reading_end: bool) -> Outcome {
    let source = file_with(b"abc", flags)?;
    let (reader, writer) = pipe()?;
    expect_eq!(sendfile(if into_reading_end { &reader } else { &writer }, &source, None, 3), Err(EBADF));
    expect_eq!((unread(&reader)?, position(&source)?), (0, 0));
    Ok(())
}

/// `sendfile` into a file opened with `O_APPEND` fails with `EINVAL`. The content of the target and the position of the source
/// stay as they were.
#[conformance::test(man = "sendfile(2)")]
fn rejects_a_target_opened_with_o_append() -> Outcome {
    let source = file(b"abc")?;
    let target = file_with(b"xyz", OFlag::O_RDWR | OFlag::O_APPEND)?;
    expect_eq!(sendfile(&target, &source, None, 3), Err(EINVAL));
    expect_eq!((content(&target)?, position(&source)?), (b"xyz".to_vec(), 0));
    Ok(())
}

/// `sendfile` from a file at offset -1 into a pipe fails with `EINVAL`. The offset stays as it was, and the pipe stays empty.
#[conformance::test(man = "sendfile(2)", level = customary)]
fn rejects_a_negative_offset() -> Outcome {
    let source = file(b"abc")?;
    let (reader, writer) = pipe()?;
    let mut offset = -1;
    expect_eq!(sendfile(&writer, &source, Some(&mut offset), 3), Err(EINVAL));
    expect_eq!((offset, unread(&reader)?), (-1, 0));
    Ok(())
}

/// `sendfile` with an invalid pointer to the offset fails with `EFAULT`. The file position stays 0, and the pipe stays empty.
#[conformance::test(man = "sendfile(2)")]
fn rejects_an_invalid_offset_pointer() -> Outcome {
    let source = file(b"abc")?;
    let (reader, writer) = pipe()?;
    expect_eq!(sendfile_with_bad_offset(&writer, &source, 3), Err(EFAULT));
    expect_eq!((unread(&reader)?, position(&source)?), (0, 0));
    Ok(())
}

/// `sendfile` of a file of 3 pages and 1 byte into a blocking stream socket, with the size of the file as count, returns that
/// size and advances the file position to end-of-file. `read` from the peer returns the bytes of the file in order.
#[conformance::test(man = "sendfile(2)")]
fn into_a_stream_socket_sends_all_bytes() -> Outcome {
    let bytes = pattern(3 * page_size() + 1);
    let source = file(&bytes)?;
    let (socket, peer) = super::files_and_devices::socket_pair()?;
    expect_eq!(sendfile(&socket, &source, None, bytes.len()), Ok(bytes.len()));
    expect_eq!((position(&source)?, read_exactly(&peer, bytes.len())?), (bytes.len(), bytes));
    Ok(())
}
