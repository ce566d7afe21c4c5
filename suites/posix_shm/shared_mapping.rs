//! Shared mappings: every one shows the object itself, wherever it begins, whoever has it, and long after the descriptor is gone.

use conformance::prelude::*;
use conformance::sys::memory::region::{MapFlags, Region};
use conformance::sys::memory::shm::{SharedMemory, shm_open, shm_unlink};
use proptest::collection::vec;
use rstest::rstest;

use super::fixture::{PRIVATE, R, RW, SHARED, contents, offset, page_of, pages};

/// Two mappings of one object in one process, at different addresses, show each other's stores at once.
#[conformance::test(posix = "mmap")]
fn agrees_with_another_of_the_process() -> Outcome {
    let object = pages(1)?;
    let (one, other) = (object.map(page_size(), Access::ReadWrite)?, object.map(page_size(), Access::ReadWrite)?);
    one.write(7, b"one");
    other.write(page_size() - 5, b"other");
    let expected = [&pattern(7)[..], b"one", &pattern(page_size() - 5)[10..], b"other"].concat();
    expect_eq!((one.read(0, page_size()), other.read(0, page_size())), (expected.clone(), expected));
    Ok(())
}

/// A mapping with an offset begins at that byte of the object, and its stores go there.
#[rstest]
#[case::first_page(0)]
#[case::second_page(1)]
#[case::last_page(3)]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn begins_at_its_offset(#[case] number: usize) -> Outcome {
    let object = pages(4)?;
    let at = number * page_size();
    let region = Region::map(&object, page_size(), RW, SHARED, offset(at))?;
    expect_eq!(region.read(0, page_size()), pattern(4 * page_size())[at..at + page_size()].to_vec());
    region.write(0, b"first");
    region.write(page_size() - 4, b"last");
    let mut expected = pattern(4 * page_size());
    expected[at..at + 5].copy_from_slice(b"first");
    expected[at + page_size() - 4..at + page_size()].copy_from_slice(b"last");
    expect_eq!(contents(&object), Ok(expected));
    Ok(())
}

/// Whatever is stored through any of several mappings with offsets of their own is what all of them show.
#[conformance::test(posix = "mmap")]
fn agrees_with_any_other_offset() -> Outcome {
    let page = page_size();
    let stores = vec((0..4_usize, 0..page - 8, vec(0..=255_u8, 1..8)), 1..12);
    property(&stores, |stores| {
        let object = pages(4)?;
        let regions =
            (0..4).map(|number| Region::map(&object, (4 - number) * page, RW, SHARED, offset(number * page))).collect::<Vec<_>>();
        let mut expected = pattern(4 * page);
        for (number, at, bytes) in stores {
            regions[number].as_ref().map_err(|&errno| errno)?.write(at, &bytes);
            expected[number * page + at..][..bytes.len()].copy_from_slice(&bytes);
        }
        for (number, region) in regions.into_iter().enumerate() {
            expect_eq!(region?.read(0, (4 - number) * page), expected[number * page..].to_vec());
        }
        Ok(())
    })
}

/// A length need not be that of whole pages: the rest of the last page can be used as well, and belongs to the object.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn ends_with_a_whole_page() -> Outcome {
    let object = pages(1)?;
    let (reader, writer) = pipe()?;
    let region = Region::map(&object, page_size(), R, SHARED, 0)?;
    let short = Region::map(&object, 1, RW, SHARED, 0)?;
    short.write(0, b"!");
    // The whole page has been mapped: taking the first byte's page away takes all of it.
    expect_eq!((short.unmap(0, 1), region.write_out(0, 1, &writer), read_some(&reader, 1)), (Ok(()), Ok(1), Ok(b"!".to_vec())));
    Ok(())
}

/// What cannot be mapped is refused: no length, an offset within a page, no kind or two, and an end that no offset can tell.
#[rstest]
#[case::without_length(0, SHARED, 0, EINVAL)]
#[case::from_within_a_page(1, SHARED, 1, EINVAL)]
#[case::from_the_end_of_a_page(1, SHARED, -1, EINVAL)]
#[case::neither_shared_nor_private(1, MapFlags::empty(), 0, EINVAL)]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn refuses_what_makes_no_sense(
    #[case] pages_long: usize,
    #[case] flags: MapFlags,
    #[case] within: i64,
    #[case] expected: Errno,
) -> Outcome {
    let object = pages(2)?;
    let at = if within < 0 { offset(page_size()) + within } else { within };
    let seen = Region::map(&object, pages_long * page_size(), R, flags, at);
    expect_eq!(seen.map(drop), Err(expected));
    Ok(())
}

/// An end behind the largest offset there is is refused as too large.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn refuses_an_end_beyond_all_offsets() -> Outcome {
    let object = pages(1)?;
    let last = i64::MAX - (i64::MAX % offset(page_size()));
    expect_eq!(Region::map(&object, 2 * page_size(), R, SHARED, last).map(drop), Err(EOVERFLOW));
    Ok(())
}

/// The object lasts in the mapping alone, when every descriptor is closed and its name is gone; the stores of another process,
/// which inherited the mapping, still arrive.
#[conformance::test(posix = "mmap", posix = "shm_unlink", man = "shm_overview(7)")]
fn outlives_descriptor_and_name() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, SHARED, 0)?;
    shm_unlink(object.name())?;
    drop(object);
    expect_eq!(region.read(0, page_size()), pattern(page_size()));
    let child = Participant::spawn("child", (), |(), _| region.write(1, b"child"))?;
    child.join()?;
    expect_eq!(region.read(0, 8), [&pattern(1)[..], b"child", &pattern(8)[6..]].concat());
    Ok(())
}

/// A descriptor may be closed at once: its number, taken by another object, has nothing to do with the mapping.
#[conformance::test(posix = "mmap", posix = "close")]
fn outlives_a_descriptor_whose_number_is_taken() -> Outcome {
    let (object, other) = (pages(1)?, SharedMemory::create(&unique_name("other"))?);
    other.set_size(page_size())?;
    let opened = shm_open(object.name(), OFlag::O_RDWR, 0)?;
    let number = opened.as_raw_fd();
    let region = Region::map(&opened, page_size(), RW, SHARED, 0)?;
    close(opened)?;
    let second = shm_open(other.name(), OFlag::O_RDWR, 0)?;
    expect_eq!(second.as_raw_fd(), number);
    region.write(0, b"mine");
    expect_eq!((contents(&object)?[..4].to_vec(), contents(&second)), (b"mine".to_vec(), Ok(page_of(0))));
    Ok(())
}

/// Giving one mapping up leaves every other one, and the descriptor, as they are.
#[conformance::test(posix = "munmap")]
fn ends_alone() -> Outcome {
    let object = pages(1)?;
    let (kept, private) = (object.map(page_size(), Access::ReadWrite)?, Region::map(&object, page_size(), RW, PRIVATE, 0)?);
    let given_up = object.map(page_size(), Access::ReadWrite)?;
    given_up.write(0, b"left");
    drop(given_up);
    expect_eq!(
        (kept.read(0, 4), private.read(0, 4), contents(&object)?[..4].to_vec()),
        (b"left".to_vec(), b"left".to_vec(), b"left".to_vec())
    );
    Ok(())
}

/// Many mappings of one object, of one page each, are one object; giving them all up gives nothing of it up.
#[conformance::test(posix = "mmap", posix = "munmap")]
fn comes_in_numbers() -> Outcome {
    let object = pages(1)?;
    let regions = (0..100).map(|_| Region::map(&object, page_size(), RW, SHARED, 0)).collect::<Result<Vec<_>, _>>();
    expect_matches!(regions, Ok(_));
    let regions = regions?;
    regions[0].write(0, b"0");
    regions[99].write(1, b"99");
    expect!(regions.iter().all(|region| region.read(0, 3) == b"099"));
    drop(regions);
    expect_eq!(contents(&object)?, [b"099", &pattern(page_size())[3..]].concat());
    Ok(())
}

/// Whether the memory of an object may be executed is left to the system.
#[conformance::test(posix = "mmap", level = observed)]
fn may_be_executable() -> Outcome {
    let object = pages(1)?;
    let seen = Region::map(&object, page_size(), R | conformance::sys::memory::region::ProtFlags::PROT_EXEC, SHARED, 0).map(drop);
    expect_matches!(seen, Ok(()) | Err(EPERM | EACCES | EINVAL | EOPNOTSUPP));
    observe!("posix_shm.executable", format!("{seen:?}"));
    Ok(())
}
