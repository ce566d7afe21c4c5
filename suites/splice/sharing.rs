//! Pages that several owners share: a pipe's buffer may be a page of a file, of a process, or of another pipe, and nobody who
//! writes into one of them may change another.

use std::io::IoSlice;

use conformance::prelude::*;
use rstest::rstest;

use common::transfer::{Backing, NO_FLAGS, SPLICE_F_MOVE, SPLICE_F_NONBLOCK, content, drain, file, holding, null, pages};

/// How a file's page gets into the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Splice,
    Sendfile,
}

/// A write that follows a file's page into a pipe leaves the file alone, though the page has room behind the bytes that were
/// moved. Every buffer of the pipe has been used before, so that no state of an earlier owner may stick to it.
#[rstest]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.16.11 (9d2231c5d74e)")]
fn a_write_after_a_page_of_a_file_leaves_the_file_alone(
    #[values(Backing::RegularFile, Backing::Memfd)] backing: Backing,
    #[values(Way::Splice, Way::Sendfile)] way: Way,
) -> Outcome {
    let bytes = pattern(100);
    let source = backing.file(&bytes)?;
    let (reader, writer) = holding(&pattern(page_size()))?;
    fill(&writer)?;
    drain(&reader)?;
    for turn in 0..pages(&writer)? {
        let mut offset = 3;
        let moved = match way {
            Way::Splice => splice_at((&source, Some(&mut offset)), (&writer, None), 1, NO_FLAGS),
            Way::Sendfile => sendfile(&writer, &source, Some(&mut offset), 1),
        };
        expect_eq!((moved, write(&writer, b"XXXX")), (Ok(1), Ok(4)), "turn {turn}");
        expect_eq!(content(&source)?, bytes, "turn {turn}");
        expect_eq!(drain(&reader)?, [&bytes[3..4], b"XXXX"].concat(), "turn {turn}");
        // One buffer more, so that the turns come by every one of an even number.
        write_all(&writer, b"x")?;
        drain(&reader)?;
    }
    Ok(())
}

/// As above where the file's last page is moved whole: what would be behind its end is not the writer's either.
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.16.11 (9d2231c5d74e)")]
fn a_write_after_the_end_of_a_file_leaves_the_file_alone() -> Outcome {
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

/// After `tee`, what is written into either pipe is not seen in the other, whether the copy is whole or a part.
#[rstest]
#[case::of_a_whole_copy(5)]
#[case::of_a_part(3)]
#[conformance::test(man = "tee(2)", fixed_in = "Linux 5.1 (a0ce2f0aa6ad)")]
fn writes_after_a_copy_stay_in_their_own_pipe(#[case] length: usize) -> Outcome {
    let (source, feed) = holding(b"hello")?;
    let (sink, target) = pipe()?;
    expect_eq!(tee(&source, &target, length, NO_FLAGS), Ok(length));
    write_all(&feed, b"AAAA")?;
    write_all(&target, b"BBBB")?;
    expect_eq!(drain(&source)?, b"helloAAAA");
    expect_eq!(drain(&sink)?, [&b"hello"[..length], b"BBBB"].concat());
    Ok(())
}

/// After a part of a buffer was moved, what is written into either pipe is not seen in the other.
#[rstest]
#[case::target_first(true)]
#[case::source_first(false)]
#[conformance::test(man = "splice(2)", fixed_in = "Linux 5.1 (a0ce2f0aa6ad)")]
fn writes_after_a_divided_buffer_stay_in_their_own_pipe(#[case] target_first: bool) -> Outcome {
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

/// After a whole buffer was moved, what is written into both pipes follows what each of them holds.
#[conformance::test(man = "splice(2)")]
fn writes_after_a_moved_buffer_follow_it() -> Outcome {
    let (source, feed) = holding(b"helloworld")?;
    let (sink, target) = pipe()?;
    expect_eq!(splice(&source, &target, 10, NO_FLAGS), Ok(10));
    write_all(&target, b"XXXXX")?;
    write_all(&feed, b"YYYYY")?;
    expect_eq!((drain(&sink)?, drain(&source)?), (b"helloworldXXXXX".to_vec(), b"YYYYY".to_vec()));
    Ok(())
}

/// How the source of a copy is emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Emptied {
    Read,
    Forgotten,
}

/// A page that a copy still refers to is not used again for the source's next bytes.
#[rstest]
#[case::of_bytes(5)]
#[case::of_a_page(usize::MAX)]
#[conformance::test(man = "tee(2)")]
fn a_page_of_a_copy_is_not_used_again(
    #[case] size: usize,
    #[values(Emptied::Read, Emptied::Forgotten)] emptied: Emptied,
) -> Outcome {
    let size = size.min(page_size());
    let (source, feed) = pipe()?;
    let (sink, target) = pipe()?;
    for turn in 0..3_u8 {
        let (old, new) = (vec![b'a' + turn; size], vec![b'A' + turn; size]);
        write_all(&feed, &old)?;
        expect_eq!(tee(&source, &target, size, NO_FLAGS), Ok(size));
        match emptied {
            Emptied::Read => expect_eq!(drain(&source)?, old),
            Emptied::Forgotten => expect_eq!(splice(&source, null()?, size, NO_FLAGS), Ok(size)),
        }
        write_all(&feed, &new)?;
        expect_eq!((drain(&sink)?, drain(&source)?), (old, new), "turn {turn}");
    }
    Ok(())
}

/// Pages that became a file's are not used again for the pipe's next bytes.
#[rstest]
#[conformance::test(man = "splice(2)")]
fn a_page_moved_into_a_file_is_not_used_again(
    #[values(Backing::RegularFile, Backing::Memfd)] backing: Backing,
    #[values(NO_FLAGS, SPLICE_F_MOVE)] flags: SpliceFlags,
) -> Outcome {
    let page = page_size();
    let target = backing.file(b"")?;
    let (reader, writer) = pipe()?;
    let mut expected = Vec::new();
    for turn in 0..3_u8 {
        let bytes = vec![b'a' + turn; page];
        write_all(&writer, &bytes)?;
        expect_eq!(splice(&reader, &target, page, flags), Ok(page));
        expected.extend_from_slice(&bytes);
    }
    write_all(&writer, &vec![b'!'; page])?;
    expect!(content(&target)? == expected);
    expect_eq!(drain(&reader)?, vec![b'!'; page]);
    Ok(())
}

/// A copy goes into a file while the original goes on through its pipe, and a later change of the file is not seen in the pipe.
#[rstest]
#[conformance::test(man = "tee(2)")]
fn a_copy_in_a_file_and_its_original_are_independent(#[values(Backing::RegularFile, Backing::Memfd)] backing: Backing) -> Outcome {
    let bytes = pattern(page_size());
    let (source, _feed) = holding(&bytes)?;
    let (sink, target) = pipe()?;
    let kept = backing.file(b"")?;
    expect_eq!(tee(&source, &target, bytes.len(), NO_FLAGS), Ok(bytes.len()));
    expect_eq!(splice(&sink, &kept, bytes.len(), SPLICE_F_MOVE), Ok(bytes.len()));
    expect_eq!(nix::sys::uio::pwrite(&kept, b"XXXX", 0)?, 4);
    expect_eq!((drain(&source)?, unread(&sink)?), (bytes, 0));
    Ok(())
}

/// A write into the pipe never goes into the memory that was mapped into it.
#[conformance::test(man = "vmsplice(2)")]
fn a_write_after_mapped_memory_leaves_the_memory_alone() -> Outcome {
    let memory = b"HELLO\0\0\0\0".to_vec();
    let (reader, writer) = pipe()?;
    expect_eq!(vmsplice(&writer, &[IoSlice::new(&memory[..5])], NO_FLAGS), Ok(5));
    expect_eq!(write(&writer, b"ZZ"), Ok(2));
    expect_eq!((memory, drain(&reader)?), (b"HELLO\0\0\0\0".to_vec(), b"HELLOZZ".to_vec()));
    Ok(())
}

/// Mapped memory can be copied, moved and stored like other bytes, and is left alone by all of it.
#[conformance::test(man = "vmsplice(2)", man = "tee(2)")]
fn mapped_memory_can_be_copied_and_moved() -> Outcome {
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

/// A write that failed adds nothing to be counted or read, also in a pipe whose buffers have moved away as they were.
#[conformance::test(man = "write(2)", man = "splice(2)")]
fn a_failed_write_counts_nothing_where_buffers_moved_away() -> Outcome {
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

/// A write that failed leaves no empty buffer behind that a transfer could take for end-of-file, or for bytes.
#[conformance::test(man = "splice(2)", man = "tee(2)", fixed_in = "Linux 5.10 (d1a819a2ec2d)")]
fn a_failed_write_is_not_the_end_of_the_file() -> Outcome {
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
