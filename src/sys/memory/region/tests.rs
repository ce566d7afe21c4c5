//! Calls on holes are for processes with one thread, which a test is not: cases make them, in `suites/posix_shm`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

fn pages(count: usize) -> Region {
    let region = Region::reserve(count * page_size()).unwrap();
    region.protect(0, region.length(), ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).unwrap();
    region
}

fn refused(body: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(body)).is_err()
}

#[test]
fn is_split_between_pages_only() {
    assert!(refused(|| drop(pages(2).split(1))));
    assert!(refused(|| drop(pages(2).split(3 * page_size()))));
    let (front, back) = pages(2).split(page_size());
    back.write(0, b"back");
    drop(front);
    assert_eq!(back.read(0, 4), b"back");
}

#[test]
#[cfg(linux)]
fn what_others_have_mapped_into_a_hole_is_theirs() {
    let region = pages(3);
    region.unmap(page_size(), page_size()).unwrap();
    let null = std::fs::File::open("/dev/zero").unwrap();
    let (access, kind) = (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_PRIVATE);
    let other = region.map_with_hint(page_size(), null, page_size(), access, kind).unwrap();
    other.write(0, b"other");
    assert!(refused(|| region.write(page_size(), b"!")));
    assert!(refused(|| drop(region.read(page_size() - 1, 2))));
    assert!(refused(|| _ = region.unmap(0, 2 * page_size())));
    assert!(refused(|| _ = region.advise(0, 3 * page_size(), MmapAdvise::MADV_DONTNEED)));
    region.write(page_size() - 1, b"!");
    drop(region);
    assert_eq!(other.read(0, 5), b"other");
}

#[test]
fn what_a_region_was_owns_nothing() {
    let region = pages(1);
    let (there, (_reader, writer)) = (region.whereabouts(), std::io::pipe().unwrap());
    region.write(0, b"!");
    assert_eq!((there.write_out(0, 1, &writer), there.offset_of(&region)), (Ok(1), Some(0)));
    assert!(refused(|| _ = there.write_out(page_size(), 1, &writer)));
}
