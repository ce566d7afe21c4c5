//! Bad pointers in calls on files in memory: what moved before the fault was met, and that nothing else happened.

use conformance::prelude::*;
use conformance::sys::fd::size::pages_of;
use conformance::sys::memory::guarded::Guarded;
use conformance::sys::memory::memfd::{Seals, add_seals};
use nix::unistd::Whence;
use rstest::rstest;

use common::memory_file::{content, holding, offset, size};

/// A write from memory that cannot be read at all fails, and the file has the bytes, the size and the memory that it had.
#[rstest]
#[case::over_bytes(100, 10)]
#[case::at_the_end(100, 100)]
#[case::behind_the_end(100, 200)]
#[case::far_behind_the_end(100, 1_000_000)]
#[case::into_an_empty_file(0, 0)]
#[conformance::test(posix = "write", man = "write(2)")]
fn of_a_write_changes_nothing(#[case] length: usize, #[case] at: usize) -> Outcome {
    let file = holding(&pattern(length))?;
    let (memory, pages) = (Guarded::new()?, pages_of(&file)?);
    lseek(&file, offset(at), Whence::SeekSet)?;
    let written = memory.write_across(&file, 0, 10);
    let state = (written, lseek(&file, 0, Whence::SeekCur), size(&file), pages_of(&file));
    expect_eq!(state, (Err(EFAULT), Ok(offset(at)), Ok(length), Ok(pages)));
    expect_eq!(content(&file), Ok(pattern(length)));
    Ok(())
}

/// A write from memory that ends too soon writes what there is, at most; size and position are those of what was written.
#[conformance::test(posix = "write", man = "write(2)", level = observed)]
fn ends_a_write_that_has_begun() -> Outcome {
    let file = holding(&pattern(100))?;
    let mut memory = Guarded::new()?;
    memory.bytes().fill(b'g');
    lseek(&file, 98, Whence::SeekSet)?;
    let written = memory.write_across(&file, 5, 5);
    observe!("posix_shm.write-cut-by-a-bad-pointer", format!("{written:?}"));
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

/// A seal is stronger than a bad pointer: what must not grow does not, and what must not be written is not.
#[rstest]
#[case::growing(Seals::F_SEAL_GROW)]
#[case::writing(Seals::F_SEAL_WRITE)]
#[conformance::test(man = "fcntl(2)")]
fn breaks_no_seal(#[case] seal: Seals) -> Outcome {
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

/// A buffer that is bad from some byte on gets what was read before that, at most, and the position moves on by so much.
#[conformance::test(posix = "read", man = "read(2)", level = observed)]
fn gets_what_was_read_before_it() -> Outcome {
    let file = holding(&pattern(3 * page_size()))?;
    let mut memory = Guarded::new()?;
    let read = memory.read_across(&file, 100, 100);
    observe!("posix_shm.read-across-a-bad-pointer", format!("{read:?}"));
    expect_matches!(read, Ok(0..=100) | Err(EFAULT));
    let moved = read.unwrap_or(0);
    expect_eq!(lseek(&file, 0, Whence::SeekCur), Ok(offset(moved)));
    let page = page_size();
    expect_eq!(memory.bytes()[page - 100..page - 100 + moved].to_vec(), pattern(moved));
    expect_eq!(content(&file), Ok(pattern(3 * page)));
    Ok(())
}
