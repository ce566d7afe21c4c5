//! Allocating space in advance (`fallocate`): pages are there before anybody writes to them, and nothing else changes.

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate, pages_of};
use nix::unistd::Whence;
use rstest::rstest;

use common::memory_file::{content, holding, offset, sealable, size};

const GROWING: Allocate = Allocate::empty();
const KEEP: Allocate = Allocate::FALLOC_FL_KEEP_SIZE;

/// The pages that a range touches.
fn touched(at: usize, length: usize) -> std::ops::Range<usize> {
    at / page_size()..(at + length).div_ceil(page_size())
}

/// A range that is allocated has memory for every page that it touches, reads as zeros, and is the end of the file if it ends
/// behind the old one; the position stays. Doing it again changes nothing.
#[conformance::test(man = "fallocate(2)")]
fn takes_whole_pages_and_lengthens_the_file() -> Outcome {
    let page = page_size();
    property(&(0..3 * page, 1..3 * page), |(at, length)| {
        let file = sealable()?;
        for _ in 0..2 {
            expect_eq!(fallocate(&file, GROWING, offset(at), offset(length)), Ok(()));
            expect_eq!((size(&file), pages_of(&file)), (Ok(at + length), Ok(touched(at, length).len())));
        }
        expect_eq!((content(&file), lseek(&file, 0, Whence::SeekCur)), (Ok(vec![0; at + length]), Ok(0)));
        // The content was read without taking memory for what is not allocated.
        expect_eq!(pages_of(&file), Ok(touched(at, length).len()));
        Ok(())
    })
}

/// Bytes that are there stay, and pages are taken once: the file then has those that it had and those that the range touches.
#[conformance::test(man = "fallocate(2)")]
fn leaves_bytes_and_pages_that_are_there() -> Outcome {
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

/// Space behind the end can be allocated without moving the end; the pages are there for what is written later.
#[conformance::test(man = "fallocate(2)")]
fn keeps_the_size_where_asked_to() -> Outcome {
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

/// What is written behind allocated pages, or between them, finds zeros beside it and nothing of what memory held before.
#[conformance::test(man = "fallocate(2)")]
fn shows_zeros_beside_what_is_written() -> Outcome {
    let page = page_size();
    // Pages that held something else before are the likeliest to come back.
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

/// Ranges that are none are refused, whatever the mode, and nothing changes.
#[rstest]
#[case::empty(0, 0, EINVAL)]
#[case::negative_length(0, -1, EINVAL)]
#[case::negative_offset(-1, 1, EINVAL)]
#[case::negative_offset_to_positive_end(-1, 10, EINVAL)]
#[case::end_beyond_every_file(i64::MAX, 1, EFBIG)]
#[case::length_beyond_every_file(1, i64::MAX, EFBIG)]
#[conformance::test(man = "fallocate(2)")]
fn wants_a_range(#[case] at: i64, #[case] length: i64, #[case] refusal: Errno) -> Outcome {
    let file = holding(b"abc")?;
    for mode in [GROWING, KEEP, PUNCH] {
        expect_eq!(fallocate(&file, mode, at, length), Err(refusal), "{mode:?}");
        expect_eq!((content(&file), pages_of(&file)), (Ok(b"abc".to_vec()), Ok(1)));
    }
    Ok(())
}

/// Modes that no file in memory has, that nobody has, or that go together only, are refused, and nothing changes.
#[rstest]
#[case::hole_that_moves_the_end(Allocate::FALLOC_FL_PUNCH_HOLE)]
#[case::collapse(Allocate::FALLOC_FL_COLLAPSE_RANGE)]
#[case::insert(Allocate::FALLOC_FL_INSERT_RANGE)]
#[case::unshare(Allocate::FALLOC_FL_UNSHARE_RANGE)]
#[case::unknown(Allocate::from_bits_retain(0x4000_0000))]
#[case::unknown_with_known(Allocate::from_bits_retain(0x4000_0001))]
#[conformance::test(man = "fallocate(2)")]
fn knows_two_modes(#[case] mode: Allocate) -> Outcome {
    let page = page_size();
    let file = holding(&pattern(2 * page))?;
    expect_eq!(fallocate(&file, mode, 0, offset(page)), Err(EOPNOTSUPP));
    expect_eq!((content(&file), pages_of(&file)), (Ok(pattern(2 * page)), Ok(2)));
    Ok(())
}

/// It needs a descriptor of a file that may be written.
#[conformance::test(man = "fallocate(2)", needs(procfs))]
fn needs_a_file_that_may_be_written() -> Outcome {
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

/// `posix_fallocate` of the C library does the same, and returns its error instead of setting `errno`.
#[conformance::test(posix = "posix_fallocate", man = "posix_fallocate(3)")]
fn is_what_posix_has_too() -> Outcome {
    let page = page_size();
    let file = holding(b"abc")?;
    expect_eq!(posix_fallocate(&file, offset(page), 1), Ok(()));
    expect_eq!((size(&file), pages_of(&file), content(&file)?[..4].to_vec()), (Ok(page + 1), Ok(2), b"abc\0".to_vec()));
    expect_eq!((posix_fallocate(&file, 0, 10), size(&file)), (Ok(()), Ok(page + 1)));
    expect_eq!((posix_fallocate(&file, 0, 0), posix_fallocate(&file, -1, 1)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((posix_fallocate(&file, i64::MAX, 1), size(&file)), (Err(EFBIG), Ok(page + 1)));
    Ok(())
}

/// What truncation to the size that a file has does to pages behind its end is the system's choice; a shorter size takes them.
#[conformance::test(man = "fallocate(2)", level = observed)]
fn lasts_until_the_file_is_cut() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(page))?;
    fallocate(&file, KEEP, 0, offset(4 * page))?;
    ftruncate(&file, offset(page))?;
    let kept = pages_of(&file)?;
    observe!("posix_shm.pages-behind-the-end-after-truncation-to-the-same-size", kept);
    expect_matches!(kept, 1 | 4);
    ftruncate(&file, offset(page) - 1)?;
    expect_eq!((pages_of(&file), content(&file)), (Ok(1), Ok(pattern(page - 1))));
    Ok(())
}

/// Several processes that allocate overlapping ranges at once take each page once.
#[conformance::test(man = "fallocate(2)")]
fn takes_each_page_once_for_many() -> Outcome {
    let page = page_size();
    let file = sealable()?;
    let workers = (0..3)
        .map(|number| {
            Participant::spawn(&format!("worker {number}"), dup(&file)?, move |file, link| {
                link.meet("start");
                (0..8).map(|index| fallocate(&file, GROWING, offset((number + index) * page), offset(2 * page))).collect::<Vec<_>>()
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    for worker in &workers {
        worker.until_reached("start")?;
    }
    for worker in &workers {
        worker.open("start")?;
    }
    for worker in workers {
        expect_eq!(worker.join()?, vec![Ok(()); 8]);
    }
    // The last begins at page 2 + 7.
    expect_eq!((pages_of(&file), size(&file)), (Ok(11), Ok(11 * page)));
    Ok(())
}
