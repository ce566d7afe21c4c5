//! `mremap` on mappings of shared memory objects: a longer, shorter or moved mapping still shows the same object.

use conformance::prelude::*;
use conformance::sys::memory::region::{MapFlags, Region};

use super::fixture::{PRIVATE, RW, SHARED, contents, page_of, pages};

/// A region of `count` pages of an object of four pages, from the second page on, and another mapping directly after it.
fn followed_by_a_mapping(object: impl AsFd, count: usize) -> Result<(Region, Region), Errno> {
    let page = page_size();
    let place = Region::map(object.as_fd(), (count + 1) * page, RW, SHARED, offset(page))?;
    // The last page becomes another mapping, so that the first cannot grow in place.
    place.place(count * page, object, page, RW, PRIVATE | MapFlags::MAP_FIXED, 0)?;
    let (front, back) = place.split(count * page);
    Ok((front, back))
}

/// `mremap` with `MREMAP_MAYMOVE` to a greater length returns a mapping that shows the next pages of the shared memory object
/// after the first ones. A store into these pages changes the object.
#[conformance::test(man = "mremap(2)")]
fn growing_maps_the_following_pages() -> Outcome {
    let object = pages(4)?;
    let page = page_size();
    let region = Region::map(&object, page, RW, SHARED, offset(page))?;
    let grown = region.resize(3 * page, true);
    expect_matches!(grown, Ok(_));
    let Ok(grown) = grown else { return Ok(()) };
    expect_eq!(grown.read(0, 3 * page), pattern(4 * page)[page..].to_vec());
    grown.write(3 * page - 4, b"last");
    expect_eq!(contents(&object)?[4 * page - 4..].to_vec(), b"last".to_vec());
    Ok(())
}

/// If the address range directly after a mapping is mapped, `mremap` to a greater length without `MREMAP_MAYMOVE` fails with
/// `ENOMEM`, and the bytes of the mapping stay as they were. With `MREMAP_MAYMOVE`, `mremap` returns a mapping of the new length,
/// and the bytes of the neighbouring mapping stay as they were.
#[conformance::test(man = "mremap(2)")]
fn grows_by_moving_only_with_maymove() -> Outcome {
    let object = pages(4)?;
    let page = page_size();
    let (region, neighbour) = followed_by_a_mapping(&object, 1)?;
    let (region, errno) = match region.resize(2 * page, false) {
        Err(refused) => refused,
        Ok(grown) => {
            expect_eq!(grown.length(), page);
            return Ok(());
        }
    };
    expect_eq!((errno, region.read(0, page)), (ENOMEM, pattern(2 * page)[page..].to_vec()));
    let moved = region.resize(2 * page, true);
    expect_matches!(moved, Ok(_));
    let Ok(moved) = moved else { return Ok(()) };
    expect_eq!(moved.read(0, 2 * page), pattern(3 * page)[page..].to_vec());
    expect_eq!(neighbour.read(0, page), pattern(page));
    Ok(())
}

/// `mremap` to a smaller length returns the same address and unmaps the pages beyond the new length. `write` to a pipe from such
/// a page fails with `EFAULT`.
#[conformance::test(man = "mremap(2)")]
fn shrinking_keeps_the_address() -> Outcome {
    let object = pages(3)?;
    let page = page_size();
    let (_reader, writer) = pipe()?;
    let child = Participant::spawn("owner of the mapping", (dup(&object)?, writer), |(object, writer), _| {
        let region = Region::map(&object, 3 * page, RW, SHARED, 0)?;
        let watch = region.whereabouts();
        let shrunk = region.resize(page, false).map_err(|(_, errno)| errno)?;
        let at = watch.offset_of(&shrunk);
        // Directly after `mremap`: later allocations may be placed into the unmapped range.
        let beyond = watch.write_out(page, 1, &writer);
        Ok::<_, Errno>((at, shrunk.read(0, page) == pattern(page), beyond, watch.write_out(0, 1, &writer)))
    })?;
    expect_eq!(child.join()?, Ok((Some(0), true, Err(EFAULT), Ok(1))));
    expect_eq!(contents(&object), Ok(pattern(3 * page)));
    Ok(())
}

/// `mremap` with `MREMAP_MAYMOVE` to a length beyond the end of the shared memory object returns a mapping, and `write` to a pipe
/// from a mapped page beyond the end fails with `EFAULT`. After `ftruncate` enlarges the object by this page, the page reads as
/// zeros.
#[conformance::test(man = "mremap(2)", man = "mmap(2)")]
fn growing_beyond_the_object_maps_missing_pages() -> Outcome {
    let object = pages(1)?;
    let page = page_size();
    let (_reader, writer) = pipe()?;
    let grown = Region::map(&object, page, RW, SHARED, 0)?.resize(2 * page, true);
    expect_matches!(grown, Ok(_));
    let Ok(grown) = grown else { return Ok(()) };
    expect_eq!((grown.read(0, page), grown.write_out(page, 1, &writer)), (pattern(page), Err(EFAULT)));
    object.set_size(2 * page)?;
    expect_eq!(grown.read(page, page), page_of(0));
    Ok(())
}

/// `mremap` with `MREMAP_MAYMOVE` and an old length of 0 on a shared mapping returns a second mapping of the same pages and
/// leaves the first mapping in place. A store through each mapping is read through the other one.
#[conformance::test(man = "mremap(2)")]
fn old_length_zero_duplicates_a_shared_mapping() -> Outcome {
    let object = pages(2)?;
    let page = page_size();
    let region = Region::map(&object, page, RW, SHARED, offset(page))?;
    let again = region.again(page);
    expect_matches!(again, Ok(_));
    let again = again?;
    again.write(0, b"again");
    region.write(8, b"first");
    expect_eq!((region.read(0, 5), again.read(8, 5)), (b"again".to_vec(), b"first".to_vec()));
    expect_eq!(contents(&object)?[page..page + 5].to_vec(), b"again".to_vec());
    Ok(())
}

/// `mremap` with `MREMAP_MAYMOVE` and an old length of 0 on a private mapping fails with `EINVAL`. The bytes of the mapping stay
/// as they were.
#[conformance::test(man = "mremap(2)", fixed_in = "Linux 4.14 (dba58d3b8c50)")]
fn old_length_zero_rejects_private_mappings() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, PRIVATE, 0)?;
    expect_eq!((region.again(page_size()).map(drop), region.read(0, 9)), (Err(EINVAL), pattern(9)));
    Ok(())
}

/// After `mremap` with `MREMAP_MAYMOVE` to a greater length on a `MAP_PRIVATE` mapping, the returned mapping shows the bytes that
/// were stored through the old mapping. The bytes of the shared memory object stay as they were.
#[conformance::test(man = "mremap(2)")]
fn moving_keeps_private_copies() -> Outcome {
    let object = pages(2)?;
    let page = page_size();
    let region = Region::map(&object, page, RW, PRIVATE, 0)?;
    region.write(3, b"mine");
    let moved = region.resize(64 * page, true);
    expect_matches!(moved, Ok(_));
    let Ok(moved) = moved else { return Ok(()) };
    expect_eq!(moved.read(0, page), [&pattern(3)[..], b"mine", &pattern(page)[7..]].concat());
    expect_eq!(contents(&object), Ok(pattern(2 * page)));
    Ok(())
}
