//! `read` and `write` on memory files with a buffer that is not accessible, wholly or from some byte on: the returned count, and
//! file, position and seals afterwards.

use conformance::prelude::*;
use conformance::sys::fd::size::pages_of;
use conformance::sys::memory::guarded::Guarded;
use conformance::sys::memory::memfd::{Seals, add_seals};
use nix::unistd::Whence;
use rstest::rstest;

use common::memory_file::{content, holding, size};

/// `write` of 10 bytes from an invalid pointer to a memory file fails with `EFAULT`, with a file offset inside, at or beyond the
/// end. Bytes, size, `st_blocks` and file offset stay as they were.
#[rstest]
#[case::inside_the_file(100, 10)]
#[case::at_the_end(100, 100)]
#[case::beyond_the_end(100, 200)]
#[case::far_beyond_the_end(100, 1_000_000)]
#[case::empty_file(0, 0)]
#[conformance::test(man = "write(2)")]
fn failed_write_leaves_the_file(#[case] length: usize, #[case] at: usize) -> Outcome {
    let file = holding(&pattern(length))?;
    let (memory, pages) = (Guarded::new()?, pages_of(&file)?);
    lseek(&file, offset(at), Whence::SeekSet)?;
    let written = memory.write_across(&file, 0, 10);
    let state = (written, lseek(&file, 0, Whence::SeekCur), size(&file), pages_of(&file));
    expect_eq!(state, (Err(EFAULT), Ok(offset(at)), Ok(length), Ok(pages)));
    expect_eq!(content(&file), Ok(pattern(length)));
    Ok(())
}

/// `write` of 10 bytes at file offset 98 of a memory file of 100 bytes, from a buffer of which only the first 5 bytes are
/// accessible, returns n, which is 1 to 5, or fails with `EFAULT`; both are accepted and recorded. After n, the first n bytes of
/// the buffer are in the file from byte 98 on, the file offset is 98 + n, and the size is the greater of 100 and 98 + n. After
/// `EFAULT`, bytes, size and file offset are as before.
#[conformance::test(posix = "write", man = "write(2)", level = observed)]
fn write_stops_at_an_invalid_page() -> Outcome {
    let file = holding(&pattern(100))?;
    let mut memory = Guarded::new()?;
    memory.bytes().fill(b'g');
    lseek(&file, 98, Whence::SeekSet)?;
    let written = memory.write_across(&file, 5, 5);
    observe!("memfd.write-with-5-accessible-bytes", format!("{written:?}"));
    expect_matches!(written, Ok(1..=5) | Err(EFAULT));
    let moved = written.unwrap_or(0);
    expect_eq!((size(&file), lseek(&file, 0, Whence::SeekCur)), (Ok(100.max(98 + moved)), Ok(offset(98 + moved))));
    let mut expected = pattern(100);
    expected.truncate(if moved == 0 { 100 } else { 98 });
    expected.extend(vec![b'g'; moved]);
    expected.extend(pattern(100).get(expected.len()..).unwrap_or_default().to_vec());
    expect_eq!(content(&file), Ok(expected));
    Ok(())
}

/// `write` at the end of a file with `F_SEAL_GROW` or `F_SEAL_WRITE`, from a buffer of which none or only the first 5 bytes are
/// accessible, fails with `EPERM` or `EFAULT`; both are accepted. Bytes, size and `st_blocks` stay as they were.
#[rstest]
#[case::f_seal_grow(Seals::F_SEAL_GROW)]
#[case::f_seal_write(Seals::F_SEAL_WRITE)]
#[conformance::test(man = "fcntl(2)")]
fn write_respects_seals(#[case] seal: Seals) -> Outcome {
    let file = holding(&pattern(100))?;
    add_seals(&file, seal)?;
    let mut memory = Guarded::new()?;
    memory.bytes().fill(b'g');
    lseek(&file, 100, Whence::SeekSet)?;
    for good in [0, 5] {
        expect_matches!(memory.write_across(&file, good, 10), Err(EPERM | EFAULT));
        expect_eq!((content(&file), size(&file), pages_of(&file)), (Ok(pattern(100)), Ok(100), Ok(1)));
    }
    Ok(())
}

/// `read` of 200 bytes at file offset 0 of a memory file of three pages, into a buffer of which only the first 100 bytes are
/// accessible, returns n, which is at most 100, or fails with `EFAULT`; both are accepted and recorded. The buffer then contains
/// the first n bytes of the file, and the file offset is n (0 after `EFAULT`).
#[conformance::test(posix = "read", man = "read(2)", level = observed)]
fn read_stops_at_an_invalid_page() -> Outcome {
    let file = holding(&pattern(3 * page_size()))?;
    let mut memory = Guarded::new()?;
    let read = memory.read_across(&file, 100, 100);
    observe!("memfd.read-with-100-accessible-bytes", format!("{read:?}"));
    expect_matches!(read, Ok(0..=100) | Err(EFAULT));
    let moved = read.unwrap_or(0);
    expect_eq!(lseek(&file, 0, Whence::SeekCur), Ok(offset(moved)));
    let page = page_size();
    expect_eq!(memory.bytes()[page - 100..page - 100 + moved].to_vec(), pattern(moved));
    expect_eq!(content(&file), Ok(pattern(3 * page)));
    Ok(())
}
