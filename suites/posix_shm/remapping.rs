//! `mremap`: a mapping that changes its length or its place stays one of the same object.

use conformance::prelude::*;
use conformance::sys::memory::region::{MapFlags, Region};

use super::fixture::{PRIVATE, RW, SHARED, contents, offset, page_of, pages};

/// A region of so many pages of an object of four, from its second page on, with something mapped right behind it.
fn hemmed_in(object: impl AsFd, count: usize) -> Result<(Region, Region), Errno> {
    let page = page_size();
    let place = Region::map(object.as_fd(), (count + 1) * page, RW, SHARED, offset(page))?;
    // The last page becomes something else: no growth without moving.
    place.place(count * page, object, page, RW, PRIVATE | MapFlags::MAP_FIXED, 0)?;
    let (front, back) = place.split(count * page);
    Ok((front, back))
}

/// Grown, a mapping shows the further pages of the object, and its stores arrive at their places.
#[conformance::test(man = "mremap(2)")]
fn grows_over_the_object() -> Outcome {
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

/// Where something lies behind it a mapping cannot grow in its place, and stays as it is; it can where it may move.
#[conformance::test(man = "mremap(2)")]
fn grows_past_a_neighbour_by_moving() -> Outcome {
    let object = pages(4)?;
    let page = page_size();
    let (region, neighbour) = hemmed_in(&object, 1)?;
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

/// Made shorter it stays where it is, and what is cut off is unmapped.
#[conformance::test(man = "mremap(2)")]
fn shrinks_in_its_place() -> Outcome {
    let object = pages(3)?;
    let page = page_size();
    let (_reader, writer) = pipe()?;
    let child = Participant::spawn("process", (dup(&object)?, writer), |(object, writer), _| {
        let region = Region::map(&object, 3 * page, RW, SHARED, 0)?;
        let watch = region.whereabouts();
        let shrunk = region.resize(page, false).map_err(|(_, errno)| errno)?;
        let at = watch.offset_of(&shrunk);
        // At once: memory that is allocated may come to lie where nothing is mapped any more.
        let behind = watch.write_out(page, 1, &writer);
        Ok::<_, Errno>((at, shrunk.read(0, page) == pattern(page), behind, watch.write_out(0, 1, &writer)))
    })?;
    expect_eq!(child.join()?, Ok((Some(0), true, Err(EFAULT), Ok(1))));
    expect_eq!(contents(&object), Ok(pattern(3 * page)));
    Ok(())
}

/// Grown beyond the end of the object, the further pages are there to the extent that the object is.
#[conformance::test(man = "mremap(2)", man = "mmap(2)")]
fn grows_beyond_the_end() -> Outcome {
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

/// An old length of nothing makes a second mapping of the same pages of a shared mapping, and leaves the first.
#[conformance::test(man = "mremap(2)")]
fn of_nothing_maps_again() -> Outcome {
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

/// A private mapping is not mapped again that way.
#[conformance::test(man = "mremap(2)", fixed_in = "Linux 4.14 (dba58d3b8c50)")]
fn of_nothing_is_for_shared_mappings() -> Outcome {
    let object = pages(1)?;
    let region = Region::map(&object, page_size(), RW, PRIVATE, 0)?;
    expect_eq!((region.again(page_size()).map(drop), region.read(0, 9)), (Err(EINVAL), pattern(9)));
    Ok(())
}

/// The private copies of a mapping move with it.
#[conformance::test(man = "mremap(2)")]
fn takes_private_copies_along() -> Outcome {
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
