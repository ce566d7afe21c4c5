//! `madvise` on mappings of shared memory objects: which advice is accepted, which fails, and what `fork` does with advised
//! pages.

use conformance::prelude::*;
use conformance::sys::memory::mapping::{self, Faults, SEGV_MAPERR};
use conformance::sys::memory::region::{MapFlags, MmapAdvise, Region};
use rstest::rstest;

use super::fixture::{PRIVATE, RW, SHARED, contents, pages};

/// `madvise` with `MADV_NORMAL`, `MADV_RANDOM`, `MADV_SEQUENTIAL`, `MADV_WILLNEED` or `MADV_DONTNEED` on a shared mapping
/// returns 0. The bytes of the mapping and of the shared memory object stay as they were.
#[rstest]
#[case::normal(MmapAdvise::MADV_NORMAL)]
#[case::random(MmapAdvise::MADV_RANDOM)]
#[case::sequential(MmapAdvise::MADV_SEQUENTIAL)]
#[case::willneed(MmapAdvise::MADV_WILLNEED)]
#[case::dontneed(MmapAdvise::MADV_DONTNEED)]
#[conformance::test(man = "madvise(2)")]
fn leaves_bytes_unchanged(#[case] advice: MmapAdvise) -> Outcome {
    let object = pages(3)?;
    let region = Region::map(&object, 3 * page_size(), RW, SHARED, 0)?;
    region.write(page_size(), b"stored");
    expect_eq!((region.advise(0, 3 * page_size(), advice), region.advise(page_size(), 1, advice)), (Ok(()), Ok(())));
    let mut expected = pattern(3 * page_size());
    expected[page_size()..page_size() + 6].copy_from_slice(b"stored");
    expect_eq!((region.read(0, 3 * page_size()), contents(&object)), (expected.clone(), Ok(expected)));
    region.write(0, b"!");
    Ok(())
}

/// `madvise` with `MADV_DONTNEED` fails with `EINVAL` if the address is not a multiple of the page size, and with `ENOMEM` if the
/// range contains an unmapped page.
#[conformance::test(man = "madvise(2)")]
fn rejects_unaligned_and_unmapped_ranges() -> Outcome {
    let object = pages(3)?;
    let region = Region::map(&object, 3 * page_size(), RW, SHARED, 0)?;
    region.unmap(page_size(), page_size())?;
    let advice = MmapAdvise::MADV_DONTNEED;
    expect_eq!((region.advise(1, 1, advice), region.advise(0, 3 * page_size(), advice)), (Err(EINVAL), Err(ENOMEM)));
    expect_eq!(contents(&object), Ok(pattern(3 * page_size())));
    Ok(())
}

/// `madvise` with `MADV_FREE` on a shared or private mapping of a shared memory object fails with `EINVAL`. The mapped bytes stay
/// as they were.
#[rstest]
#[case::shared(SHARED)]
#[case::private(PRIVATE)]
#[conformance::test(man = "madvise(2)")]
fn madv_free_rejects_object_mappings(#[case] kind: MapFlags) -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, kind, 0)?;
    expect_eq!((region.advise(0, page_size(), MmapAdvise::MADV_FREE), region.read(0, 9)), (Err(EINVAL), pattern(9)));
    Ok(())
}

/// After `madvise` with `MADV_DONTNEED` on a page of a `MAP_PRIVATE` mapping that was stored into, the page shows the current
/// bytes of the shared memory object. Another page of the mapping still shows the bytes stored into it.
#[conformance::test(man = "madvise(2)")]
fn madv_dontneed_drops_private_copies() -> Outcome {
    let object = pages(2)?;
    let private = Region::map(&object, 2 * page_size(), RW, PRIVATE, 0)?;
    private.write(0, b"mine");
    private.write(page_size(), b"kept");
    object.map(page_size(), Access::ReadWrite)?.write(0, b"theirs");
    expect_eq!(private.advise(0, page_size(), MmapAdvise::MADV_DONTNEED), Ok(()));
    expect_eq!((private.read(0, 6), private.read(page_size(), 4)), (b"theirs".to_vec(), b"kept".to_vec()));
    Ok(())
}

/// After `madvise` with `MADV_DONTFORK` on a mapped page and `fork`, a load from this page by the child raises `SIGSEGV` with
/// `SEGV_MAPERR`. After `madvise` with `MADV_DOFORK` and another `fork`, a load from this page by the new child raises no signal.
#[conformance::test(man = "madvise(2)")]
fn madv_dontfork_removes_pages_from_the_child() -> Outcome {
    let object = pages(3)?;
    let page = page_size();
    let region = Region::map(&object, 3 * page, RW, SHARED, 0)?;
    expect_eq!(region.advise(page, page, MmapAdvise::MADV_DONTFORK), Ok(()));
    let read_pages = || {
        region.outlive(Signal::SIGSEGV)?;
        let outer_pages_intact =
            region.read(0, page) == pattern(page) && region.read(2 * page, page) == pattern(3 * page)[2 * page..];
        region.read(page + 1, 1);
        Ok::<_, Errno>((outer_pages_intact, mapping::faults()))
    };
    let child = Participant::spawn("child", (), |(), _| read_pages())?;
    expect_eq!(child.join()?, Ok((true, Faults { count: 1, code: SEGV_MAPERR, offset: page + 1 })));
    expect_eq!(region.read(0, 3 * page), pattern(3 * page));
    expect_eq!(region.advise(page, page, MmapAdvise::MADV_DOFORK), Ok(()));
    let child = Participant::spawn("second child", (), |(), _| read_pages())?;
    expect_eq!(child.join()?, Ok((true, Faults { count: 0, code: 0, offset: 0 })));
    Ok(())
}

/// `madvise` with `MADV_WIPEONFORK` on a shared mapping of a shared memory object fails with `EINVAL`. A child created by `fork`
/// afterwards reads the bytes of the object.
#[conformance::test(man = "madvise(2)")]
fn madv_wipeonfork_rejects_shared_mappings() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, SHARED, 0)?;
    expect_eq!(region.advise(0, page_size(), MmapAdvise::MADV_WIPEONFORK), Err(EINVAL));
    let child = Participant::spawn("child", (), |(), _| region.read(0, 9))?;
    expect_eq!(child.join()?, pattern(9));
    Ok(())
}

/// `madvise` with `MADV_DONTNEED` on a page of a `MAP_PRIVATE` mapping that is locked by `mlock` fails with `EINVAL`, and the
/// page still shows the bytes stored into it. After `munlock`, `madvise` returns 0 and the page shows the bytes of the shared
/// memory object.
#[conformance::test(man = "madvise(2)")]
fn madv_dontneed_rejects_locked_pages() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, PRIVATE, 0)?;
    region.write(0, b"mine");
    region.lock(0, page_size())?;
    expect_eq!((region.advise(0, page_size(), MmapAdvise::MADV_DONTNEED), region.read(0, 4)), (Err(EINVAL), b"mine".to_vec()));
    region.unlock(0, page_size())?;
    expect_eq!((region.advise(0, page_size(), MmapAdvise::MADV_DONTNEED), region.read(0, 4)), (Ok(()), pattern(4)));
    Ok(())
}
