//! `vmsplice`: memory of a process into a pipe, and bytes of a pipe into memory.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use rstest::rstest;

use common::transfer::{NO_FLAGS, SPLICE_F_NONBLOCK, drain, file, full, holding, null, pages};

/// `vmsplice` into a pipe puts the bytes of all segments into the pipe in order, skips empty segments, and returns the total
/// count.
#[rstest]
#[case::one_segment(&["abc"], "abc")]
#[case::three_segments(&["a", "bcd", "ef"], "abcdef")]
#[case::empty_first_segment(&["", "abc"], "abc")]
#[case::empty_middle_segment(&["abc", "", "def"], "abcdef")]
#[case::empty_last_segment(&["abc", ""], "abc")]
#[conformance::test(man = "vmsplice(2)", fixed_in = "Linux 4.9")]
fn writes_segments_in_order(#[case] segments: &[&str], #[case] bytes: &str) -> Outcome {
    let (reader, writer) = pipe()?;
    let segments: Vec<IoSlice<'_>> = segments.iter().map(|segment| IoSlice::new(segment.as_bytes())).collect();
    expect_eq!(vmsplice(&writer, &segments, NO_FLAGS), Ok(bytes.len()));
    expect_eq!((unread(&reader)?, drain(&reader)?), (bytes.len(), bytes.as_bytes().to_vec()));
    Ok(())
}

/// `vmsplice` into a pipe of memory that starts and ends inside a page puts all its bytes into the pipe and returns their count.
#[conformance::test(man = "vmsplice(2)")]
fn writes_unaligned_memory() -> Outcome {
    let memory = pattern(4 * page_size());
    let bytes = &memory[11..2 * page_size() + 500];
    let (reader, writer) = pipe()?;
    expect_eq!(vmsplice(&writer, &[IoSlice::new(bytes)], NO_FLAGS), Ok(bytes.len()));
    expect_eq!((unread(&reader)?, drain(&reader)?), (bytes.len(), bytes.to_vec()));
    Ok(())
}

/// `vmsplice` out of a pipe stores the bytes of the pipe in the segments in order and returns the smaller of their number and the
/// total size of the segments. The other bytes stay in the pipe.
#[rstest]
#[case::one_segment([3, 0, 0], 3)]
#[case::two_segments([2, 3, 0], 5)]
#[case::empty_middle_segment([2, 0, 3], 5)]
#[case::more_space_than_bytes([2, 2, 90], 6)]
#[conformance::test(man = "vmsplice(2)")]
fn fills_segments_in_order(#[case] sizes: [usize; 3], #[case] count: usize) -> Outcome {
    let (reader, _writer) = holding(b"abcdef")?;
    let mut memory = sizes.map(|size| vec![b'.'; size]);
    let mut segments: Vec<IoSliceMut<'_>> = memory.iter_mut().map(|part| IoSliceMut::new(part)).collect();
    expect_eq!(vmsplice_out(&reader, &mut segments, NO_FLAGS), Ok(count));
    let mut expected = b"abcdef"[..count].to_vec();
    expected.resize(sizes.iter().sum(), b'.');
    expect_eq!((memory.concat(), drain(&reader)?), (expected, b"abcdef"[count..].to_vec()));
    Ok(())
}

/// `vmsplice` with no segments returns 0, into a pipe and out of a pipe, and the pipe keeps its bytes.
#[conformance::test(man = "vmsplice(2)", level = customary)]
fn without_segments_returns_zero() -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    expect_eq!((vmsplice(&writer, &[], NO_FLAGS), vmsplice_out(&reader, &mut [], NO_FLAGS)), (Ok(0), Ok(0)));
    expect_eq!(drain(&reader)?, b"abc");
    Ok(())
}

/// `vmsplice` into a pipe with `IOV_MAX` segments, of which only the last has 1 byte, returns 1. With one segment more, the call
/// fails with `EINVAL` and puts no bytes into the pipe.
#[conformance::test(man = "vmsplice(2)")]
fn limits_segments_to_iov_max() -> Outcome {
    let most = usize::try_from(libc::UIO_MAXIOV).map_err(|_| ERANGE)?;
    let (reader, writer) = pipe()?;
    let mut segments = vec![IoSlice::new(b""); most];
    segments[most - 1] = IoSlice::new(b"z");
    expect_eq!(vmsplice(&writer, &segments, NO_FLAGS), Ok(1));
    segments.push(IoSlice::new(b"y"));
    expect_eq!(vmsplice(&writer, &segments, NO_FLAGS), Err(EINVAL));
    expect_eq!(drain(&reader)?, b"z");
    Ok(())
}

/// `vmsplice` with `SPLICE_F_NONBLOCK` out of an empty pipe fails with `EAGAIN` while a writer is open. After the last writer
/// closed, the call returns 0 with and without the flag.
#[conformance::test(man = "vmsplice(2)", level = customary)]
fn returns_zero_after_the_last_writer_closed() -> Outcome {
    let (reader, writer) = holding(b"a")?;
    let mut memory = *b"....";
    let mut out = |flags| vmsplice_out(&reader, &mut [IoSliceMut::new(&mut memory)], flags);
    expect_eq!((out(NO_FLAGS), out(SPLICE_F_NONBLOCK)), (Ok(1), Err(EAGAIN)));
    drop(writer);
    expect_eq!((out(NO_FLAGS), out(SPLICE_F_NONBLOCK)), (Ok(0), Ok(0)));
    expect_eq!(&memory, b"a...");
    Ok(())
}

/// `vmsplice` of 3 bytes with `SPLICE_F_NONBLOCK` into a full pipe fails with `EAGAIN`, and the pipe keeps its bytes. After
/// `read` of a page, the call returns 3.
#[conformance::test(man = "vmsplice(2)")]
fn full_pipe_gives_eagain() -> Outcome {
    let ((reader, writer), count) = full()?;
    expect_eq!(vmsplice(&writer, &[IoSlice::new(b"abc")], SPLICE_F_NONBLOCK), Err(EAGAIN));
    expect_eq!(unread(&reader)?, count);
    read_exactly(&reader, page_size())?;
    expect_eq!(vmsplice(&writer, &[IoSlice::new(b"abc")], SPLICE_F_NONBLOCK), Ok(3));
    Ok(())
}

/// `vmsplice` of more than n segments, each of 1 byte or of one page, into an empty pipe with a capacity of n pages puts the
/// first n segments into the pipe and returns their total size, with and without `SPLICE_F_NONBLOCK`.
#[rstest]
#[case::one_byte_segments(1)]
#[case::page_segments(usize::MAX)]
#[conformance::test(man = "vmsplice(2)", level = customary)]
fn count_is_limited_by_the_free_page_slots(
    #[case] size: usize,
    #[values(NO_FLAGS, SPLICE_F_NONBLOCK)] flags: SpliceFlags,
) -> Outcome {
    let (reader, writer) = pipe()?;
    let slots = pages(&writer)?;
    // Aligned, so that no segment crosses a page boundary.
    let mut memory = Guarded::new()?;
    let size = size.min(memory.bytes().len());
    memory.bytes()[..size].copy_from_slice(&pattern(size));
    let segment: &[u8] = &memory.bytes()[..size];
    let segments = vec![IoSlice::new(segment); slots + 3];
    expect_eq!(vmsplice(&writer, &segments, flags), Ok(slots * size));
    expect_eq!(vmsplice(&writer, &segments, SPLICE_F_NONBLOCK), Err(EAGAIN));
    expect_eq!(drain(&reader)?, pattern(size).repeat(slots));
    Ok(())
}

/// `vmsplice` of memory to a regular file, `/dev/null` or a stream socket fails with `EBADF`.
#[conformance::test(man = "vmsplice(2)")]
fn rejects_files_devices_and_sockets() -> Outcome {
    let (socket, _peer) = super::files_and_devices::socket_pair()?;
    for other in [file(b"xyz")?, null()?, socket] {
        expect_eq!(vmsplice(&other, &[IoSlice::new(b"abc")], NO_FLAGS), Err(EBADF));
    }
    Ok(())
}

/// `vmsplice` with the undefined flag 0x10 fails with `EINVAL`, into a pipe and out of a pipe, and the pipe keeps its bytes.
#[conformance::test(man = "vmsplice(2)", level = customary, fixed_in = "Linux 4.11 (3d6ea290f337)")]
fn rejects_an_unknown_flag() -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let flags = SpliceFlags::from_bits_retain(0x10);
    expect_eq!(vmsplice(&writer, &[IoSlice::new(b"def")], flags), Err(EINVAL));
    expect_eq!(vmsplice_out(&reader, &mut [IoSliceMut::new(&mut [0; 3])], flags), Err(EINVAL));
    expect_eq!(drain(&reader)?, b"abc");
    Ok(())
}

/// `vmsplice` of 4 bytes to a FIFO opened with `O_RDWR` returns 4, and `read` then returns these bytes.
#[conformance::test(man = "vmsplice(2)", level = customary)]
fn writes_to_a_fifo_opened_read_write() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    let both = open(&path, OFlag::O_RDWR)?;
    expect_eq!(vmsplice(&both, &[IoSlice::new(b"abcd")], NO_FLAGS), Ok(4));
    expect_eq!((unread(&both)?, read_some(&both, 9)?), (4, b"abcd".to_vec()));
    Ok(())
}

/// `vmsplice` of inaccessible memory into a pipe fails with `EFAULT` and puts no bytes into the pipe.
#[conformance::test(man = "vmsplice(2)", level = customary)]
fn rejects_unreadable_memory() -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let mut memory = Guarded::new()?;
    expect_eq!(vmsplice_across(&writer, b"", &mut memory, (0, 4), NO_FLAGS), Err(EFAULT));
    expect_eq!((drain(&reader)?, ready(&reader, PollFlags::POLLIN)?), (b"abc".to_vec(), PollFlags::empty()));
    Ok(())
}

/// `vmsplice` of a readable segment of 5 bytes followed by an inaccessible one puts the 5 bytes into the pipe and returns 5.
#[conformance::test(man = "vmsplice(2)", level = customary)]
fn stops_before_unreadable_memory() -> Outcome {
    let (reader, writer) = pipe()?;
    let mut memory = Guarded::new()?;
    expect_eq!(vmsplice_across(&writer, b"abcde", &mut memory, (0, 5), NO_FLAGS), Ok(5));
    expect_eq!(drain(&reader)?, b"abcde");
    Ok(())
}

/// `vmsplice` out of a pipe into inaccessible memory fails with `EFAULT`, and the pipe keeps its bytes.
#[conformance::test(man = "vmsplice(2)", level = customary, fixed_in = "Linux 2.6.24.1 (8811930dc74a)")]
fn rejects_unwritable_memory() -> Outcome {
    let (reader, _writer) = holding(b"abc")?;
    let mut memory = Guarded::new()?;
    expect_eq!(vmsplice_across(&reader, b"", &mut memory, (0, 3), NO_FLAGS), Err(EFAULT));
    expect_eq!((unread(&reader)?, drain(&reader)?), (3, b"abc".to_vec()));
    Ok(())
}

/// `vmsplice` with `SPLICE_F_GIFT` of one page-aligned page returns the page size, and `read` returns the bytes of the page.
#[conformance::test(man = "vmsplice(2)")]
fn accepts_a_page_aligned_gift() -> Outcome {
    let page = page_size();
    // A gift must never be freed or changed.
    let memory: &'static [u8] = pattern(3 * page).leak();
    let start = memory.as_ptr().align_offset(page);
    let gift = &memory[start..start + page];
    let (reader, writer) = pipe()?;
    expect_eq!(vmsplice_gift(&writer, gift), Ok(page));
    expect_eq!(drain(&reader)?, gift.to_vec());
    Ok(())
}

/// `vmsplice` with `SPLICE_F_GIFT` of memory that is not page-aligned fails with `EINVAL` and puts no bytes into the pipe.
#[conformance::test(man = "vmsplice(2)")]
fn rejects_an_unaligned_gift() -> Outcome {
    let page = page_size();
    let memory: &'static [u8] = pattern(3 * page).leak();
    let start = memory.as_ptr().align_offset(page) + 1;
    let (reader, writer) = pipe()?;
    expect_eq!(vmsplice_gift(&writer, &memory[start..start + page]), Err(EINVAL));
    expect_eq!(unread(&reader)?, 0);
    Ok(())
}

/// After a process that put its memory into a pipe by `vmsplice` is killed, `read` returns all bytes of that memory and then 0.
#[conformance::test(man = "vmsplice(2)")]
fn bytes_outlive_the_killed_caller() -> Outcome {
    let (reader, writer) = pipe()?;
    let owner = Participant::spawn("owner", writer, |writer, link| -> () {
        let memory = pattern(2 * page_size() + 7);
        let moved = vmsplice(&writer, &[IoSlice::new(&memory)], NO_FLAGS);
        link.reached(&format!("{moved:?}"));
        link.park()
    })?;
    let bytes = pattern(2 * page_size() + 7);
    owner.until_reached(&format!("{:?}", Ok::<_, Errno>(bytes.len())))?;
    owner.kill()?;
    expect_eq!(read_to_end(&reader)?, bytes);
    Ok(())
}
