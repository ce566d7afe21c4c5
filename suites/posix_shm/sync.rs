//! `msync`, and locking where there are no pages: what is accepted, what is refused, and that nothing changes a byte.

use conformance::prelude::*;
use conformance::sys::memory::region::{MsFlags, Region};
use rstest::rstest;

use super::fixture::{R, RW, SHARED, contents, pages};

/// Synchronising succeeds in each of its ways, for all pages or some, and changes nothing.
#[rstest]
#[case::synchronously(MsFlags::MS_SYNC)]
#[case::asynchronously(MsFlags::MS_ASYNC)]
#[case::synchronously_with_invalidation(MsFlags::MS_SYNC.union(MsFlags::MS_INVALIDATE))]
#[case::asynchronously_with_invalidation(MsFlags::MS_ASYNC.union(MsFlags::MS_INVALIDATE))]
#[conformance::test(posix = "msync", man = "msync(2)")]
fn succeeds(#[case] flags: MsFlags) -> Outcome {
    let object = pages(3)?;
    let region = Region::map(&object, 3 * page_size(), RW, SHARED, 0)?;
    region.write(0, b"stored");
    expect_eq!((region.sync(0, 3 * page_size(), flags), region.sync(page_size(), 1, flags)), (Ok(()), Ok(())));
    let expected = [b"stored", &pattern(3 * page_size())[6..]].concat();
    expect_eq!((region.read(0, 3 * page_size()), contents(&object)), (expected.clone(), Ok(expected)));
    Ok(())
}

/// Both ways at once are refused, and so is an address within a page.
#[conformance::test(posix = "msync", man = "msync(2)")]
fn refuses_what_makes_no_sense() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, SHARED, 0)?;
    expect_eq!(region.sync(0, page_size(), MsFlags::MS_SYNC | MsFlags::MS_ASYNC), Err(EINVAL));
    expect_eq!(region.sync(1, 1, MsFlags::MS_SYNC), Err(EINVAL));
    Ok(())
}

/// Flags that do not exist are refused.
#[conformance::test(man = "msync(2)")]
fn refuses_unknown_flags() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, SHARED, 0)?;
    expect_eq!(region.sync(0, page_size(), MsFlags::from_bits_retain(0x4000 | MsFlags::MS_SYNC.bits())), Err(EINVAL));
    Ok(())
}

/// A hole in the range is `ENOMEM`, wherever it lies.
#[rstest]
#[case::at_the_beginning(0)]
#[case::in_the_midst(1)]
#[case::at_the_end(2)]
#[conformance::test(posix = "msync", man = "msync(2)")]
fn refuses_a_hole(#[case] hole: usize) -> Outcome {
    let object = pages(3)?;
    let region = Region::map(&object, 3 * page_size(), RW, SHARED, 0)?;
    region.unmap(hole * page_size(), page_size())?;
    let all = 3 * page_size();
    expect_eq!((region.sync(0, all, MsFlags::MS_SYNC), region.sync(0, all, MsFlags::MS_ASYNC)), (Err(ENOMEM), Err(ENOMEM)));
    Ok(())
}

/// A reader may synchronise too: nothing is written.
#[conformance::test(posix = "msync")]
fn is_for_readers_too() -> Outcome {
    let object = pages(1)?;
    let reader = conformance::sys::memory::shm::shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    let region = Region::map(&reader, page_size(), R, SHARED, 0)?;
    expect_eq!((region.sync(0, page_size(), MsFlags::MS_SYNC), region.read(0, 9)), (Ok(()), pattern(9)));
    Ok(())
}

/// Locking runs into a hole with `ENOMEM`.
#[conformance::test(posix = "mlock", man = "mlock(2)")]
fn locks_no_hole() -> Outcome {
    let object = pages(3)?;
    let region = Region::map(&object, 3 * page_size(), RW, SHARED, 0)?;
    region.unmap(page_size(), page_size())?;
    expect_eq!((region.lock(0, 3 * page_size()), region.unlock(0, 3 * page_size())), (Err(ENOMEM), Err(ENOMEM)));
    expect_eq!(contents(&object), Ok(pattern(3 * page_size())));
    Ok(())
}
