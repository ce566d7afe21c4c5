//! `vmsplice`: pages of a process into a pipe, and a pipe's bytes into a process.

use std::io::{IoSlice, IoSliceMut};

use conformance::prelude::*;
use rstest::rstest;

use common::transfer::{NO_FLAGS, SPLICE_F_NONBLOCK, drain, file, full, holding, null, pages};

/// All segments go in, in their order; those of no bytes contribute none and end nothing.
#[rstest]
#[case::one(&["abc"], "abc")]
#[case::three(&["a", "bcd", "ef"], "abcdef")]
#[case::an_empty_first(&["", "abc"], "abc")]
#[case::an_empty_one_between(&["abc", "", "def"], "abcdef")]
#[case::an_empty_last(&["abc", ""], "abc")]
#[conformance::test(man = "vmsplice(2)", fixed_in = "Linux 4.9")]
fn puts_segments_in_order(#[case] segments: &[&str], #[case] bytes: &str) -> Outcome {
    let (reader, writer) = pipe()?;
    let segments: Vec<IoSlice<'_>> = segments.iter().map(|segment| IoSlice::new(segment.as_bytes())).collect();
    expect_eq!(vmsplice(&writer, &segments, NO_FLAGS), Ok(bytes.len()));
    expect_eq!((unread(&reader)?, drain(&reader)?), (bytes.len(), bytes.as_bytes().to_vec()));
    Ok(())
}

/// Memory that is not aligned and spans several pages goes in whole.
#[conformance::test(man = "vmsplice(2)")]
fn puts_memory_that_is_not_aligned() -> Outcome {
    let memory = pattern(4 * page_size());
    let bytes = &memory[11..2 * page_size() + 500];
    let (reader, writer) = pipe()?;
    expect_eq!(vmsplice(&writer, &[IoSlice::new(bytes)], NO_FLAGS), Ok(bytes.len()));
    expect_eq!((unread(&reader)?, drain(&reader)?), (bytes.len(), bytes.to_vec()));
    Ok(())
}

/// Out of a pipe the segments are filled in their order, with as much as there is; what does not fit stays.
#[rstest]
#[case::into_one([3, 0, 0], 3)]
#[case::into_several([2, 3, 0], 5)]
#[case::around_an_empty_one([2, 0, 3], 5)]
#[case::into_more_than_there_is([2, 2, 90], 6)]
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

/// No segments at all move nothing.
#[conformance::test(man = "vmsplice(2)", level = observed)]
fn of_no_segments_returns_zero() -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    expect_eq!((vmsplice(&writer, &[], NO_FLAGS), vmsplice_out(&reader, &mut [], NO_FLAGS)), (Ok(0), Ok(0)));
    expect_eq!(drain(&reader)?, b"abc");
    Ok(())
}

/// As many segments as `IOV_MAX` are taken, one more is refused, and nothing of it is in the pipe.
#[conformance::test(man = "vmsplice(2)")]
fn takes_as_many_segments_as_the_limit_says() -> Outcome {
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

/// Out of an empty pipe without writers comes end-of-file; with one, EAGAIN for who does not wait.
#[conformance::test(man = "vmsplice(2)", level = observed)]
fn returns_zero_only_when_the_last_writer_is_gone() -> Outcome {
    let (reader, writer) = holding(b"a")?;
    let mut memory = *b"....";
    let mut out = |flags| vmsplice_out(&reader, &mut [IoSliceMut::new(&mut memory)], flags);
    expect_eq!((out(NO_FLAGS), out(SPLICE_F_NONBLOCK)), (Ok(1), Err(EAGAIN)));
    drop(writer);
    expect_eq!((out(NO_FLAGS), out(SPLICE_F_NONBLOCK)), (Ok(0), Ok(0)));
    expect_eq!(&memory, b"a...");
    Ok(())
}

/// Into a full pipe: EAGAIN for who does not wait, and the pipe holds what it held.
#[conformance::test(man = "vmsplice(2)")]
fn does_not_wait_for_room() -> Outcome {
    let ((reader, writer), count) = full()?;
    expect_eq!(vmsplice(&writer, &[IoSlice::new(b"abc")], SPLICE_F_NONBLOCK), Err(EAGAIN));
    expect_eq!(unread(&reader)?, count);
    read_exactly(&reader, page_size())?;
    expect_eq!(vmsplice(&writer, &[IoSlice::new(b"abc")], SPLICE_F_NONBLOCK), Ok(3));
    Ok(())
}

/// What fits goes in, and nobody waits for room for the rest; each piece of a page takes the room of a page.
#[rstest]
#[case::of_bytes(1)]
#[case::of_a_page(usize::MAX)]
#[conformance::test(man = "vmsplice(2)", level = observed)]
fn puts_in_what_fits(#[case] size: usize, #[values(NO_FLAGS, SPLICE_F_NONBLOCK)] flags: SpliceFlags) -> Outcome {
    let (reader, writer) = pipe()?;
    let room = pages(&writer)?;
    // Aligned, so that no piece touches two pages.
    let mut memory = Guarded::new()?;
    let size = size.min(memory.bytes().len());
    memory.bytes()[..size].copy_from_slice(&pattern(size));
    let piece: &[u8] = &memory.bytes()[..size];
    let segments = vec![IoSlice::new(piece); room + 3];
    expect_eq!(vmsplice(&writer, &segments, flags), Ok(room * size));
    expect_eq!(vmsplice(&writer, &segments, SPLICE_F_NONBLOCK), Err(EAGAIN));
    expect_eq!(drain(&reader)?, pattern(size).repeat(room));
    Ok(())
}

/// Only a pipe has pages to be filled.
#[conformance::test(man = "vmsplice(2)")]
fn refuses_what_is_no_pipe() -> Outcome {
    let (socket, _peer) = super::file::socket_pair()?;
    for other in [file(b"xyz")?, null()?, socket] {
        expect_eq!(vmsplice(&other, &[IoSlice::new(b"abc")], NO_FLAGS), Err(EBADF));
    }
    Ok(())
}

/// A flag that means nothing is refused, in both directions.
#[conformance::test(man = "vmsplice(2)", level = observed, fixed_in = "Linux 4.11 (3d6ea290f337)")]
fn refuses_an_unknown_flag() -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let flags = SpliceFlags::from_bits_retain(0x10);
    expect_eq!(vmsplice(&writer, &[IoSlice::new(b"def")], flags), Err(EINVAL));
    expect_eq!(vmsplice_out(&reader, &mut [IoSliceMut::new(&mut [0; 3])], flags), Err(EINVAL));
    expect_eq!(drain(&reader)?, b"abc");
    Ok(())
}

/// A descriptor that is open for both directions is written to.
#[conformance::test(man = "vmsplice(2)")]
fn writes_to_a_fifo_that_is_open_for_both() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    let both = open(&path, OFlag::O_RDWR)?;
    expect_eq!(vmsplice(&both, &[IoSlice::new(b"abcd")], NO_FLAGS), Ok(4));
    expect_eq!((unread(&both)?, read_some(&both, 9)?), (4, b"abcd".to_vec()));
    Ok(())
}

/// Memory that cannot be read puts nothing into the pipe.
#[conformance::test(man = "vmsplice(2)", level = observed)]
fn of_memory_that_cannot_be_read_puts_nothing_in() -> Outcome {
    let (reader, writer) = holding(b"abc")?;
    let mut memory = Guarded::new()?;
    expect_eq!(vmsplice_across(&writer, b"", &mut memory, (0, 4), NO_FLAGS), Err(EFAULT));
    expect_eq!((drain(&reader)?, ready(&reader, PollFlags::POLLIN)?), (b"abc".to_vec(), PollFlags::empty()));
    Ok(())
}

/// What comes before a segment that cannot be read goes in, and is counted.
#[conformance::test(man = "vmsplice(2)", level = observed)]
fn puts_in_what_comes_before_memory_that_cannot_be_read() -> Outcome {
    let (reader, writer) = pipe()?;
    let mut memory = Guarded::new()?;
    expect_eq!(vmsplice_across(&writer, b"abcde", &mut memory, (0, 5), NO_FLAGS), Ok(5));
    expect_eq!(drain(&reader)?, b"abcde");
    Ok(())
}

/// Memory that cannot be written takes nothing out of the pipe, and gets nothing.
#[conformance::test(man = "vmsplice(2)", level = observed, fixed_in = "Linux 2.6.24.1 (8811930dc74a)")]
fn into_memory_that_cannot_be_written_takes_nothing_out() -> Outcome {
    let (reader, _writer) = holding(b"abc")?;
    let mut memory = Guarded::new()?;
    expect_eq!(vmsplice_across(&reader, b"", &mut memory, (0, 3), NO_FLAGS), Err(EFAULT));
    expect_eq!((unread(&reader)?, drain(&reader)?), (3, b"abc".to_vec()));
    Ok(())
}

/// Pages can be given away where they are whole and aligned; the pipe has their bytes.
#[conformance::test(man = "vmsplice(2)")]
fn takes_whole_pages_as_a_gift() -> Outcome {
    let page = page_size();
    // Given away: never to be freed or changed.
    let memory: &'static [u8] = pattern(3 * page).leak();
    let start = memory.as_ptr().align_offset(page);
    let gift = &memory[start..start + page];
    let (reader, writer) = pipe()?;
    expect_eq!(vmsplice_gift(&writer, gift), Ok(page));
    expect_eq!(drain(&reader)?, gift.to_vec());
    Ok(())
}

/// Memory that is not aligned to pages cannot be given away.
#[conformance::test(man = "vmsplice(2)")]
fn refuses_a_gift_that_is_not_aligned() -> Outcome {
    let page = page_size();
    let memory: &'static [u8] = pattern(3 * page).leak();
    let start = memory.as_ptr().align_offset(page) + 1;
    let (reader, writer) = pipe()?;
    expect_eq!(vmsplice_gift(&writer, &memory[start..start + page]), Err(EINVAL));
    expect_eq!(unread(&reader)?, 0);
    Ok(())
}

/// The bytes in the pipe outlive the process whose memory they were.
#[conformance::test(man = "vmsplice(2)")]
fn leaves_bytes_that_outlive_their_process() -> Outcome {
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
