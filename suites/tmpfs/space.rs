//! Free pages of a tmpfs: how many become free when a file loses pages or its last name, descriptor and mapping, and how
//! concurrent processes share the last pages.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate, pages_of};
use rstest::rstest;

use common::memory_file::Small;

/// An operation by which a file of two pages loses pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Truncate,
    TruncateWithinPage,
    OpenWithTrunc,
    PunchHole,
    MadvRemove,
    RenameOver,
}

/// When `ftruncate`, `open` with `O_TRUNC`, `fallocate` with `FALLOC_FL_PUNCH_HOLE`, `madvise` with `MADV_REMOVE`, or `rename` of
/// another file onto its name has removed n pages of a file on a full tmpfs and returned, `statvfs` returns n in `f_bfree`.
/// `pwrite` of more than n pages to another file then returns the size of n pages.
#[rstest]
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn removed_pages_are_free_immediately(
    #[values(
        Operation::Truncate,
        Operation::TruncateWithinPage,
        Operation::OpenWithTrunc,
        Operation::PunchHole,
        Operation::MadvRemove,
        Operation::RenameOver
    )]
    operation: Operation,
) -> Outcome {
    let page = page_size();
    let small = Small::of_pages(3)?;
    let (file, other) = (small.filled("file", 2)?, small.filled("other", 1)?);
    expect_eq!(small.free(), Ok(0));
    let back = match operation {
        Operation::Truncate => ftruncate(&file, offset(page)).map(|()| 1)?,
        Operation::TruncateWithinPage => ftruncate(&file, offset(page) - 1).map(|()| 1)?,
        Operation::OpenWithTrunc => open(&small.join("file"), OFlag::O_RDWR | OFlag::O_TRUNC).map(|_| 2)?,
        Operation::PunchHole => fallocate(&file, PUNCH, 1, offset(2 * page) - 1).map(|()| 1)?,
        Operation::MadvRemove => Mapping::new(&file, 2 * page, Access::ReadWrite)?.remove(0, 2 * page).map(|()| 2)?,
        Operation::RenameOver => {
            drop(file);
            rename(&small.join("other"), &small.join("file"))?;
            2
        }
    };
    expect_eq!(small.free(), Ok(back));
    let taken = usize::try_from(back).unwrap_or(0) * page;
    expect_eq!((pwrite(&other, &vec![1; 3 * page], offset(page)), small.free()), (Ok(taken), Ok(0)));
    Ok(())
}

/// After `unlink` of a file on a tmpfs, `statvfs` counts its pages as used while a process has a descriptor or a mapping of it.
/// After the last of these processes is killed, all pages of the file are free.
#[conformance::test(man = "tmpfs(5)", posix = "unlink", needs(CAP_SYS_ADMIN))]
fn unlinked_file_is_freed_with_its_last_reference() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(4)?;
    let file = small.filled("file", 3)?;
    let mapping = Mapping::new(&file, 3 * page, Access::Read)?;
    let descriptor_owner = Participant::spawn("owner of the descriptor", dup(&file)?, |_file, link| -> () {
        drop(mapping);
        link.reached("holds the descriptor");
        link.park()
    })?;
    descriptor_owner.until_reached("holds the descriptor")?;
    let mapping = Mapping::new(&file, page, Access::Read)?;
    let mapping_owner = Participant::spawn("owner of the mapping", (), |(), link| -> () {
        let _moved_here = mapping;
        link.reached("holds the mapping");
        link.park()
    })?;
    mapping_owner.until_reached("holds the mapping")?;
    unlink(&small.join("file"))?;
    expect_eq!((small.free(), small.free_inodes().is_ok()), (Ok(1), true));
    drop(file);
    expect_eq!(small.free(), Ok(1));
    descriptor_owner.kill()?;
    expect_eq!(small.free(), Ok(1));
    let next = small.file("next")?;
    expect_eq!(write(&next, &vec![1; 4 * page]), Ok(page));
    mapping_owner.kill()?;
    expect_eq!(comes_to(&Ok(3), || small.free()), Ok(3));
    expect_eq!((write(&next, &vec![1; 4 * page]), small.free()), (Ok(3 * page), Ok(0)));
    Ok(())
}

/// If three processes each `write` whole pages to a file of their own on one tmpfs at the same time until `write` fails with
/// `ENOSPC`, the sum of the returned counts is exactly the size of the pages that were free.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN), fixed_in = "Linux 6.7 (beb986862844)")]
fn concurrent_writers_use_every_page() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(20)?;
    let writers = (0..3)
        .map(|number| {
            let file = small.file(&format!("file {number}"))?;
            Participant::spawn(&format!("writer {number}"), file, move |file, link| {
                link.meet("start");
                let mut total = 0;
                loop {
                    match write(&file, &vec![1; page_size()]) {
                        Ok(count) => total += count,
                        end => return (total, end),
                    }
                }
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let_go(&writers, "start")?;
    let mut total = 0;
    for writer in writers {
        let (count, end) = writer.join()?;
        expect_eq!(end, Err(ENOSPC));
        total += count;
    }
    expect_eq!((total, small.free()), (20 * page, Ok(0)));
    Ok(())
}

/// If two processes each store a word of their own into every page of a hole, through a `MAP_SHARED` mapping at the same time,
/// the number of free pages of the tmpfs falls by the number of pages stored into. Afterwards each page contains both words.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn concurrent_first_stores_take_one_page() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(8)?;
    let file = small.file("file")?;
    ftruncate(&file, offset(8 * page))?;
    let mapping = Mapping::new(&file, 8 * page, Access::ReadWrite)?;
    let words = page / 4;
    let store = |word: usize| move |mapping: &Mapping| (0..8).for_each(|index| mapping.word(index * words + word).store(7, SeqCst));
    let other = Participant::spawn("other process", (), |(), link| {
        link.meet("start");
        store(1)(&mapping);
    })?;
    other.until_reached("start")?;
    other.open("start")?;
    store(0)(&mapping);
    other.join()?;
    expect_eq!((pages_of(&file), small.free()), (Ok(8), Ok(0)));
    let stored = (0..8).map(|index| [0, 1].map(|word| mapping.word(index * words + word).load(SeqCst))).collect::<Vec<_>>();
    expect_eq!(stored, vec![[7; 2]; 8]);
    Ok(())
}

/// If a process that calls `open` with `O_CREAT`, `write`, `fallocate`, `mmap`, `unlink`, `madvise` with `MADV_REMOVE` and
/// `ftruncate` on a file of a tmpfs is killed at the entry or the exit of each of its system calls, and the name still exists,
/// `fstat` returns in `st_blocks` the size of n pages (0, 2 or 4) in units of 512 bytes, and the number of free pages (`statvfs`)
/// is lower by n than before. If the name does not exist, or after `unlink` of it by another process, `statvfs` returns the same
/// numbers of free pages and free inodes as before.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN), deadline = 30)]
fn killed_process_loses_no_page() -> Outcome {
    let page = page_size();
    let small = Small::with(&format!("size={},nr_inodes=6", 6 * page))?;
    let empty = small.mount().space()?;
    let path = small.join("file");
    sweep(|run| {
        let path = path.clone();
        let victim = run.victim("user", (), |(), _| {
            let file = create(&path, OFlag::O_RDWR, 0o600)?;
            let written = write(&file, &vec![1; 2 * page_size()]);
            let allocated = fallocate(&file, Allocate::empty(), 0, offset(4 * page_size()));
            let refused = fallocate(&file, Allocate::empty(), 0, offset(7 * page_size()));
            let mapping = Mapping::new(&file, 6 * page_size(), Access::ReadWrite)?;
            unlink(&path)?;
            Ok::<_, Errno>((written, allocated, refused, mapping.remove(0, page_size()), ftruncate(&file, 10)))
        })?;
        if let Some(value) = victim.value {
            expect_eq!(value, Ok((Ok(2 * page), Ok(()), Err(ENOSPC), Ok(()), Ok(()))));
        }
        if path.exists() {
            let file = open(&path, OFlag::O_RDWR)?;
            let taken = pages_of(&file)?;
            expect!(matches!(taken, 0 | 2 | 4), "{taken} pages");
            expect_eq!(small.free(), Ok(empty.free - taken as u64));
            unlink(&path)?;
        }
        expect_eq!(comes_to(&Ok(empty), || small.mount().space()), Ok(empty));
        Ok(())
    })
}
