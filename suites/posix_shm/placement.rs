//! `mmap` with an address (`MAP_FIXED`, `MAP_FIXED_NOREPLACE`, hints) and `munmap` of a part of a mapping: which pages are
//! replaced or removed, and that the neighbouring pages stay.

use conformance::prelude::*;
use conformance::sys::memory::region::{MapFlags, Region};
use conformance::sys::memory::shm::SharedMemory;

use super::fixture::{R, RW, SHARED, contents, page_of, pages};

/// `MAP_FIXED`.
const FIXED: MapFlags = MapFlags::MAP_FIXED;

/// An object of one page full of `byte`.
fn page_full_of(byte: u8) -> Result<SharedMemory, Errno> {
    let object = SharedMemory::create(&unique_name("placed"))?;
    object.set_size(page_size())?;
    object.map(page_size(), Access::ReadWrite)?.write(0, &page_of(byte));
    Ok(object)
}

/// `mmap` of another object with `MAP_FIXED` over the middle page of a mapping replaces this page only. The bytes of the first
/// object stay as they were, and stores into the middle page change the other object.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn map_fixed_replaces_only_its_range() -> Outcome {
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

/// After `munmap` of the middle two of four mapped pages, a store into the first or the last mapped page changes the byte of the
/// shared memory object that was mapped at this address before.
#[conformance::test(posix = "munmap", man = "munmap(2)")]
fn munmap_in_the_middle_keeps_both_sides() -> Outcome {
    let object = pages(5)?;
    let page = page_size();
    let region = Region::map(&object, 4 * page, RW, SHARED, offset(page))?;
    expect_eq!(region.unmap(page, 2 * page), Ok(()));
    region.write(page - 1, b"<");
    region.write(3 * page, b">");
    let mut expected = pattern(5 * page);
    (expected[2 * page - 1], expected[4 * page]) = (b'<', b'>');
    expect_eq!(contents(&object), Ok(expected));
    // Another page of the object can be mapped into the gap.
    expect_eq!(region.place(page, &object, page, RW, SHARED | FIXED, 0), Ok(()));
    expect_eq!((region.read(page, page), region.read(3 * page, 1)), (pattern(page), b">".to_vec()));
    Ok(())
}

/// `munmap` fails with `EINVAL` if the address is not a multiple of the page size or the length is 0, and all pages stay mapped.
/// `munmap` of a range that is not mapped returns 0.
#[conformance::test(posix = "munmap", man = "munmap(2)", level = documented)]
fn munmap_rejects_unaligned_address_and_length_zero() -> Outcome {
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

/// `mmap` without `MAP_FIXED`, with an address inside an existing mapping, returns an address outside of this mapping. The
/// existing mapping shows the same bytes as before.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn hint_address_replaces_nothing() -> Outcome {
    let (object, other) = (pages(2)?, page_full_of(b'o')?);
    let region = Region::map(&object, 2 * page_size(), RW, SHARED, 0)?;
    let elsewhere = region.map_with_hint(page_size(), &other, page_size(), R, SHARED);
    expect_matches!(elsewhere, Ok(_));
    let elsewhere = elsewhere?;
    expect_eq!((region.offset_of(&elsewhere), elsewhere.read(0, page_size())), (None, page_of(b'o')));
    expect_eq!(region.read(0, 2 * page_size()), pattern(2 * page_size()));
    Ok(())
}

/// `mmap` with `MAP_FIXED` fails with `EINVAL` if the address is not a multiple of the page size. The existing mapping at this
/// address shows the same bytes as before.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn map_fixed_rejects_unaligned_address() -> Outcome {
    let (object, other) = (pages(2)?, page_full_of(b'o')?);
    let region = Region::map(&object, 2 * page_size(), RW, SHARED, 0)?;
    expect_eq!(region.place(1, &other, page_size(), R, SHARED | FIXED, 0), Err(EINVAL));
    expect_eq!(region.read(0, 2 * page_size()), pattern(2 * page_size()));
    Ok(())
}

/// `mmap` with `MAP_FIXED`, `MAP_SHARED` and `PROT_WRITE` over the middle page of a mapping, on a descriptor opened with
/// `O_RDONLY`, fails with `EACCES`. Stores into the pages before and after the middle page still change the object that is mapped
/// there.
#[conformance::test(posix = "mmap")]
fn failed_map_fixed_keeps_the_neighbours() -> Outcome {
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

/// If `mmap` with `MAP_FIXED` places random pages of one shared memory object at four addresses, also one page at more than one
/// address, the mapping shows at each address the bytes of the page placed there. A store at one address is read at every address
/// where the same page is placed.
#[conformance::test(posix = "mmap")]
fn pages_can_be_mapped_in_any_order() -> Outcome {
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

/// `mmap` with `MAP_FIXED_NOREPLACE` fails with `EEXIST` if at least one page of the range is mapped. If no page of the range is
/// mapped, `mmap` returns exactly the given address.
#[cfg(linux)]
#[conformance::test(man = "mmap(2)")]
fn map_fixed_noreplace_requires_free_pages() -> Outcome {
    let (object, other) = (pages(3)?, page_full_of(b'o')?);
    let page = page_size();
    let region = Region::map(&object, 3 * page, RW, SHARED, 0)?;
    let no_replace = SHARED | MapFlags::MAP_FIXED_NOREPLACE;
    expect_eq!(region.place(page, &other, page, R, no_replace, 0), Err(EEXIST));
    region.unmap(page, page)?;
    expect_eq!(region.place(0, &other, 2 * page, R, no_replace, 0), Err(EEXIST));
    expect_eq!(region.place(page, &other, 2 * page, R, no_replace, 0), Err(EEXIST));
    expect_eq!(region.place(page, &other, page, R, no_replace, 0), Ok(()));
    let whole = pattern(3 * page);
    expect_eq!(region.read(0, 3 * page), [&whole[..page], &page_of(b'o'), &whole[2 * page..]].concat());
    Ok(())
}

/// `mmap` with `MAP_POPULATE`, shared or private, and a length beyond the end of the shared memory object returns a mapping. The
/// pages before the end show the bytes of the object, and `write` to a pipe from a page beyond the end fails with `EFAULT`.
#[cfg(linux)]
#[conformance::test(man = "mmap(2)")]
fn map_populate_succeeds_beyond_the_end() -> Outcome {
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
