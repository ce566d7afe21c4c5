//! `lseek` on memory files: negative offsets, and holes and data with `SEEK_DATA` and `SEEK_HOLE`.

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, fallocate, pages_of};
use nix::unistd::Whence;

use common::memory_file::{holding, sealable, size, sparse};

/// `lseek` with `SEEK_DATA` returns the first offset at or after the given one that lies in an allocated page, and with
/// `SEEK_HOLE` the first one that lies in a hole, or else the size of the file. If the given offset is negative or not less than
/// the size, or if no data follows (`SEEK_DATA`), `lseek` fails with `ENXIO`.
#[conformance::test(man = "lseek(2)")]
fn seek_data_and_seek_hole_find_each_page() -> Outcome {
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

/// `lseek` with `SEEK_DATA` or `SEEK_HOLE` on an empty memory file fails with `ENXIO`. The file offset stays 0.
#[conformance::test(man = "lseek(2)")]
fn seek_data_and_seek_hole_fail_on_an_empty_file() -> Outcome {
    let file = sealable()?;
    expect_eq!((lseek(&file, 0, Whence::SeekData), lseek(&file, 0, Whence::SeekHole)), (Err(ENXIO), Err(ENXIO)));
    expect_eq!((lseek(&file, 0, Whence::SeekCur), size(&file)), (Ok(0), Ok(0)));
    Ok(())
}

/// `lseek` with `SEEK_DATA` from offset 0 of a file whose pages were allocated with `fallocate` and never written returns 0 or
/// fails with `ENXIO`; both are accepted and recorded. After `pwrite` into a page, `lseek` with `SEEK_DATA` from the start of
/// this page returns its offset.
#[conformance::test(man = "lseek(2)", level = observed)]
fn seek_data_may_skip_unwritten_pages() -> Outcome {
    let page = page_size();
    let file = sealable()?;
    fallocate(&file, Allocate::empty(), 0, offset(3 * page))?;
    let first = lseek(&file, 0, Whence::SeekData);
    observe!("memfd.unwritten-allocated-pages-are-data", first.is_ok());
    expect_matches!(first, Ok(0) | Err(ENXIO));
    pwrite(&file, b"x", offset(page) + 1)?;
    expect_eq!(lseek(&file, offset(page), Whence::SeekData), Ok(offset(page)));
    expect_eq!(pages_of(&file), Ok(3));
    Ok(())
}

/// `lseek` with `SEEK_SET`, `SEEK_CUR` or `SEEK_END` fails with `EINVAL` if the resulting offset is negative, and leaves the file
/// offset as it was. `lseek` to an offset beyond the end returns this offset, and the next `read` returns 0.
#[conformance::test(posix = "lseek", man = "lseek(2)")]
fn rejects_negative_offsets() -> Outcome {
    let file = holding(b"0123456789")?;
    lseek(&file, 4, Whence::SeekSet)?;
    for (to, whence) in [(-1, Whence::SeekSet), (-5, Whence::SeekCur), (-11, Whence::SeekEnd), (i64::MIN, Whence::SeekSet)] {
        expect_eq!(lseek(&file, to, whence), Err(EINVAL));
    }
    expect_eq!(read_some(&file, 2), Ok(b"45".to_vec()));
    expect_eq!((lseek(&file, -10, Whence::SeekEnd), lseek(&file, 3, Whence::SeekCur)), (Ok(0), Ok(3)));
    expect_eq!((lseek(&file, 100, Whence::SeekEnd), read(&file, &mut [0; 5]), size(&file)), (Ok(110), Ok(0), Ok(10)));
    Ok(())
}
