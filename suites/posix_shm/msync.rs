//! `msync` on shared mappings of shared memory objects: accepted flags and ranges, errors, and the bytes afterwards.

use conformance::prelude::*;
use conformance::sys::memory::region::{MsFlags, Region};
use rstest::rstest;

use super::fixture::{R, RW, SHARED, contents, pages};

/// `msync` with `MS_SYNC` or `MS_ASYNC`, each with or without `MS_INVALIDATE`, returns 0 for all pages and for one byte of a
/// shared mapping. The bytes of the mapping and of the object stay as they were.
#[rstest]
#[case::ms_sync(MsFlags::MS_SYNC)]
#[case::ms_async(MsFlags::MS_ASYNC)]
#[case::ms_sync_invalidate(MsFlags::MS_SYNC.union(MsFlags::MS_INVALIDATE))]
#[case::ms_async_invalidate(MsFlags::MS_ASYNC.union(MsFlags::MS_INVALIDATE))]
#[conformance::test(posix = "msync", man = "msync(2)")]
fn keeps_the_bytes(#[case] flags: MsFlags) -> Outcome {
    let object = pages(3)?;
    let region = Region::map(&object, 3 * page_size(), RW, SHARED, 0)?;
    region.write(0, b"stored");
    expect_eq!((region.sync(0, 3 * page_size(), flags), region.sync(page_size(), 1, flags)), (Ok(()), Ok(())));
    let expected = [b"stored", &pattern(3 * page_size())[6..]].concat();
    expect_eq!((region.read(0, 3 * page_size()), contents(&object)), (expected.clone(), Ok(expected)));
    Ok(())
}

/// `msync` on a shared mapping fails with `EINVAL` if the flags contain both `MS_SYNC` and `MS_ASYNC`, or if the address is not a
/// multiple of the page size.
#[conformance::test(posix = "msync", man = "msync(2)", level = documented)]
fn rejects_contradictory_flags_and_unaligned_address() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, SHARED, 0)?;
    expect_eq!(region.sync(0, page_size(), MsFlags::MS_SYNC | MsFlags::MS_ASYNC), Err(EINVAL));
    expect_eq!(region.sync(1, 1, MsFlags::MS_SYNC), Err(EINVAL));
    Ok(())
}

/// `msync` on a shared mapping fails with `EINVAL` if the flags are `MS_SYNC` and the undefined bit 0x4000.
#[conformance::test(man = "msync(2)")]
fn rejects_unknown_flags() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, SHARED, 0)?;
    expect_eq!(region.sync(0, page_size(), MsFlags::from_bits_retain(0x4000 | MsFlags::MS_SYNC.bits())), Err(EINVAL));
    Ok(())
}

/// `msync` with `MS_SYNC` or `MS_ASYNC` fails with `ENOMEM` if the first, the middle or the last page of the range is unmapped.
#[rstest]
#[case::first_page(0)]
#[case::middle_page(1)]
#[case::last_page(2)]
#[conformance::test(posix = "msync", man = "msync(2)")]
fn rejects_ranges_with_an_unmapped_page(#[case] hole: usize) -> Outcome {
    let object = pages(3)?;
    let region = Region::map(&object, 3 * page_size(), RW, SHARED, 0)?;
    region.unmap(hole * page_size(), page_size())?;
    let all = 3 * page_size();
    expect_eq!((region.sync(0, all, MsFlags::MS_SYNC), region.sync(0, all, MsFlags::MS_ASYNC)), (Err(ENOMEM), Err(ENOMEM)));
    Ok(())
}

/// `msync` with `MS_SYNC` returns 0 on a read-only shared mapping made through a descriptor opened with `O_RDONLY`.
#[conformance::test(posix = "msync")]
fn accepts_read_only_mappings() -> Outcome {
    let object = pages(1)?;
    let reader = conformance::sys::memory::shm::shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    let region = Region::map(&reader, page_size(), R, SHARED, 0)?;
    expect_eq!((region.sync(0, page_size(), MsFlags::MS_SYNC), region.read(0, 9)), (Ok(()), pattern(9)));
    Ok(())
}
