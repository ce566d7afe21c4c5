//! Pages with several owners: a buffer of a pipe may be a page of a file, of a process or of another pipe. `write` into one of
//! them must not change another.

use std::io::IoSlice;

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::transfer::{
    Backing, NO_FLAGS, SPLICE_F_MOVE, SPLICE_F_NONBLOCK, content, drain, every_backing, file, holding, null, pages,
};

/// The call that puts a page of a file into the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Splice,
    Sendfile,
}

/// `write` to a pipe into which `splice` or `sendfile` put 1 byte of a file leaves the content of the file as it was. `read`
/// returns the byte of the file and then the written bytes.
#[apply(every_backing)]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.16.11 (9d2231c5d74e)")]
fn write_after_splice_leaves_the_file_unchanged(file_type: Backing, #[values(Call::Splice, Call::Sendfile)] call: Call) -> Outcome {
    let bytes = pattern(100);
    let source = file_type.file(&bytes)?;
    let (reader, writer) = holding(&pattern(page_size()))?;
    fill(&writer)?;
    drain(&reader)?;
    for turn in 0..pages(&writer)? {
        let mut offset = 3;
        let moved = match call {
            Call::Splice => splice_at((&source, Some(&mut offset)), (&writer, None), 1, NO_FLAGS),
            Call::Sendfile => sendfile(&writer, &source, Some(&mut offset), 1),
        };
        expect_eq!((moved, write(&writer, b"XXXX")), (Ok(1), Ok(4)), "turn {turn}");
        expect_eq!(content(&source)?, bytes, "turn {turn}");
        expect_eq!(drain(&reader)?, [&bytes[3..4], b"XXXX"].concat(), "turn {turn}");
        // One more buffer in each turn, so that the turns use every buffer of an even number.
        write_all(&writer, b"x")?;
        drain(&reader)?;
    }
    Ok(())
}

/// `write` to a pipe into which `splice` put a file up to its partly filled last page leaves the content of the file as it was.
/// `read` returns the bytes of the file and then the written bytes.
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.16.11 (9d2231c5d74e)")]
fn write_after_a_partial_page_leaves_the_file_unchanged() -> Outcome {
    let bytes = pattern(page_size() + 100);
    let source = file(&bytes)?;
    let (reader, writer) = holding(b"")?;
    fill(&writer)?;
    drain(&reader)?;
    expect_eq!(splice(&source, &writer, bytes.len(), NO_FLAGS), Ok(bytes.len()));
    expect_eq!(write(&writer, b"XXXX"), Ok(4));
    expect_eq!(content(&source)?, bytes);
    expect_eq!(drain(&reader)?, [&bytes[..], b"XXXX"].concat());
    Ok(())
}

/// After `tee` of 3 or 5 of 5 bytes from one pipe into an empty one, and a `write` of 4 bytes to each, `read` from the source
/// returns the 5 bytes and the 4 written to the source. `read` from the target returns the copied bytes and the 4 written to the
/// target.
#[rstest]
#[case::all_bytes(5)]
#[case::part(3)]
#[conformance::test(man = "tee(2)", fixed_in = "Linux 5.1 (a0ce2f0aa6ad)")]
fn writes_after_tee_stay_in_their_own_pipe(#[case] length: usize) -> Outcome {
    let (source, feed) = holding(b"hello")?;
    let (sink, target) = pipe()?;
    expect_eq!(tee(&source, &target, length, NO_FLAGS), Ok(length));
    write_all(&feed, b"AAAA")?;
    write_all(&target, b"BBBB")?;
    expect_eq!(drain(&source)?, b"helloAAAA");
    expect_eq!(drain(&sink)?, [&b"hello"[..length], b"BBBB"].concat());
    Ok(())
}

/// After `splice` of the first 5 of the 10 bytes of one `write` from one pipe into an empty one, and a `write` of 5 bytes to
/// each, `read` from the target returns the 5 moved bytes and the 5 written to the target. `read` from the source returns the 5
/// left bytes and the 5 written to the source.
#[rstest]
#[case::write_to_target_first(true)]
#[case::write_to_source_first(false)]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.1 (a0ce2f0aa6ad)")]
fn writes_after_a_partial_splice_stay_in_their_own_pipe(#[case] target_first: bool) -> Outcome {
    let (source, feed) = holding(b"helloworld")?;
    let (sink, target) = pipe()?;
    expect_eq!(splice(&source, &target, 5, NO_FLAGS), Ok(5));
    let mut writes = [(&target, b"XXXXX"), (&feed, b"YYYYY")];
    if !target_first {
        writes.reverse();
    }
    for (end, bytes) in writes {
        write_all(end, bytes)?;
    }
    expect_eq!((drain(&sink)?, drain(&source)?), (b"helloXXXXX".to_vec(), b"worldYYYYY".to_vec()));
    Ok(())
}

/// After `splice` of all 10 bytes of a pipe into an empty one, and a `write` of 5 bytes to each, `read` from the target returns
/// the 10 bytes and the 5 written to the target. `read` from the source returns only the 5 bytes written to the source.
#[conformance::test(man = "splice(2)")]
fn writes_after_a_whole_splice_stay_in_their_own_pipe() -> Outcome {
    let (source, feed) = holding(b"helloworld")?;
    let (sink, target) = pipe()?;
    expect_eq!(splice(&source, &target, 10, NO_FLAGS), Ok(10));
    write_all(&target, b"XXXXX")?;
    write_all(&feed, b"YYYYY")?;
    expect_eq!((drain(&sink)?, drain(&source)?), (b"helloworldXXXXX".to_vec(), b"YYYYY".to_vec()));
    Ok(())
}

/// The call that empties the source of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EmptiedBy {
    Read,
    SpliceToDevNull,
}

/// After `tee` of the bytes of one pipe into a second, removal of these bytes from the first by `read` or by `splice` to
/// `/dev/null`, and a `write` of other bytes to the first, `read` from the second pipe returns the copied bytes.
#[rstest]
#[case::five_bytes(5)]
#[case::page(usize::MAX)]
#[conformance::test(man = "tee(2)")]
fn page_copied_by_tee_is_not_reused(
    #[case] size: usize,
    #[values(EmptiedBy::Read, EmptiedBy::SpliceToDevNull)] emptied_by: EmptiedBy,
) -> Outcome {
    let size = size.min(page_size());
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    for turn in 0..3_u8 {
        let (old, new) = (vec![b'a' + turn; size], vec![b'A' + turn; size]);
        write_all(&feed, &old)?;
        expect_eq!(tee(&source, &target, size, NO_FLAGS), Ok(size));
        match emptied_by {
            EmptiedBy::Read => expect_eq!(drain(&source)?, old),
            EmptiedBy::SpliceToDevNull => expect_eq!(splice(&source, null()?, size, NO_FLAGS), Ok(size)),
        }
        write_all(&feed, &new)?;
        expect_eq!((drain(&sink)?, drain(&source)?), (old, new), "turn {turn}");
    }
    Ok(())
}

/// After `splice` of three pages in turn from a pipe into a file, with or without `SPLICE_F_MOVE`, a later `write` of a page to
/// the pipe leaves the content of the file as it was. `read` from the pipe returns only the bytes of that `write`.
#[apply(every_backing)]
#[conformance::test(man = "splice(2)")]
fn page_moved_into_a_file_is_not_reused(file_type: Backing, #[values(NO_FLAGS, SPLICE_F_MOVE)] flags: SpliceFlags) -> Outcome {
    let page = page_size();
    let target = file_type.file(b"")?;
    let (reader, writer) = pipe()?;
    let mut expected = Vec::new();
    for turn in 0..3_u8 {
        let bytes = vec![b'a' + turn; page];
        write_all(&writer, &bytes)?;
        expect_eq!(splice(&reader, &target, page, flags), Ok(page));
        expected.extend_from_slice(&bytes);
    }
    write_all(&writer, &vec![b'!'; page])?;
    expect_eq!(content(&target)?, expected);
    expect_eq!(drain(&reader)?, vec![b'!'; page]);
    Ok(())
}

/// After `tee` of a page from a source pipe into a second pipe, `splice` with `SPLICE_F_MOVE` of the copy into a file, and
/// `pwrite` of other bytes to the file, `read` from the source returns the page unchanged.
#[apply(every_backing)]
#[conformance::test(man = "tee(2)")]
fn file_written_from_tee_is_independent(file_type: Backing) -> Outcome {
    let bytes = pattern(page_size());
    let (source, _feed) = holding(&bytes)?;
    let (sink, target) = pipe()?;
    let kept = file_type.file(b"")?;
    expect_eq!(tee(&source, &target, bytes.len(), NO_FLAGS), Ok(bytes.len()));
    expect_eq!(splice(&sink, &kept, bytes.len(), SPLICE_F_MOVE), Ok(bytes.len()));
    expect_eq!(nix::sys::uio::pwrite(&kept, b"XXXX", 0)?, 4);
    expect_eq!((drain(&source)?, unread(&sink)?), (bytes, 0));
    Ok(())
}

/// `write` to a pipe into which `vmsplice` put memory of the caller leaves that memory as it was. `read` returns the bytes of the
/// memory and then the written bytes.
#[conformance::test(man = "vmsplice(2)")]
fn write_after_vmsplice_leaves_the_memory_unchanged() -> Outcome {
    let memory = b"HELLO\0\0\0\0".to_vec();
    let (reader, writer) = pipe()?;
    expect_eq!(vmsplice(&writer, &[IoSlice::new(&memory[..5])], NO_FLAGS), Ok(5));
    expect_eq!(write(&writer, b"ZZ"), Ok(2));
    expect_eq!((memory, drain(&reader)?), (b"HELLO\0\0\0\0".to_vec(), b"HELLOZZ".to_vec()));
    Ok(())
}

/// After `vmsplice` of a page of memory into a pipe, `tee` of 10 bytes into a second pipe returns 10 and `splice` into a file
/// returns the page size. `read` from the second pipe and the content of the file give the bytes of the memory, which stays as it
/// was.
#[conformance::test(man = "vmsplice(2)", man = "tee(2)")]
fn vmspliced_bytes_can_be_copied_and_moved() -> Outcome {
    let memory = pattern(page_size());
    let (first, feed) = pipe()?;
    let (second, target) = pipe()?;
    let kept = file(b"")?;
    expect_eq!(vmsplice(&feed, &[IoSlice::new(&memory)], NO_FLAGS), Ok(memory.len()));
    expect_eq!(tee(&first, &target, 10, NO_FLAGS), Ok(10));
    write_all(&target, b"+")?;
    expect_eq!(splice(&first, &kept, memory.len(), NO_FLAGS), Ok(memory.len()));
    expect_eq!((content(&kept)?, drain(&second)?), (memory.clone(), [&memory[..10], b"+"].concat()));
    expect_eq!(memory, pattern(page_size()));
    Ok(())
}

/// If `write` of an invalid pointer fails with `EFAULT` on a pipe from which `splice` has moved all bytes, `ioctl(FIONREAD)` then
/// returns 0, and a non-blocking `read` fails with `EAGAIN` while a writer is open.
#[conformance::test(man = "write(2)", man = "splice(2)")]
fn failed_write_adds_no_bytes() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let full = fill(&feed)?;
    expect_eq!(splice(&source, &target, full, SPLICE_F_NONBLOCK), Ok(full));
    let memory = Guarded::new()?;
    expect_eq!(memory.write_across(&feed, 0, 1), Err(EFAULT));
    expect_eq!((unread(&source), unread(&sink)), (Ok(0), Ok(full)));
    set_nonblocking(&source, true)?;
    expect_eq!(read_some(&source, 10), Err(EAGAIN));
    expect_eq!((write(&feed, b"abc"), read_some(&source, 10)), (Ok(3), Ok(b"abc".to_vec())));
    Ok(())
}

/// After a `write` to an empty pipe failed with `EFAULT`, `tee` and `splice` with `SPLICE_F_NONBLOCK` from that pipe, whose
/// writer is open, fail with `EAGAIN`.
#[conformance::test(man = "splice(2)", man = "tee(2)", fixed_in = "Linux 5.10 (d1a819a2ec2d)")]
fn failed_write_is_not_end_of_file() -> Outcome {
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    let memory = Guarded::new()?;
    expect_eq!(memory.write_across(&feed, 0, 1), Err(EFAULT));
    expect_eq!(tee(&source, &target, 10, SPLICE_F_NONBLOCK), Err(EAGAIN));
    expect_eq!(splice(&source, &target, 10, SPLICE_F_NONBLOCK), Err(EAGAIN));
    write_all(&feed, b"abc")?;
    expect_eq!(splice(&source, &target, 10, SPLICE_F_NONBLOCK), Ok(3));
    expect_eq!((unread(&source)?, drain(&sink)?), (0, b"abc".to_vec()));
    Ok(())
}
