//! Space in memory comes back, by just so many pages, with whatever took it up: at once where a file loses pages, and with the last
//! user where it loses its name.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::fd::size::{Allocate, PUNCH, fallocate, pages_of};
use rstest::rstest;

use common::memory_file::{Small, offset};

/// How a file of two pages loses space, and how many pages come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loss {
    Truncate,
    TruncateWithinAPage,
    OpenTruncating,
    Punch,
    Remove,
    RenameOver,
}

/// Pages that a file loses are free at once, by just so many.
#[rstest]
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn comes_back_at_once(
    #[values(Loss::Truncate, Loss::TruncateWithinAPage, Loss::OpenTruncating, Loss::Punch, Loss::Remove, Loss::RenameOver)]
    loss: Loss,
) -> Outcome {
    let page = page_size();
    let small = Small::of_pages(3)?;
    let (file, other) = (small.filled("file", 2)?, small.filled("other", 1)?);
    expect_eq!(small.free(), Ok(0));
    let back = match loss {
        Loss::Truncate => ftruncate(&file, offset(page)).map(|()| 1)?,
        Loss::TruncateWithinAPage => ftruncate(&file, offset(page) - 1).map(|()| 1)?,
        Loss::OpenTruncating => open(&small.join("file"), OFlag::O_RDWR | OFlag::O_TRUNC).map(|_| 2)?,
        Loss::Punch => fallocate(&file, PUNCH, 1, offset(2 * page) - 1).map(|()| 1)?,
        Loss::Remove => Mapping::new(&file, 2 * page, Access::ReadWrite)?.remove(0, 2 * page).map(|()| 2)?,
        Loss::RenameOver => {
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

/// A file without a name keeps its pages for whoever has it open or mapped, and gives them back with the last of those, whether
/// they close, unmap or are killed.
#[conformance::test(man = "tmpfs(5)", posix = "unlink", needs(CAP_SYS_ADMIN))]
fn comes_back_after_the_last_user() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(4)?;
    let file = small.filled("file", 3)?;
    let mapping = Mapping::new(&file, 3 * page, Access::Read)?;
    let holder = Participant::spawn("holder", dup(&file)?, |_file, link| -> () {
        drop(mapping);
        link.reached("holds the descriptor");
        link.park()
    })?;
    holder.until_reached("holds the descriptor")?;
    let mapping = Mapping::new(&file, page, Access::Read)?;
    let mapper = Participant::spawn("mapper", (), |(), link| -> () {
        let _moved_here = mapping;
        link.reached("holds the mapping");
        link.park()
    })?;
    mapper.until_reached("holds the mapping")?;
    unlink(&small.join("file"))?;
    expect_eq!((small.free(), small.free_inodes().is_ok()), (Ok(1), true));
    drop(file);
    expect_eq!(small.free(), Ok(1));
    holder.kill()?;
    expect_eq!(small.free(), Ok(1));
    let next = small.file("next")?;
    expect_eq!(write(&next, &vec![1; 4 * page]), Ok(page));
    mapper.kill()?;
    expect_eq!(comes_to(&Ok(3), || small.free()), Ok(3));
    expect_eq!((write(&next, &vec![1; 4 * page]), small.free()), (Ok(3 * page), Ok(0)));
    Ok(())
}

/// Several processes that fill the last pages at the same time get each page once: together they write as much as was free.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN), fixed_in = "Linux 6.7 (beb986862844)")]
fn is_shared_to_the_last_page() -> Outcome {
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
    for writer in &writers {
        writer.until_reached("start")?;
    }
    for writer in &writers {
        writer.open("start")?;
    }
    let mut total = 0;
    for writer in writers {
        let (count, end) = writer.join()?;
        expect_eq!(end, Err(ENOSPC));
        total += count;
    }
    expect_eq!((total, small.free()), (20 * page, Ok(0)));
    Ok(())
}

/// A page that two processes touch first at the same time is one page, with the bytes of both.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn is_taken_once_by_two_who_touch_a_page() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(8)?;
    let file = small.file("file")?;
    ftruncate(&file, offset(8 * page))?;
    let mapping = Mapping::new(&file, 8 * page, Access::ReadWrite)?;
    let words = page / 4;
    let touch = |word: usize| move |mapping: &Mapping| (0..8).for_each(|index| mapping.word(index * words + word).store(7, SeqCst));
    let other = Participant::spawn("other", (), |(), link| {
        link.meet("start");
        touch(1)(&mapping);
    })?;
    other.until_reached("start")?;
    other.open("start")?;
    touch(0)(&mapping);
    other.join()?;
    expect_eq!((pages_of(&file), small.free()), (Ok(8), Ok(0)));
    expect!((0..8).all(|index| [0, 1].iter().all(|word| mapping.word(index * words + word).load(SeqCst) == 7)));
    Ok(())
}

/// Whoever is killed between any two steps of using up the file system leaves nothing behind but what has a name, and that goes
/// with its name: every page and every inode comes back.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN), deadline = 30)]
fn is_not_lost_to_killed_users() -> Outcome {
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
