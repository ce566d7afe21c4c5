//! Finding out where a file has memory (`SEEK_DATA`, `SEEK_HOLE`).

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, fallocate, pages_of};
use nix::unistd::Whence;

use common::memory_file::{offset, sealable, size, sparse};

/// `SEEK_DATA` and `SEEK_HOLE` tell page for page what is there, from whichever offset, with a hole at the end of every file; each
/// moves the position to what it finds, and nowhere where there is nothing.
#[conformance::test(man = "lseek(2)")]
fn finds_holes_and_data_to_the_byte() -> Outcome {
    let page = page_size();
    property(&(0_u8..64, 1..6 * page + 1, -1_i64..2), |(present, length, near)| {
        let pages = length.div_ceil(page);
        let has_data = |index: usize| present >> index & 1 == 1;
        let present: Vec<_> = (0..pages).filter(|&index| has_data(index)).collect();
        let file = sparse(pages, &present)?;
        ftruncate(&file, offset(length))?;
        for at in (0..=pages).map(|index| offset(index * page) + near).chain([0, offset(length) - 1, offset(length)]) {
            let from = usize::try_from(at.max(0)).unwrap_or(0);
            let find =
                |data: bool| (from..length).find(|&byte| (byte == from || byte % page == 0) && has_data(byte / page) == data);
            let inside = at >= 0 && from < length;
            let data = if inside { find(true).map(offset).ok_or(ENXIO) } else { Err(ENXIO) };
            let hole = if inside { Ok(offset(find(false).unwrap_or(length))) } else { Err(ENXIO) };
            lseek(&file, 1, Whence::SeekSet)?;
            expect_eq!(lseek(&file, at, Whence::SeekData), data, "data from {at}");
            expect_eq!(lseek(&file, 0, Whence::SeekCur), Ok(data.unwrap_or(1)));
            lseek(&file, 1, Whence::SeekSet)?;
            expect_eq!(lseek(&file, at, Whence::SeekHole), hole, "hole from {at}");
            expect_eq!(lseek(&file, 0, Whence::SeekCur), Ok(hole.unwrap_or(1)));
        }
        expect_eq!(pages_of(&file), Ok(present.len()));
        Ok(())
    })
}

/// An empty file has neither data nor a hole.
#[conformance::test(man = "lseek(2)")]
fn finds_nothing_in_an_empty_file() -> Outcome {
    let file = sealable()?;
    expect_eq!((lseek(&file, 0, Whence::SeekData), lseek(&file, 0, Whence::SeekHole)), (Err(ENXIO), Err(ENXIO)));
    expect_eq!((lseek(&file, 0, Whence::SeekCur), size(&file)), (Ok(0), Ok(0)));
    Ok(())
}

/// Whether pages that were allocated and never written count as data is the system's choice; data they are once written.
#[conformance::test(man = "lseek(2)", level = observed)]
fn may_pass_over_allocated_pages() -> Outcome {
    let page = page_size();
    let file = sealable()?;
    fallocate(&file, Allocate::empty(), 0, offset(3 * page))?;
    let first = lseek(&file, 0, Whence::SeekData);
    observe!("posix_shm.allocated-pages-are-data", first.is_ok());
    expect_matches!(first, Ok(0) | Err(ENXIO));
    pwrite(&file, b"x", offset(page) + 1)?;
    expect_eq!(lseek(&file, offset(page), Whence::SeekData), Ok(offset(page)));
    expect_eq!(pages_of(&file), Ok(3));
    Ok(())
}
