//! Holes in memory files, made by `fallocate` with `FALLOC_FL_PUNCH_HOLE` or `madvise` with `MADV_REMOVE`: which bytes become 0,
//! which pages are freed, and how holes are read and filled.

use std::io::IoSliceMut;

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate, pages_of};
use nix::unistd::Whence;
use rstest::rstest;

use common::memory_file::{content, holding, sealable, size, sparse};

/// `fallocate` with `FALLOC_FL_PUNCH_HOLE` on a random range sets exactly the bytes of the range to 0 and frees exactly the pages
/// that lie wholly inside the range. The size stays as it was, and an existing `MAP_SHARED` mapping shows the bytes of the file.
#[conformance::test(man = "fallocate(2)")]
fn punching_zeroes_exactly_the_range() -> Outcome {
    let page = page_size();
    let length = 3 * page + 7;
    property(&(0..length + page, 1..3 * page), |(at, count)| {
        let file = holding(&pattern(length))?;
        let mapping = Mapping::new(&file, length, Access::Read)?;
        expect_eq!(mapping.read(0, length), pattern(length));
        expect_eq!(fallocate(&file, PUNCH, offset(at), offset(count)), Ok(()));
        let mut expected = pattern(length);
        expected[at.min(length)..(at + count).min(length)].fill(0);
        let gone = (0..4).filter(|index| at <= index * page && (index + 1) * page <= at + count).count();
        expect_eq!((size(&file), pages_of(&file)), (Ok(length), Ok(4 - gone)));
        expect_eq!((content(&file), mapping.read(0, length)), (Ok(expected.clone()), expected));
        Ok(())
    })
}

/// After `fallocate` with `FALLOC_FL_PUNCH_HOLE` on a page, another process reads zeros from this page through its `MAP_SHARED`
/// mapping. A store by this process into the page allocates it again and changes the file.
#[conformance::test(man = "fallocate(2)", man = "mmap(2)")]
fn appear_in_mappings_of_other_processes() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(3 * page))?;
    let mapping = Mapping::new(&file, 3 * page, Access::ReadWrite)?;
    let other = Participant::spawn("owner of the mapping", (), |(), link| {
        // The page is in the page tables of this process.
        let before = mapping.read(page, 5);
        link.meet("punched");
        let after = mapping.read(page, page);
        mapping.write(page + 3, b"refilled");
        (before, after)
    })?;
    other.until_reached("punched")?;
    expect_eq!((fallocate(&file, PUNCH, offset(page), offset(page)), pages_of(&file)), (Ok(()), Ok(2)));
    other.open("punched")?;
    expect_eq!(other.join()?, (pattern(3 * page)[page..page + 5].to_vec(), vec![0; page]));
    let mut expected = pattern(3 * page);
    expected[page..2 * page].fill(0);
    expected[page + 3..page + 11].copy_from_slice(b"refilled");
    expect_eq!((content(&file), pages_of(&file)), (Ok(expected), Ok(3)));
    Ok(())
}

/// `fallocate` with `FALLOC_FL_PUNCH_HOLE` on pages that `FALLOC_FL_KEEP_SIZE` has allocated beyond the end of a memory file
/// returns 0 and frees these pages. Bytes and size stay as they were.
#[conformance::test(man = "fallocate(2)")]
fn punching_beyond_the_end_frees_pages() -> Outcome {
    let page = page_size();
    let file = holding(b"abc")?;
    fallocate(&file, Allocate::FALLOC_FL_KEEP_SIZE, 0, offset(4 * page))?;
    expect_eq!((fallocate(&file, PUNCH, offset(page), offset(2 * page)), pages_of(&file)), (Ok(()), Ok(2)));
    expect_eq!((fallocate(&file, PUNCH, offset(3 * page), i64::MAX - offset(3 * page)), pages_of(&file)), (Ok(()), Ok(1)));
    expect_eq!((content(&file), size(&file)), (Ok(b"abc".to_vec()), Ok(3)));
    Ok(())
}

/// `fallocate` with `FALLOC_FL_PUNCH_HOLE` on pages that are not allocated, or a second time on the same range, returns 0. Bytes,
/// size and `st_blocks` stay as they were.
#[conformance::test(man = "fallocate(2)")]
fn punching_a_hole_again_changes_nothing() -> Outcome {
    let page = page_size();
    let file = sparse(4, &[0, 3])?;
    for _ in 0..2 {
        expect_eq!(fallocate(&file, PUNCH, 10, offset(3 * page)), Ok(()));
        expect_eq!((pages_of(&file), size(&file)), (Ok(2), Ok(4 * page)));
    }
    let expected = [vec![0xda; 10], vec![0; 3 * page], vec![0xda; page - 10]].concat();
    expect_eq!(content(&file), Ok(expected));
    Ok(())
}

/// `madvise` with `MADV_REMOVE` on two pages of a `MAP_SHARED` mapping returns 0 and frees these pages of the file, and another
/// mapping reads 0 there. `madvise` with `MADV_DONTNEED` on a `MAP_SHARED` mapping returns 0 and leaves the bytes of the file and
/// `st_blocks` as they were.
#[conformance::test(man = "madvise(2)")]
fn madv_remove_punches_but_madv_dontneed_does_not() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(4 * page))?;
    let (mapping, other) = (Mapping::new(&file, 4 * page, Access::ReadWrite)?, Mapping::new(&file, 4 * page, Access::Read)?);
    mapping.write(0, b"changed");
    let mut expected = pattern(4 * page);
    expected[..7].copy_from_slice(b"changed");
    expect_eq!(other.read(0, 4 * page), expected);
    expect_eq!((mapping.forget(0, 4 * page), pages_of(&file)), (Ok(()), Ok(4)));
    expect_eq!((mapping.read(0, 4 * page), content(&file)), (expected.clone(), Ok(expected.clone())));
    expect_eq!((mapping.remove(page, 2 * page), pages_of(&file)), (Ok(()), Ok(2)));
    expected[page..3 * page].fill(0);
    expect_eq!((other.read(0, 4 * page), content(&file)), (expected.clone(), Ok(expected)));
    expect_eq!(size(&file), Ok(4 * page));
    Ok(())
}

/// `madvise` with `MADV_REMOVE` fails with `EACCES` on a `MAP_SHARED` mapping of a descriptor opened with `O_RDONLY`, with
/// `EACCES` or `EINVAL` on a `MAP_PRIVATE` mapping, and with `EINVAL` if the address is not a multiple of the page size. On a
/// shared anonymous mapping `madvise` returns 0 and the bytes become 0.
#[conformance::test(man = "madvise(2)")]
fn madv_remove_requires_a_writable_shared_mapping() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(page))?;
    let private = Mapping::copy_on_write(&file, page, Access::ReadWrite)?;
    let reading = Mapping::new(conformance::sys::path::open::reopen(&file, OFlag::O_RDONLY)?, page, Access::Read)?;
    let writing = Mapping::new(&file, page, Access::ReadWrite)?;
    let anonymous = Mapping::anonymous(page)?;
    anonymous.write(0, b"abc");
    expect_matches!(private.remove(0, page), Err(EACCES | EINVAL));
    expect_eq!((reading.remove(0, page), writing.remove(1, page - 1)), (Err(EACCES), Err(EINVAL)));
    expect_eq!((content(&file), pages_of(&file)), (Ok(pattern(page)), Ok(1)));
    // Shared anonymous memory is a memory file too.
    expect_eq!((anonymous.remove(0, page), anonymous.read(0, 3)), (Ok(()), vec![0; 3]));
    Ok(())
}

/// After `fallocate` with `FALLOC_FL_PUNCH_HOLE` over all pages of a file, a page of a `MAP_PRIVATE` mapping that was only loaded
/// from reads as 0. Whether a page that was stored into still shows the stored bytes is recorded; both are accepted.
#[conformance::test(man = "fallocate(2)", level = observed)]
fn punching_may_keep_private_copies() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(2 * page))?;
    let private = Mapping::copy_on_write(&file, 2 * page, Access::ReadWrite)?;
    private.write(0, b"own");
    expect_eq!(private.read(page, 3), pattern(page + 3)[page..].to_vec());
    fallocate(&file, PUNCH, 0, offset(2 * page))?;
    observe!("memfd.private-copy-survives-punched-hole", private.read(0, 3) == b"own");
    expect_eq!((private.read(page, 3), content(&file)), (vec![0; 3], Ok(vec![0; 2 * page])));
    Ok(())
}

/// A call that reads from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Read,
    Readv,
    Pread,
    Splice,
    Sendfile,
    CopyFileRange,
}

/// `read`, `readv`, `pread` and `copy_file_range`, and repeated `splice` or `sendfile` calls, that start in a hole of a memory
/// file and end in the next allocated page return zeros up to the end of the hole, and then the bytes of that page. `st_blocks`
/// of the file stays as it was.
#[rstest]
#[conformance::test(man = "read(2)", man = "lseek(2)")]
fn read_as_zeros(
    #[values(
        Operation::Read,
        Operation::Readv,
        Operation::Pread,
        Operation::Splice,
        Operation::Sendfile,
        Operation::CopyFileRange
    )]
    operation: Operation,
) -> Outcome {
    let page = page_size();
    let file = sparse(4, &[2])?;
    let (start, count) = (page - 3, page + 10);
    lseek(&file, offset(start), Whence::SeekSet)?;
    let mut bytes = vec![7; count];
    match operation {
        Operation::Read => expect_eq!(read(&file, &mut bytes), Ok(count)),
        Operation::Readv => {
            let (first, second) = bytes.split_at_mut(5);
            expect_eq!(readv(&file, &mut [IoSliceMut::new(first), IoSliceMut::new(second)]), Ok(count));
        }
        Operation::Pread => expect_eq!(pread(&file, &mut bytes, offset(start)), Ok(count)),
        Operation::Splice | Operation::Sendfile => {
            let (reader, writer) = pipe()?;
            bytes.clear();
            while bytes.len() < count {
                let left = count - bytes.len();
                let piece = if operation == Operation::Splice {
                    splice(&file, &writer, left, SpliceFlags::empty())
                } else {
                    sendfile(&writer, &file, None, left)
                };
                expect_matches!(piece, Ok(1..));
                bytes.extend(read_exactly(&reader, piece?)?);
            }
        }
        Operation::CopyFileRange => {
            let target = sealable()?;
            expect_eq!(copy_file_range(&file, &target, count), Ok(count));
            bytes = content(&target)?;
        }
    }
    expect_eq!(bytes, [vec![0; page + 3], vec![0xda; 7]].concat());
    let position = if operation == Operation::Pread { start } else { start + count };
    expect_eq!((lseek(&file, 0, Whence::SeekCur), pages_of(&file)), (Ok(offset(position)), Ok(1)));
    Ok(())
}

/// A store into a hole through a `MAP_SHARED` mapping changes the bytes of the file and allocates exactly the pages of the stored
/// bytes. All other bytes of the hole read as 0.
#[conformance::test(posix = "mmap", man = "mmap(2)", level = documented)]
fn are_filled_by_mapped_stores() -> Outcome {
    let page = page_size();
    let file = sparse(5, &[])?;
    let mapping = Mapping::new(&file, 5 * page, Access::ReadWrite)?;
    mapping.write(3 * page - 1, b"ab");
    expect_eq!(pages_of(&file), Ok(2));
    let mut expected = vec![0; 5 * page];
    expected[3 * page - 1..=3 * page].copy_from_slice(b"ab");
    expect_eq!((content(&file), pages_of(&file)), (Ok(expected.clone()), Ok(2)));
    expect_eq!(mapping.read(0, 5 * page), expected);
    observe!("memfd.pages-after-loads-from-holes", pages_of(&file)?);
    Ok(())
}

/// If a process that calls `fallocate` with `FALLOC_FL_PUNCH_HOLE` on pages 2 and 3 of a file of four pages, `pwrite` of a page
/// to page 2, and `fallocate` with `FALLOC_FL_PUNCH_HOLE` on page 1, is killed at the entry or the exit of each of its system
/// calls, the bytes of the file are those after the first 0, 1, 2 or 3 of these calls; each is accepted, and only 3 if the
/// process is not killed. `fstat` then returns in `st_blocks` the size of 4, 2, 3 or 2 pages in units of 512 bytes.
#[conformance::test(man = "fallocate(2)", deadline = 30)]
fn killed_puncher_leaves_whole_pages() -> Outcome {
    let page = page_size();
    sweep(|run| {
        let file = holding(&pattern(4 * page))?;
        let victim = run.victim("puncher", dup(&file)?, move |file, _| {
            let first = fallocate(&file, PUNCH, offset(page), offset(2 * page));
            let second = pwrite(&file, &pattern(page), offset(page));
            (first, second, fallocate(&file, PUNCH, 0, offset(page)))
        })?;
        let bytes = content(&file)?;
        let original = pattern(4 * page);
        let (zeros, moved) = (vec![0; page], pattern(page));
        let states: [[&[u8]; 3]; 4] = [
            [&original[..page], &original[page..2 * page], &original[2 * page..3 * page]],
            [&original[..page], &zeros, &zeros],
            [&original[..page], &moved, &zeros],
            [&zeros, &moved, &zeros],
        ];
        let state = states.iter().position(|state| bytes == [&state.concat()[..], &original[3 * page..]].concat());
        let Some(state) = state else {
            return Err(Failure::new(
                conformance::outcome::CaseResult::Fail,
                conformance::outcome::Cause::Expectation,
                "the file is in no state between two calls",
            ));
        };
        expect_eq!(pages_of(&file), Ok([4, 2, 3, 2][state]));
        if victim.value.is_some() {
            expect_eq!((victim.value, state), (Some((Ok(()), Ok(page), Ok(()))), 3));
        }
        Ok(())
    })
}

/// `madvise` with `MADV_REMOVE` on the second page of a mapping whose `mmap` offset is two pages sets all bytes of the fourth
/// page of the file to 0. All other bytes stay as they were.
#[conformance::test(man = "madvise(2)")]
fn madv_remove_follows_the_mapping_offset() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(5 * page))?;
    let mapping = Mapping::from_offset(&file, 2 * page, 3 * page, Access::ReadWrite)?;
    expect_eq!((mapping.read(0, 3 * page), mapping.remove(page, page)), (pattern(5 * page)[2 * page..].to_vec(), Ok(())));
    let mut expected = pattern(5 * page);
    expected[3 * page..4 * page].fill(0);
    expect_eq!((content(&file), pages_of(&file)), (Ok(expected.clone()), Ok(4)));
    fallocate(&file, PUNCH, offset(2 * page), 10)?;
    expected[2 * page..2 * page + 10].fill(0);
    expect_eq!(mapping.read(0, 3 * page), expected[2 * page..].to_vec());
    Ok(())
}

/// While another process stores a byte into each of eight pages again and again through a mapping, each of 100 `fallocate` calls
/// with `FALLOC_FL_PUNCH_HOLE` on these pages returns 0. Afterwards the first byte of each page is the stored byte or 0, and all
/// others are 0.
#[conformance::test(man = "fallocate(2)", fixed_in = "Linux 3.16 (8e205f779d14)")]
fn punching_ends_under_concurrent_stores() -> Outcome {
    let page = page_size();
    let file = sparse(8, &[])?;
    let mapping = Mapping::new(&file, 8 * page, Access::ReadWrite)?;
    let writer = Participant::spawn("writer", (), |(), link| -> () {
        mapping.write(0, b"x");
        link.reached("storing");
        loop {
            (0..8).for_each(|index| mapping.write(index * page, b"x"));
            // Not a wait: the stores continue at full speed, and the other process gets its turn on one processor.
            std::thread::yield_now();
        }
    })?;
    writer.until_reached("storing")?;
    for _ in 0..100 {
        expect_eq!(fallocate(&file, PUNCH, 0, offset(8 * page)), Ok(()));
    }
    writer.kill()?;
    let bytes = content(&file)?;
    for (index, bytes) in bytes.chunks(page).enumerate() {
        expect_matches!(bytes[0], 0 | b'x');
        expect_eq!(bytes[1..].to_vec(), vec![0; page - 1], "page {index}");
    }
    expect_eq!((fallocate(&file, PUNCH, 0, offset(8 * page)), pages_of(&file)), (Ok(()), Ok(0)));
    Ok(())
}

/// After `ftruncate` of a file from two pages to one and back to two, the second page of the file reads as 0, and the first page
/// of a `MAP_PRIVATE` mapping still shows the bytes stored into it. Whether the second page still shows the bytes stored into it
/// is recorded; both are accepted.
#[conformance::test(man = "mmap(2)", posix = "ftruncate", level = observed)]
fn truncation_may_remove_private_copies() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(2 * page))?;
    let private = Mapping::copy_on_write(&file, 2 * page, Access::ReadWrite)?;
    private.write(0, b"first");
    private.write(page, b"second");
    ftruncate(&file, offset(page))?;
    ftruncate(&file, offset(2 * page))?;
    observe!("memfd.private-copy-survives-truncation", private.read(page, 6) == b"second");
    expect_eq!((private.read(0, 5), content(&file)?[page..].to_vec()), (b"first".to_vec(), vec![0; page]));
    Ok(())
}
