//! `read`, `write` and `copy_file_range` on memory files: returned counts, file offsets, and the access mode of the descriptor.

use conformance::prelude::*;
use conformance::sys::fd::splice::copy_range;
use conformance::sys::path::open::reopen;
use nix::unistd::Whence;
use rstest::rstest;

use common::memory_file::{content, holding};

/// `read` and `pread` of n bytes on a memory file return the bytes from their offset on and their number, which is n, or less if
/// the file ends before. At or beyond the end both return 0; `read` advances the file offset by the returned count.
#[conformance::test(posix = "read")]
fn read_stops_at_the_end_of_the_file() -> Outcome {
    let page = page_size();
    property(&(0..2 * page + 2, 0..2 * page + 2, 1..2 * page), |(length, at, count)| {
        let file = holding(&pattern(length))?;
        let mut bytes = vec![0xee; count];
        let got = count.min(length.saturating_sub(at));
        expect_eq!(pread(&file, &mut bytes, offset(at)), Ok(got));
        let mut expected = vec![0xee; count];
        expected[..got].copy_from_slice(&pattern(at + got)[at..]);
        expect_eq!(bytes, expected);
        lseek(&file, offset(at), Whence::SeekSet)?;
        expect_eq!((read(&file, &mut bytes), lseek(&file, 0, Whence::SeekCur)), (Ok(got), Ok(offset(at + got))));
        Ok(())
    })
}

/// `copy_file_range` between two memory files, or between two ranges of one file that do not overlap, copies the bytes and
/// returns their number, and returns 0 with the source offset at the end. With overlapping ranges of one file, `copy_file_range`
/// fails with `EINVAL`.
#[conformance::test(man = "copy_file_range(2)")]
fn copy_file_range_copies_bytes() -> Outcome {
    let page = page_size();
    let source = holding(&pattern(2 * page + 5))?;
    let target = holding(b"0123456789")?;
    let (mut from, mut to) = (offset(page) - 2, 8);
    expect_eq!(copy_range((&source, &mut from), (&target, &mut to), page), Ok(page));
    expect_eq!((from, to), (offset(2 * page) - 2, offset(page) + 8));
    let expected = [b"01234567", &pattern(2 * page)[page - 2..2 * page - 2]].concat();
    expect_eq!((content(&target), lseek(&source, 0, Whence::SeekCur)), (Ok(expected), Ok(0)));
    expect_eq!((copy_range((&source, &mut from), (&target, &mut to), page), from), (Ok(7), offset(2 * page) + 5));
    expect_eq!((copy_range((&source, &mut from), (&target, &mut to), page), to), (Ok(0), offset(page) + 15));
    let (mut from, mut to) = (0, 3);
    expect_eq!(copy_range((&source, &mut from), (&source, &mut to), 10), Err(EINVAL));
    expect_eq!((from, to, content(&source)), (0, 3, Ok(pattern(2 * page + 5))));
    let mut to = offset(page);
    expect_eq!(
        (copy_range((&source, &mut from), (&source, &mut to), 10), content(&source)?[page..page + 10].to_vec()),
        (Ok(10), pattern(10))
    );
    Ok(())
}

/// On a memory file opened with `O_RDONLY`, `write` and `pwrite` fail with `EBADF`; opened with `O_WRONLY`, `read` and `pread`
/// fail with `EBADF`. `mmap` with `MAP_SHARED` and `PROT_WRITE` fails with `EACCES` on both descriptors.
#[rstest]
#[case::rdonly(OFlag::O_RDONLY)]
#[case::wronly(OFlag::O_WRONLY)]
#[conformance::test(posix = "read", posix = "write", needs(procfs))]
fn access_mode_is_enforced(#[case] mode: OFlag) -> Outcome {
    let file = holding(b"abc")?;
    let limited = reopen(&file, mode)?;
    let reads = mode == OFlag::O_RDONLY;
    let either = |allowed: bool, count: usize| if allowed { Ok(count) } else { Err(EBADF) };
    expect_eq!((read(&limited, &mut [0; 2]), pread(&limited, &mut [0; 2], 0)), (either(reads, 2), either(reads, 2)));
    expect_eq!((write(&limited, b"x"), pwrite(&limited, b"x", 0)), (either(!reads, 1), either(!reads, 1)));
    expect_eq!(Mapping::new(&limited, 3, Access::Read).map(drop), if reads { Ok(()) } else { Err(EACCES) });
    expect_eq!(Mapping::new(&limited, 3, Access::ReadWrite).map(drop), Err(EACCES));
    let expected = if reads { b"abc" } else { b"xbc" };
    expect_eq!(content(&file), Ok(expected.to_vec()));
    Ok(())
}

/// `ftruncate` of a memory file to its current size fails with `EINVAL` on a descriptor opened with `O_RDONLY`, and returns 0 on
/// one opened with `O_WRONLY`.
#[rstest]
#[case::rdonly(OFlag::O_RDONLY, Err(EINVAL))]
#[case::wronly(OFlag::O_WRONLY, Ok(()))]
#[conformance::test(man = "ftruncate(2)", level = customary, needs(procfs))]
fn ftruncate_requires_write_access(#[case] mode: OFlag, #[case] expected: Result<(), Errno>) -> Outcome {
    let file = holding(b"abc")?;
    let limited = reopen(&file, mode)?;
    expect_eq!((ftruncate(&limited, 3), content(&file)), (expected, Ok(b"abc".to_vec())));
    Ok(())
}
