//! `fallocate` and `posix_fallocate` on memory files: allocated pages, size, bytes, and rejected ranges and modes. Holes are in
//! `holes`.

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate, pages_of};
use nix::unistd::Whence;
use rstest::rstest;

use common::memory_file::{content, holding, sealable, size};

/// No mode flag: a range beyond the end enlarges the file.
const GROWING: Allocate = Allocate::empty();
/// `FALLOC_FL_KEEP_SIZE`.
const KEEP: Allocate = Allocate::FALLOC_FL_KEEP_SIZE;

/// The pages that contain bytes of the range.
fn touched(at: usize, length: usize) -> std::ops::Range<usize> {
    at / page_size()..(at + length).div_ceil(page_size())
}

/// `fallocate` with mode 0 on an empty file returns 0, allocates every page that contains a byte of the range, and sets the size
/// to the end of the range. The bytes read as 0, and a second identical call leaves size and `st_blocks` as they were.
#[conformance::test(man = "fallocate(2)")]
fn allocates_every_page_of_the_range() -> Outcome {
    let page = page_size();
    property(&(0..3 * page, 1..3 * page), |(at, length)| {
        let file = sealable()?;
        for _ in 0..2 {
            expect_eq!(fallocate(&file, GROWING, offset(at), offset(length)), Ok(()));
            expect_eq!((size(&file), pages_of(&file)), (Ok(at + length), Ok(touched(at, length).len())));
        }
        expect_eq!((content(&file), lseek(&file, 0, Whence::SeekCur)), (Ok(vec![0; at + length]), Ok(0)));
        // Reading has allocated no further page.
        expect_eq!(pages_of(&file), Ok(touched(at, length).len()));
        Ok(())
    })
}

/// `fallocate` with mode 0 on a random range leaves the written bytes of the file as they were. Afterwards `st_blocks` counts the
/// pages of the written bytes and the pages of the range, each page once.
#[conformance::test(man = "fallocate(2)")]
fn keeps_existing_bytes_and_pages() -> Outcome {
    let page = page_size();
    property(&(0..4 * page, 1..page, 0..4 * page, 1..2 * page), |(written, count, at, length)| {
        let file = sealable()?;
        pwrite(&file, &pattern(count), offset(written))?;
        let end = written + count;
        expect_eq!(fallocate(&file, GROWING, offset(at), offset(length)), Ok(()));
        let new_end = end.max(at + length);
        let mut expected = vec![0; new_end];
        expected[written..end].copy_from_slice(&pattern(count));
        let pages = touched(written, count).chain(touched(at, length)).collect::<std::collections::BTreeSet<_>>();
        expect_eq!((content(&file), pages_of(&file)), (Ok(expected), Ok(pages.len())));
        Ok(())
    })
}

/// `fallocate` with `FALLOC_FL_KEEP_SIZE` on a range that ends beyond the end of the file allocates its pages and leaves size and
/// bytes as they were. A later `pwrite` into one of these pages leaves `st_blocks` as it was.
#[conformance::test(man = "fallocate(2)")]
fn keep_size_leaves_the_size() -> Outcome {
    let page = page_size();
    let file = holding(b"abc")?;
    expect_eq!(fallocate(&file, KEEP, 0, offset(3 * page)), Ok(()));
    expect_eq!((size(&file), pages_of(&file), content(&file)), (Ok(3), Ok(3), Ok(b"abc".to_vec())));
    expect_eq!((read(&file, &mut [0; 10]), read(&file, &mut [0; 10])), (Ok(3), Ok(0)));
    expect_eq!(pwrite(&file, b"z", offset(2 * page)), Ok(1));
    expect_eq!((size(&file), pages_of(&file)), (Ok(2 * page + 1), Ok(3)));
    let expected = [b"abc".to_vec(), vec![0; 2 * page - 3], b"z".to_vec()].concat();
    expect_eq!(content(&file), Ok(expected));
    Ok(())
}

/// After `pwrite` of one byte into four pages allocated with `fallocate` and `FALLOC_FL_KEEP_SIZE`, and `ftruncate` to their end,
/// all other bytes of these pages are 0.
#[conformance::test(man = "fallocate(2)")]
fn allocated_pages_read_as_zeros() -> Outcome {
    let page = page_size();
    // Pages freed just before are the most likely to be allocated again.
    drop(holding(&vec![0xff; 8 * page])?);
    let file = sealable()?;
    fallocate(&file, KEEP, 0, offset(4 * page))?;
    expect_eq!(pwrite(&file, b"x", offset(page + 10)), Ok(1));
    let mapping = Mapping::new(&file, 4 * page, Access::Read)?;
    ftruncate(&file, offset(4 * page))?;
    let mut expected = vec![0; 4 * page];
    expected[page + 10] = b'x';
    expect_eq!((mapping.read(0, 4 * page), content(&file)), (expected.clone(), Ok(expected)));
    expect_eq!(pages_of(&file), Ok(4));
    Ok(())
}

/// `fallocate` with mode 0, with `FALLOC_FL_KEEP_SIZE`, or with `FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE` fails with `EINVAL`
/// if the offset is negative or the length is 0 or negative, and with `EFBIG` if the range ends beyond the largest `off_t`. Bytes
/// and `st_blocks` stay as they were.
#[rstest]
#[case::length_zero(0, 0, EINVAL)]
#[case::negative_length(0, -1, EINVAL)]
#[case::negative_offset(-1, 1, EINVAL)]
#[case::negative_offset_to_positive_end(-1, 10, EINVAL)]
#[case::end_beyond_largest_offset(i64::MAX, 1, EFBIG)]
#[case::length_beyond_largest_offset(1, i64::MAX, EFBIG)]
#[conformance::test(man = "fallocate(2)")]
fn rejects_invalid_ranges(#[case] at: i64, #[case] length: i64, #[case] expected: Errno) -> Outcome {
    let file = holding(b"abc")?;
    for mode in [GROWING, KEEP, PUNCH] {
        expect_eq!(fallocate(&file, mode, at, length), Err(expected), "{mode:?}");
        expect_eq!((content(&file), pages_of(&file)), (Ok(b"abc".to_vec()), Ok(1)));
    }
    Ok(())
}

/// `fallocate` on a memory file fails with `EOPNOTSUPP` for `FALLOC_FL_PUNCH_HOLE` without `FALLOC_FL_KEEP_SIZE`, for
/// `FALLOC_FL_COLLAPSE_RANGE`, `FALLOC_FL_INSERT_RANGE` and `FALLOC_FL_UNSHARE_RANGE`, and for the undefined bit 0x40000000.
/// Bytes and `st_blocks` stay as they were.
#[rstest]
#[case::punch_hole_without_keep_size(Allocate::FALLOC_FL_PUNCH_HOLE)]
#[case::collapse_range(Allocate::FALLOC_FL_COLLAPSE_RANGE)]
#[case::insert_range(Allocate::FALLOC_FL_INSERT_RANGE)]
#[case::unshare_range(Allocate::FALLOC_FL_UNSHARE_RANGE)]
#[case::unknown_flag(Allocate::from_bits_retain(0x4000_0000))]
#[case::unknown_flag_with_keep_size(Allocate::from_bits_retain(0x4000_0001))]
#[conformance::test(man = "fallocate(2)")]
fn rejects_unsupported_modes(#[case] mode: Allocate) -> Outcome {
    let page = page_size();
    let file = holding(&pattern(2 * page))?;
    expect_eq!(fallocate(&file, mode, 0, offset(page)), Err(EOPNOTSUPP));
    expect_eq!((content(&file), pages_of(&file)), (Ok(pattern(2 * page)), Ok(2)));
    Ok(())
}

/// `fallocate`, with and without `FALLOC_FL_PUNCH_HOLE`, fails with `EBADF` on a descriptor opened with `O_RDONLY`, and with
/// `ESPIPE` on a pipe.
#[conformance::test(man = "fallocate(2)", needs(procfs))]
fn requires_a_writable_file() -> Outcome {
    let file = holding(b"abc")?;
    let reader = conformance::sys::path::open::reopen(&file, OFlag::O_RDONLY)?;
    let (_reading, writing) = pipe()?;
    for mode in [GROWING, PUNCH] {
        expect_eq!(fallocate(&reader, mode, 0, 10), Err(EBADF));
        expect_eq!(fallocate(&writing, mode, 0, 10), Err(ESPIPE));
    }
    expect_eq!((content(&file), pages_of(&file)), (Ok(b"abc".to_vec()), Ok(1)));
    Ok(())
}

/// `posix_fallocate` on a range that ends beyond the end of the file returns 0, allocates the pages of the range and sets the
/// size to its end. For length 0 or a negative offset `posix_fallocate` returns `EINVAL`, and for a range that ends beyond the
/// largest `off_t` it returns `EFBIG`.
#[conformance::test(posix = "posix_fallocate", man = "posix_fallocate(3)")]
fn posix_fallocate_returns_its_error() -> Outcome {
    let page = page_size();
    let file = holding(b"abc")?;
    expect_eq!(posix_fallocate(&file, offset(page), 1), Ok(()));
    expect_eq!((size(&file), pages_of(&file), content(&file)?[..4].to_vec()), (Ok(page + 1), Ok(2), b"abc\0".to_vec()));
    expect_eq!((posix_fallocate(&file, 0, 10), size(&file)), (Ok(()), Ok(page + 1)));
    expect_eq!((posix_fallocate(&file, 0, 0), posix_fallocate(&file, -1, 1)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((posix_fallocate(&file, i64::MAX, 1), size(&file)), (Err(EFBIG), Ok(page + 1)));
    Ok(())
}

/// `ftruncate` to the current size frees all or none of the pages that `fallocate` with `FALLOC_FL_KEEP_SIZE` has allocated
/// beyond the end; both are accepted, and the number of pages left is recorded. `ftruncate` to a smaller size frees all of them.
#[conformance::test(man = "fallocate(2)", level = observed)]
fn ftruncate_may_free_pages_beyond_the_end() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(page))?;
    fallocate(&file, KEEP, 0, offset(4 * page))?;
    ftruncate(&file, offset(page))?;
    let kept = pages_of(&file)?;
    observe!("memfd.pages-after-ftruncate-to-same-size", kept);
    expect_matches!(kept, 1 | 4);
    ftruncate(&file, offset(page) - 1)?;
    expect_eq!((pages_of(&file), content(&file)), (Ok(1), Ok(pattern(page - 1))));
    Ok(())
}

/// If three processes call `fallocate` with mode 0 eight times each, on overlapping ranges of one empty file at the same time,
/// every call returns 0. Afterwards `st_blocks` counts each page of the ranges once, and the size is the greatest end of a range.
#[conformance::test(man = "fallocate(2)")]
fn concurrent_calls_allocate_each_page_once() -> Outcome {
    let page = page_size();
    let file = sealable()?;
    let processes = (0..3)
        .map(|number| {
            Participant::spawn(&format!("process {number}"), dup(&file)?, move |file, link| {
                link.meet("start");
                (0..8).map(|index| fallocate(&file, GROWING, offset((number + index) * page), offset(2 * page))).collect::<Vec<_>>()
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let_go(&processes, "start")?;
    for process in processes {
        expect_eq!(process.join()?, vec![Ok(()); 8]);
    }
    // The last begins at page 2 + 7.
    expect_eq!((pages_of(&file), size(&file)), (Ok(11), Ok(11 * page)));
    Ok(())
}
