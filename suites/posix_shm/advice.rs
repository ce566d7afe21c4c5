//! Advice about mappings of objects: it changes no byte that others see, and is refused where it would have to.

use conformance::prelude::*;
use conformance::sys::memory::mapping::{self, Faults, SEGV_MAPERR};
use conformance::sys::memory::region::{MapFlags, MmapAdvise, Region};
use rstest::rstest;

use super::fixture::{PRIVATE, R, RW, SHARED, contents, pages};

/// How a mapping will be used is the system's to know, and nothing changes: not the bytes, and not what the pages allow.
#[rstest]
#[case::as_usual(MmapAdvise::MADV_NORMAL)]
#[case::at_random(MmapAdvise::MADV_RANDOM)]
#[case::in_order(MmapAdvise::MADV_SEQUENTIAL)]
#[case::soon(MmapAdvise::MADV_WILLNEED)]
#[case::not_soon(MmapAdvise::MADV_DONTNEED)]
#[conformance::test(man = "madvise(2)")]
fn changes_no_byte(#[case] advice: MmapAdvise) -> Outcome {
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

/// An address within a page is refused, and so is a range with a hole in it.
#[conformance::test(man = "madvise(2)")]
fn is_for_mapped_pages() -> Outcome {
    let object = pages(3)?;
    let region = Region::map(&object, 3 * page_size(), RW, SHARED, 0)?;
    region.unmap(page_size(), page_size())?;
    let advice = MmapAdvise::MADV_DONTNEED;
    expect_eq!((region.advise(1, 1, advice), region.advise(0, 3 * page_size(), advice)), (Err(EINVAL), Err(ENOMEM)));
    expect_eq!(contents(&object), Ok(pattern(3 * page_size())));
    Ok(())
}

/// Pages of an object cannot be offered for freeing: others have them.
#[rstest]
#[case::shared(SHARED)]
#[case::private(PRIVATE)]
#[conformance::test(man = "madvise(2)")]
fn to_free_is_refused(#[case] kind: MapFlags) -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, kind, 0)?;
    expect_eq!((region.advise(0, page_size(), MmapAdvise::MADV_FREE), region.read(0, 9)), (Err(EINVAL), pattern(9)));
    Ok(())
}

/// To say that a copied page is not needed drops the copy: the object shows again, as it is by now.
#[conformance::test(man = "madvise(2)")]
fn drops_private_copies() -> Outcome {
    let object = pages(2)?;
    let private = Region::map(&object, 2 * page_size(), RW, PRIVATE, 0)?;
    private.write(0, b"mine");
    private.write(page_size(), b"kept");
    object.map(page_size(), Access::ReadWrite)?.write(0, b"theirs");
    expect_eq!(private.advise(0, page_size(), MmapAdvise::MADV_DONTNEED), Ok(()));
    expect_eq!((private.read(0, 6), private.read(page_size(), 4)), (b"theirs".to_vec(), b"kept".to_vec()));
    Ok(())
}

/// Pages that are marked to be left out are not there in the child, and all the others are.
#[conformance::test(man = "madvise(2)")]
fn leaves_marked_pages_out_of_a_fork() -> Outcome {
    let object = pages(3)?;
    let page = page_size();
    let region = Region::map(&object, 3 * page, RW, SHARED, 0)?;
    expect_eq!(region.advise(page, page, MmapAdvise::MADV_DONTFORK), Ok(()));
    let look = || {
        region.outlive(Signal::SIGSEGV)?;
        let sides = region.read(0, page) == pattern(page) && region.read(2 * page, page) == pattern(3 * page)[2 * page..];
        region.read(page + 1, 1);
        Ok::<_, Errno>((sides, mapping::faults()))
    };
    let child = Participant::spawn("child", (), |(), _| look())?;
    expect_eq!(child.join()?, Ok((true, Faults { count: 1, code: SEGV_MAPERR, offset: page + 1 })));
    expect_eq!(region.read(0, 3 * page), pattern(3 * page));
    expect_eq!(region.advise(page, page, MmapAdvise::MADV_DOFORK), Ok(()));
    let child = Participant::spawn("second child", (), |(), _| look())?;
    expect_eq!(child.join()?, Ok((true, Faults { count: 0, code: 0, offset: 0 })));
    Ok(())
}

/// What is to be empty after a fork can be private memory only.
#[conformance::test(man = "madvise(2)")]
fn to_wipe_is_refused() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, SHARED, 0)?;
    expect_eq!(region.advise(0, page_size(), MmapAdvise::MADV_WIPEONFORK), Err(EINVAL));
    let child = Participant::spawn("child", (), |(), _| region.read(0, 9))?;
    expect_eq!(child.join()?, pattern(9));
    Ok(())
}

/// Locked pages stay.
#[conformance::test(man = "madvise(2)")]
fn drops_no_locked_page() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, PRIVATE, 0)?;
    region.write(0, b"mine");
    region.lock(0, page_size())?;
    expect_eq!((region.advise(0, page_size(), MmapAdvise::MADV_DONTNEED), region.read(0, 4)), (Err(EINVAL), b"mine".to_vec()));
    region.unlock(0, page_size())?;
    expect_eq!((region.advise(0, page_size(), MmapAdvise::MADV_DONTNEED), region.read(0, 4)), (Ok(()), pattern(4)));
    Ok(())
}

/// A mapping that asks for its flags to be checked is a shared one, and is refused if a flag is unknown or cannot be had; one that
/// does not ask has unknown flags ignored.
#[conformance::test(man = "mmap(2)")]
fn that_must_be_known_is_checked() -> Outcome {
    /// No flag of any architecture.
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
