//! `mmap` with `MAP_SHARED`: every shared mapping shows the bytes of the shared memory object, at any offset, and after the
//! descriptor is closed and the name is unlinked.

use conformance::prelude::*;
use conformance::sys::memory::region::{MapFlags, Region};
use conformance::sys::memory::shm::{SharedMemory, shm_open, shm_unlink};
use proptest::collection::vec;
use rstest::rstest;

use super::fixture::{PRIVATE, R, RW, SHARED, contents, page_of, pages};

/// A store through one `MAP_SHARED` mapping of a shared memory object is read through a second `MAP_SHARED` mapping of the same
/// object at another address in the same process.
#[conformance::test(posix = "mmap")]
fn two_mappings_show_each_others_stores() -> Outcome {
    let object = pages(1)?;
    let (one, other) = (object.map(page_size(), Access::ReadWrite)?, object.map(page_size(), Access::ReadWrite)?);
    one.write(7, b"one");
    other.write(page_size() - 5, b"other");
    let expected = [&pattern(7)[..], b"one", &pattern(page_size() - 5)[10..], b"other"].concat();
    expect_eq!((one.read(0, page_size()), other.read(0, page_size())), (expected.clone(), expected));
    Ok(())
}

/// The first byte of a mapping made by `mmap` with offset n (0, 1 or 3 pages) is byte n of the shared memory object. Stores
/// through the `MAP_SHARED` mapping change the bytes of the object from offset n on.
#[rstest]
#[case::first_page(0)]
#[case::second_page(1)]
#[case::last_page(3)]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn offset_selects_the_first_byte(#[case] number: usize) -> Outcome {
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

/// After random stores through four `MAP_SHARED` mappings of one shared memory object with four different `mmap` offsets, each
/// mapping shows all stored bytes of its range of the object.
#[conformance::test(posix = "mmap")]
fn mappings_at_different_offsets_share_bytes() -> Outcome {
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

/// `mmap` with `MAP_FIXED` and length 1 maps exactly one whole page of the object. After `munmap` with length 1 at the start of
/// this page, `write` to a pipe from its first or its last byte fails with `EFAULT`, and `write` from the next page returns its
/// count.
#[conformance::test(posix = "mmap", posix = "munmap", man = "mmap(2)")]
fn length_is_rounded_up_to_a_page() -> Outcome {
    let page = page_size();
    let (below, object) = (pages(2)?, pages(1)?);
    object.map(page, Access::ReadWrite)?.write(0, &vec![b'-'; page]);
    let region = Region::map(&below, 2 * page, RW, SHARED, 0)?;
    expect_eq!(region.place(0, &object, 1, RW, SHARED | MapFlags::MAP_FIXED, 0), Ok(()));
    expect_eq!((region.read(0, page), region.read(page, page)), (vec![b'-'; page], pattern(2 * page)[page..].to_vec()));
    region.write(page - 1, b"!");
    expect_eq!(contents(&object).map(|bytes| bytes[page - 2..].to_vec()), Ok(b"-!".to_vec()));
    let (reader, writer) = pipe()?;
    let byte_at = |at| region.write_out(at, 1, &writer);
    expect_eq!((byte_at(0), byte_at(page - 1), byte_at(page)), (Ok(1), Ok(1), Ok(1)));
    expect_eq!(region.unmap(0, 1), Ok(()));
    expect_eq!((byte_at(0), byte_at(page - 1), byte_at(page)), (Err(EFAULT), Err(EFAULT), Ok(1)));
    let next = pattern(2 * page)[page];
    expect_eq!(read_exactly(&reader, 4), Ok(vec![b'-', b'!', next, next]));
    Ok(())
}

/// `mmap` fails with `EINVAL` if the length is 0, if the offset is not a multiple of the page size, or if the flags contain
/// neither `MAP_SHARED` nor `MAP_PRIVATE`.
#[rstest]
#[case::length_zero(0, SHARED, 0, EINVAL)]
#[case::offset_one_byte_into_a_page(1, SHARED, 1, EINVAL)]
#[case::offset_one_byte_before_a_page(1, SHARED, -1, EINVAL)]
#[case::neither_shared_nor_private(1, MapFlags::empty(), 0, EINVAL)]
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn rejects_invalid_arguments(
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

/// `mmap` fails with `EOVERFLOW` if the offset plus the length is greater than the largest value of `off_t`.
#[conformance::test(posix = "mmap", man = "mmap(2)", level = customary)]
fn rejects_end_beyond_the_largest_offset() -> Outcome {
    let object = pages(1)?;
    let last = i64::MAX - (i64::MAX % offset(page_size()));
    expect_eq!(Region::map(&object, 2 * page_size(), R, SHARED, last).map(drop), Err(EOVERFLOW));
    Ok(())
}

/// After `close` of the last descriptor and `shm_unlink` of the name, a `MAP_SHARED` mapping still shows every byte of the
/// object. A store by a child that inherited the mapping is read by the parent.
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

/// If `shm_open` of a second object returns the number of a closed descriptor that was given to `mmap`, a store through the
/// mapping still changes the first object. The bytes of the second object stay as they were.
#[conformance::test(posix = "mmap", posix = "close")]
fn outlives_reuse_of_the_descriptor_number() -> Outcome {
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

/// After `munmap` of one of two `MAP_SHARED` mappings of a shared memory object, the other `MAP_SHARED` mapping and the object
/// itself still show the bytes that were stored through the unmapped mapping.
#[conformance::test(posix = "munmap")]
fn munmap_leaves_other_mappings() -> Outcome {
    let object = pages(1)?;
    let kept = object.map(page_size(), Access::ReadWrite)?;
    let unmapped = object.map(page_size(), Access::ReadWrite)?;
    unmapped.write(0, b"left");
    drop(unmapped);
    expect_eq!((kept.read(0, 4), contents(&object)?[..4].to_vec()), (b"left".to_vec(), b"left".to_vec()));
    Ok(())
}

/// After `munmap` of a `MAP_SHARED` mapping, a `MAP_PRIVATE` mapping of the same object that was never stored into shows the
/// bytes that were stored through the unmapped mapping.
#[conformance::test(posix = "munmap", level = customary)]
fn munmap_leaves_a_private_mapping() -> Outcome {
    let object = pages(1)?;
    let private = Region::map(&object, page_size(), RW, PRIVATE, 0)?;
    let unmapped = object.map(page_size(), Access::ReadWrite)?;
    unmapped.write(0, b"left");
    drop(unmapped);
    expect_eq!((private.read(0, 4), contents(&object)?[..4].to_vec()), (b"left".to_vec(), b"left".to_vec()));
    Ok(())
}

/// Each of 100 `mmap` calls with `MAP_SHARED` for the same page of an object returns a mapping, and a store through one mapping
/// is read through all 100. After `munmap` of all 100 mappings the object still contains the stored bytes.
#[conformance::test(posix = "mmap", posix = "munmap")]
fn allows_a_hundred_mappings_of_one_page() -> Outcome {
    let object = pages(1)?;
    let regions = (0..100).map(|_| Region::map(&object, page_size(), RW, SHARED, 0)).collect::<Result<Vec<_>, _>>();
    expect_matches!(regions, Ok(_));
    let regions = regions?;
    regions[0].write(0, b"0");
    regions[99].write(1, b"99");
    expect_eq!(regions.iter().map(|region| region.read(0, 3)).collect::<Vec<_>>(), vec![b"099".to_vec(); 100]);
    drop(regions);
    expect_eq!(contents(&object)?, [b"099", &pattern(page_size())[3..]].concat());
    Ok(())
}

/// `mmap` with `PROT_READ | PROT_EXEC` and `MAP_SHARED` on a shared memory object returns a mapping, or fails with `EPERM`,
/// `EACCES`, `EINVAL` or `EOPNOTSUPP`. Each result is accepted and recorded.
#[conformance::test(posix = "mmap", level = observed)]
fn may_allow_execution() -> Outcome {
    let object = pages(1)?;
    let seen = Region::map(&object, page_size(), R | conformance::sys::memory::region::ProtFlags::PROT_EXEC, SHARED, 0).map(drop);
    expect_matches!(seen, Ok(()) | Err(EPERM | EACCES | EINVAL | EOPNOTSUPP));
    observe!("posix_shm.executable", format!("{seen:?}"));
    Ok(())
}

/// `mmap` of a shared memory object with `MAP_SHARED_VALIDATE` fails with `EOPNOTSUPP` if the flags contain the undefined bit
/// 0x2000000 or `MAP_SYNC`. `mmap` with `MAP_SHARED` and the same undefined bit returns a mapping.
#[cfg(linux)]
#[conformance::test(man = "mmap(2)")]
fn map_shared_validate_rejects_unknown_flags() -> Outcome {
    /// No architecture defines this flag.
    const UNKNOWN: i32 = 1 << 25;
    let object = pages(1)?;
    let validated = MapFlags::MAP_SHARED_VALIDATE;
    let unknown = MapFlags::from_bits_retain(UNKNOWN);
    let map = |flags| Region::map(&object, page_size(), RW, flags, 0);
    expect_eq!(map(validated | unknown).map(drop), Err(EOPNOTSUPP));
    expect_eq!(map(validated | MapFlags::MAP_SYNC).map(drop), Err(EOPNOTSUPP));
    expect_eq!(map(SHARED | unknown).map(drop), Ok(()));
    let region = map(validated);
    expect_matches!(region, Ok(_));
    region?.write(0, b"shared");
    expect_eq!(Region::map(&object, 6, R, SHARED, 0)?.read(0, 6), b"shared".to_vec());
    Ok(())
}
