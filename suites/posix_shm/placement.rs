//! Placement: mappings put onto parts of others, and parts taken out. What lies beside is as it was.

use conformance::prelude::*;
use conformance::sys::memory::region::{MapFlags, Region};
use conformance::sys::memory::shm::SharedMemory;

use super::fixture::{R, RW, SHARED, contents, offset, page_of, pages};

/// `MAP_FIXED`.
const FIXED: MapFlags = MapFlags::MAP_FIXED;

/// An object of one page full of `byte`.
fn page_full_of(byte: u8) -> Result<SharedMemory, Errno> {
    let object = SharedMemory::create(&unique_name("placed"))?;
    object.set_size(page_size())?;
    object.map(page_size(), Access::ReadWrite)?.write(0, &page_of(byte));
    Ok(object)
}

/// A fixed mapping replaces the pages that it covers and no other; the object that was there is not changed by it, nor by what is
/// stored in the new place.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn replaces_what_it_covers() -> Outcome {
    let (object, other) = (pages(3)?, page_full_of(b'o')?);
    let page = page_size();
    let region = Region::map(&object, 3 * page, RW, SHARED, 0)?;
    expect_eq!(region.place(page, &other, page, RW, SHARED | FIXED, 0), Ok(()));
    let whole = pattern(3 * page);
    expect_eq!(region.read(0, 3 * page), [&whole[..page], &page_of(b'o'), &whole[2 * page..]].concat());
    region.write(page - 1, b"<((");
    region.write(2 * page - 1, b")>>");
    let mut expected = whole;
    expected[page - 1] = b'<';
    expected[2 * page..2 * page + 2].copy_from_slice(b">>");
    expect_eq!(contents(&object), Ok(expected));
    expect_eq!(contents(&other), Ok([b"((", &page_of(b'o')[3..], b")"].concat()));
    Ok(())
}

/// The parts that are left of a mapping still belong to the places of the object that they belonged to.
#[conformance::test(posix = "munmap", man = "munmap(2)")]
fn in_a_hole_leaves_both_sides() -> Outcome {
    let object = pages(5)?;
    let page = page_size();
    let region = Region::map(&object, 4 * page, RW, SHARED, offset(page))?;
    expect_eq!(region.unmap(page, 2 * page), Ok(()));
    region.write(page - 1, b"<");
    region.write(3 * page, b">");
    let mut expected = pattern(5 * page);
    (expected[2 * page - 1], expected[4 * page]) = (b'<', b'>');
    expect_eq!(contents(&object), Ok(expected));
    // And the hole takes a page of the object again, another one than before.
    expect_eq!(region.place(page, &object, page, RW, SHARED | FIXED, 0), Ok(()));
    expect_eq!((region.read(page, page), region.read(3 * page, 1)), (pattern(page), b">".to_vec()));
    Ok(())
}

/// To take out what is not there is no mistake; to take out from within a page is one, and takes nothing.
#[conformance::test(posix = "munmap", man = "munmap(2)")]
fn is_given_up_by_whole_pages() -> Outcome {
    let object = pages(3)?;
    let page = page_size();
    let region = Region::map(&object, 3 * page, RW, SHARED, 0)?;
    expect_eq!((region.unmap(1, page), region.unmap(page, 0)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!(region.read(0, 3 * page), pattern(3 * page));
    expect_eq!((region.unmap(page, page), region.unmap(page, page)), (Ok(()), Ok(())));
    expect_eq!(
        (region.read(page - 1, 1), region.read(2 * page, 1)),
        (pattern(page)[page - 1..].to_vec(), pattern(2 * page + 1)[2 * page..].to_vec(),)
    );
    Ok(())
}

/// An address without `MAP_FIXED` is a hint: where something is mapped, the new mapping goes elsewhere and that stays.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn by_a_hint_replaces_nothing() -> Outcome {
    let (object, other) = (pages(2)?, page_full_of(b'o')?);
    let region = Region::map(&object, 2 * page_size(), RW, SHARED, 0)?;
    let elsewhere = region.map_with_hint(page_size(), &other, page_size(), R, SHARED);
    expect_matches!(elsewhere, Ok(_));
    let elsewhere = elsewhere?;
    expect_eq!((region.offset_of(&elsewhere), elsewhere.read(0, page_size())), (None, page_of(b'o')));
    expect_eq!(region.read(0, 2 * page_size()), pattern(2 * page_size()));
    Ok(())
}

/// A fixed address within a page is refused, and what was there stays.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn within_a_page_is_refused() -> Outcome {
    let (object, other) = (pages(2)?, page_full_of(b'o')?);
    let region = Region::map(&object, 2 * page_size(), RW, SHARED, 0)?;
    expect_eq!(region.place(1, &other, page_size(), R, SHARED | FIXED, 0), Err(EINVAL));
    expect_eq!(region.read(0, 2 * page_size()), pattern(2 * page_size()));
    Ok(())
}

/// A fixed mapping that the descriptor does not allow fails; whether what it was to replace is still there is not promised, but
/// what lies beside is.
#[conformance::test(posix = "mmap")]
fn that_fails_leaves_the_neighbours() -> Outcome {
    let object = pages(3)?;
    let page = page_size();
    let reader = conformance::sys::memory::shm::shm_open(object.name(), OFlag::O_RDONLY, 0)?;
    let region = Region::map(&object, 3 * page, RW, SHARED, 0)?;
    expect_eq!(region.place(page, &reader, page, RW, SHARED | FIXED, 0), Err(EACCES));
    region.write(0, b"<");
    region.write(3 * page - 1, b">");
    let bytes = contents(&object)?;
    expect_eq!((bytes[0], bytes[3 * page - 1], bytes[page..2 * page].to_vec()), (b'<', b'>', pattern(2 * page)[page..].to_vec()));
    Ok(())
}

/// Pages of one object can be put in any order, the same page twice too; each place shows its page.
#[conformance::test(posix = "mmap")]
fn can_be_in_any_order() -> Outcome {
    let page = page_size();
    property(&proptest::collection::vec(0..4_usize, 4), |order| {
        let object = pages(4)?;
        let region = Region::reserve(4 * page)?;
        for (place, &number) in order.iter().enumerate() {
            expect_eq!(region.place(place * page, &object, page, RW, SHARED | FIXED, offset(number * page)), Ok(()));
        }
        for (place, byte) in (b'a'..).zip(0..4).map(|(byte, place)| (place, byte)) {
            region.write(place * page + 9, &[byte]);
        }
        let mut expected = pattern(4 * page);
        for (byte, &number) in (b'a'..).zip(&order) {
            expected[number * page + 9] = byte;
        }
        expect_eq!(contents(&object), Ok(expected.clone()));
        let seen: Vec<u8> = order.iter().flat_map(|&number| expected[number * page..][..page].to_vec()).collect();
        expect_eq!(region.read(0, 4 * page), seen);
        Ok(())
    })
}

/// A mapping that must not replace anything is refused with `EEXIST` where it would cover a single page, and goes exactly where it
/// was to where nothing is.
#[cfg(linux)]
#[conformance::test(man = "mmap(2)")]
fn without_replacing_needs_a_free_place() -> Outcome {
    let (object, other) = (pages(3)?, page_full_of(b'o')?);
    let page = page_size();
    let region = Region::map(&object, 3 * page, RW, SHARED, 0)?;
    let carefully = SHARED | MapFlags::MAP_FIXED_NOREPLACE;
    expect_eq!(region.place(page, &other, page, R, carefully, 0), Err(EEXIST));
    region.unmap(page, page)?;
    expect_eq!(region.place(0, &other, 2 * page, R, carefully, 0), Err(EEXIST));
    expect_eq!(region.place(page, &other, 2 * page, R, carefully, 0), Err(EEXIST));
    expect_eq!(region.place(page, &other, page, R, carefully, 0), Ok(()));
    let whole = pattern(3 * page);
    expect_eq!(region.read(0, 3 * page), [&whole[..page], &page_of(b'o'), &whole[2 * page..]].concat());
    Ok(())
}

/// Pages that are asked for at once are those of the object; that some lie beyond its end is no reason to fail, not before they are
/// used.
#[cfg(linux)]
#[conformance::test(man = "mmap(2)")]
fn at_once_shows_the_object() -> Outcome {
    let object = pages(2)?;
    for kind in [SHARED, super::fixture::PRIVATE] {
        let region = Region::map(&object, 4 * page_size(), RW, kind | MapFlags::MAP_POPULATE, 0);
        expect_matches!(region, Ok(_));
        let region = region?;
        let (_reader, writer) = pipe()?;
        expect_eq!(region.read(0, 2 * page_size()), pattern(2 * page_size()));
        expect_eq!(region.write_out(2 * page_size(), 1, &writer), Err(EFAULT));
    }
    Ok(())
}
