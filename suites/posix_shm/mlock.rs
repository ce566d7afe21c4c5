//! `mlock` and `munlock` on mappings of shared memory objects: unmapped pages, and the effect of locked pages on `msync`. What
//! `RLIMIT_MEMLOCK` allows is in `mlock_limit`.

use conformance::prelude::*;
#[cfg(linux)]
use conformance::sys::memory::region::MsFlags;
use conformance::sys::memory::region::Region;

use super::fixture::{RW, SHARED, contents, pages};

/// `mlock` and `munlock` fail with `ENOMEM` if the range contains an unmapped page. The bytes of the shared memory object stay as
/// they were.
#[conformance::test(posix = "mlock", man = "mlock(2)")]
fn rejects_ranges_with_an_unmapped_page() -> Outcome {
    let object = pages(3)?;
    let region = Region::map(&object, 3 * page_size(), RW, SHARED, 0)?;
    region.unmap(page_size(), page_size())?;
    expect_eq!((region.lock(0, 3 * page_size()), region.unlock(0, 3 * page_size())), (Err(ENOMEM), Err(ENOMEM)));
    expect_eq!(contents(&object), Ok(pattern(3 * page_size())));
    Ok(())
}

/// `msync` with `MS_ASYNC | MS_INVALIDATE` fails with `EBUSY` if the range contains a page locked by `mlock`, and returns 0 for a
/// range without such a page. After `munlock` of the page, `msync` of the whole range returns 0.
#[cfg(linux)]
#[conformance::test(posix = "msync", man = "msync(2)")]
fn makes_msync_invalidate_fail() -> Outcome {
    let object = pages(2)?;
    let region = Region::map(&object, 2 * page_size(), RW, SHARED, 0)?;
    region.lock(page_size(), 1)?;
    let flags = MsFlags::MS_ASYNC | MsFlags::MS_INVALIDATE;
    expect_eq!((region.sync(0, 2 * page_size(), flags), region.sync(0, page_size(), flags)), (Err(EBUSY), Ok(())));
    region.unlock(page_size(), 1)?;
    expect_eq!(region.sync(0, 2 * page_size(), flags), Ok(()));
    Ok(())
}
