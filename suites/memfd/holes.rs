//! Holes: ranges of a file that hold zeros and no memory, how they are made, found, read and filled.

use std::io::IoSliceMut;

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate, pages_of};
use nix::unistd::Whence;
use rstest::rstest;

use common::memory_file::{content, holding, offset, sealable, size, sparse};

/// Punching makes exactly the bytes of the range zero and gives back the pages that lie wholly inside it; the size stays, and
/// those who have the file mapped see the same.
#[conformance::test(man = "fallocate(2)")]
fn are_zero_from_the_first_to_the_last_byte() -> Outcome {
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

/// A hole is punched in every process's memory at once, and can be filled through any mapping.
#[conformance::test(man = "fallocate(2)", man = "mmap(2)")]
fn show_in_other_processes() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(3 * page))?;
    let mapping = Mapping::new(&file, 3 * page, Access::ReadWrite)?;
    let other = Participant::spawn("other", (), |(), link| {
        // Present in this process's page tables.
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

/// A hole behind the end changes no byte and no size, and takes the pages away that were allocated there.
#[conformance::test(man = "fallocate(2)")]
fn can_be_punched_behind_the_end() -> Outcome {
    let page = page_size();
    let file = holding(b"abc")?;
    fallocate(&file, Allocate::FALLOC_FL_KEEP_SIZE, 0, offset(4 * page))?;
    expect_eq!((fallocate(&file, PUNCH, offset(page), offset(2 * page)), pages_of(&file)), (Ok(()), Ok(2)));
    expect_eq!((fallocate(&file, PUNCH, offset(3 * page), i64::MAX - offset(3 * page)), pages_of(&file)), (Ok(()), Ok(1)));
    expect_eq!((content(&file), size(&file)), (Ok(b"abc".to_vec()), Ok(3)));
    Ok(())
}

/// Punching where there is no memory, or twice, changes nothing.
#[conformance::test(man = "fallocate(2)")]
fn can_be_punched_again() -> Outcome {
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

/// `MADV_REMOVE` on a mapping is a hole in the file, for everybody; `MADV_DONTNEED` on a shared mapping is nothing that anybody sees.
#[conformance::test(man = "madvise(2)")]
fn are_made_by_removing_and_not_by_forgetting() -> Outcome {
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

/// Removing needs a shared mapping that may be written, and whole pages.
#[conformance::test(man = "madvise(2)")]
fn are_not_made_through_every_mapping() -> Outcome {
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
    // Shared anonymous memory is a file in memory too.
    expect_eq!((anonymous.remove(0, page), anonymous.read(0, 3)), (Ok(()), vec![0; 3]));
    Ok(())
}

/// What a private mapping has of its own it keeps when the file gets a hole there; its other pages are the file's.
#[conformance::test(man = "fallocate(2)", level = observed)]
fn leave_private_copies() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(2 * page))?;
    let private = Mapping::copy_on_write(&file, 2 * page, Access::ReadWrite)?;
    private.write(0, b"own");
    expect_eq!(private.read(page, 3), pattern(page + 3)[page..].to_vec());
    fallocate(&file, PUNCH, 0, offset(2 * page))?;
    observe!("posix_shm.private-copy-of-a-hole", private.read(0, 3) == b"own");
    expect_eq!((private.read(page, 3), content(&file)), (vec![0; 3], Ok(vec![0; 2 * page])));
    Ok(())
}

/// How bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Read,
    ReadVector,
    PositionedRead,
    Splice,
    SendFile,
    CopyRange,
}

/// Holes read as zeros, in whichever way, together with the data around them; reading takes no memory.
#[rstest]
#[conformance::test(posix = "read", man = "lseek(2)")]
fn read_as_zeros(
    #[values(Way::Read, Way::ReadVector, Way::PositionedRead, Way::Splice, Way::SendFile, Way::CopyRange)] way: Way,
) -> Outcome {
    let page = page_size();
    let file = sparse(4, &[2])?;
    let (start, count) = (page - 3, page + 10);
    lseek(&file, offset(start), Whence::SeekSet)?;
    let mut bytes = vec![7; count];
    match way {
        Way::Read => expect_eq!(read(&file, &mut bytes), Ok(count)),
        Way::ReadVector => {
            let (first, second) = bytes.split_at_mut(5);
            expect_eq!(readv(&file, &mut [IoSliceMut::new(first), IoSliceMut::new(second)]), Ok(count));
        }
        Way::PositionedRead => expect_eq!(pread(&file, &mut bytes, offset(start)), Ok(count)),
        Way::Splice | Way::SendFile => {
            let (reader, writer) = pipe()?;
            bytes.clear();
            while bytes.len() < count {
                let left = count - bytes.len();
                let piece = if way == Way::Splice {
                    splice(&file, &writer, left, SpliceFlags::empty())
                } else {
                    sendfile(&writer, &file, None, left)
                };
                expect_matches!(piece, Ok(1..));
                bytes.extend(read_exactly(&reader, piece?)?);
            }
        }
        Way::CopyRange => {
            let target = sealable()?;
            expect_eq!(copy_file_range(&file, &target, count), Ok(count));
            bytes = content(&target)?;
        }
    }
    expect_eq!(bytes, [vec![0; page + 3], vec![0xda; 7]].concat());
    let position = if way == Way::PositionedRead { start } else { start + count };
    expect_eq!((lseek(&file, 0, Whence::SeekCur), pages_of(&file)), (Ok(offset(position)), Ok(1)));
    Ok(())
}

/// Touching a hole through a mapping shows zeros; what is written there is the file's, and takes one page.
#[conformance::test(posix = "mmap", man = "mmap(2)")]
fn are_filled_by_touching() -> Outcome {
    let page = page_size();
    let file = sparse(5, &[])?;
    let mapping = Mapping::new(&file, 5 * page, Access::ReadWrite)?;
    mapping.write(3 * page - 1, b"ab");
    expect_eq!(pages_of(&file), Ok(2));
    let mut expected = vec![0; 5 * page];
    expected[3 * page - 1..=3 * page].copy_from_slice(b"ab");
    expect_eq!((content(&file), pages_of(&file)), (Ok(expected.clone()), Ok(2)));
    expect_eq!(mapping.read(0, 5 * page), expected);
    observe!("posix_shm.pages-after-reading-holes-of-a-mapping", pages_of(&file)?);
    Ok(())
}

/// A process that punches and fills, killed anywhere, leaves each page either whole or zero, and memory for what is there only.
#[conformance::test(man = "fallocate(2)", deadline = 30)]
fn are_whole_after_a_kill() -> Outcome {
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

/// A mapping that begins somewhere inside the file removes the pages that it shows, and not those at the same place in the file.
#[conformance::test(man = "madvise(2)")]
fn are_made_where_the_mapping_shows_the_file() -> Outcome {
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

/// Punching ends even while others touch the same pages all the time, and the pages end up with what was written last, or zeros.
#[conformance::test(man = "fallocate(2)", fixed_in = "Linux 3.16 (8e205f779d14)")]
fn are_punched_while_others_touch_them() -> Outcome {
    let page = page_size();
    let file = sparse(8, &[])?;
    let mapping = Mapping::new(&file, 8 * page, Access::ReadWrite)?;
    let toucher = Participant::spawn("toucher", (), |(), link| -> () {
        mapping.write(0, b"x");
        link.reached("touching");
        loop {
            (0..8).for_each(|index| mapping.write(index * page, b"x"));
            // On one processor the other side has to get its turn.
            std::thread::yield_now();
        }
    })?;
    toucher.until_reached("touching")?;
    for _ in 0..100 {
        expect_eq!(fallocate(&file, PUNCH, 0, offset(8 * page)), Ok(()));
    }
    toucher.kill()?;
    let bytes = content(&file)?;
    expect!(bytes.chunks(page).all(|page| matches!(page[0], 0 | b'x') && page[1..].iter().all(|&byte| byte == 0)));
    expect_eq!((fallocate(&file, PUNCH, 0, offset(8 * page)), pages_of(&file)), (Ok(()), Ok(0)));
    Ok(())
}

/// A private mapping loses even its own copies of pages that the file is cut off before, and they do not come back with the size.
#[conformance::test(man = "mmap(2)", posix = "ftruncate", level = observed)]
fn behind_the_end_take_private_copies() -> Outcome {
    let page = page_size();
    let file = holding(&pattern(2 * page))?;
    let private = Mapping::copy_on_write(&file, 2 * page, Access::ReadWrite)?;
    private.write(0, b"first");
    private.write(page, b"second");
    ftruncate(&file, offset(page))?;
    ftruncate(&file, offset(2 * page))?;
    observe!("posix_shm.private-copy-behind-the-end", private.read(page, 6) == b"second");
    expect_eq!((private.read(0, 5), content(&file)?[page..].to_vec()), (b"first".to_vec(), vec![0; page]));
    Ok(())
}
