//! Mount options of a file system in memory: sizes, numbers of inodes, the root directory, and changing them in use.

use conformance::prelude::*;
use conformance::sys::fd::size::pages_of;
use conformance::sys::path::tmpfs::{Space, Tmpfs};
use rstest::rstest;

use common::memory_file::{FILLING, Small, content, offset};

/// The size can be changed while the file system is in use, to what is in use and above, and to nothing below.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn can_be_made_larger_and_as_small_as_what_is_in_use() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(5)?;
    let file = small.filled("file", 3)?;
    let resize = |pages: usize| small.mount().remount(&format!("size={}", pages * page));
    expect_eq!((resize(2), small.mount().space()?.blocks, small.free()), (Err(EINVAL), 5, Ok(2)));
    expect_eq!((resize(3), small.mount().space()?.blocks, small.free()), (Ok(()), 3, Ok(0)));
    expect_eq!((write(&file, b"x"), content(&file)), (Err(ENOSPC), Ok(vec![FILLING; 3 * page])));
    expect_eq!((resize(4), small.free(), write(&file, &vec![1; 2 * page]), small.free()), (Ok(()), Ok(1), Ok(page), Ok(0)));
    ftruncate(&file, offset(page))?;
    expect_eq!((resize(1), small.free(), write(&file, b"x")), (Ok(()), Ok(0), Err(ENOSPC)));
    Ok(())
}

/// The number of inodes can be changed likewise, and what is used stays used.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn can_have_as_few_inodes_as_are_in_use() -> Outcome {
    let small = Small::with("nr_inodes=5")?;
    let (_first, _second) = (small.file("first")?, small.file("second")?);
    let limit = |inodes: u32| small.mount().remount(&format!("nr_inodes={inodes}"));
    expect_eq!((limit(2), small.free_inodes()), (Err(EINVAL), Ok(2)));
    expect_eq!((limit(3), small.free_inodes(), small.file("third").map(drop)), (Ok(()), Ok(0), Err(ENOSPC)));
    expect_eq!((limit(4), small.file("third").map(drop), small.free_inodes()), (Ok(()), Ok(()), Ok(0)));
    unlink(&small.join("first"))?;
    // It is open still.
    expect_eq!(small.free_inodes(), Ok(0));
    Ok(())
}

/// A size is given in bytes, with a suffix, or in blocks; what is no whole page becomes one.
#[rstest]
#[case::bytes("size=1", 1)]
#[case::one_more_than_a_page("size=65537", 65536 / page_size() as u64 + 1)]
#[case::kilobytes("size=256k", 262_144 / page_size() as u64)]
#[case::megabytes("size=1m", 1_048_576 / page_size() as u64)]
#[case::blocks("nr_blocks=5", 5)]
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn are_of_the_size_that_was_asked_for(#[case] options: &str, #[case] pages: u64) -> Outcome {
    let small = Small::with(options)?;
    let Space { blocks, free, .. } = small.mount().space()?;
    expect_eq!((blocks, free), (pages, pages));
    let status = nix::sys::statvfs::statvfs(small.mount().path())?;
    let page = page_size() as u64;
    expect_eq!((status.block_size(), status.fragment_size(), status.name_max()), (page, page, 255));
    Ok(())
}

/// A size of nothing is no limit, which cannot be taken back.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn have_no_limit_with_a_size_of_nothing() -> Outcome {
    let small = Small::with("size=0,nr_inodes=0")?;
    let unlimited = Space { blocks: 0, free: 0, inodes: 0, free_inodes: 0 };
    expect_eq!(small.mount().space(), Ok(unlimited));
    let file = small.filled("file", 3)?;
    expect_eq!((pages_of(&file), small.mount().space()), (Ok(3), Ok(unlimited)));
    expect_eq!((small.mount().remount("size=1m"), small.mount().remount("nr_inodes=100")), (Err(EINVAL), Err(EINVAL)));
    expect_eq!(small.mount().space(), Ok(unlimited));
    Ok(())
}

/// Options that make no sense are refused: nothing is mounted.
#[rstest]
#[case::no_number("size=abc")]
#[case::unknown("no_such_option=1")]
#[case::no_mode("mode=9")]
#[case::no_user("uid=-1")]
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn refuse_options_without_meaning(#[case] options: &str) -> Outcome {
    drop(Small::of_pages(1)?);
    let directory = Scratch::new()?;
    let before = stat(directory.path())?.st_dev;
    expect_eq!(Tmpfs::mount(directory.path(), options).map(drop), Err(EINVAL));
    expect_eq!(stat(directory.path())?.st_dev, before);
    Ok(())
}

/// Mode and owner of the root directory are those of the mount options, or those that everybody may write to.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn begin_with_a_directory_as_the_options_say() -> Outcome {
    use conformance::sys::path::status::permissions;
    let plain = Small::with("size=1m")?;
    let chosen = Small::with("size=1m,mode=2750,uid=12,gid=34")?;
    let root = |small: &Small| stat(small.mount().path()).map(|status| (permissions(&status), status.st_uid, status.st_gid));
    expect_eq!(root(&plain)?.0, 0o1777);
    expect_eq!(root(&chosen), Ok((0o2750, 12, 34)));
    expect_eq!(fstat(chosen.file("file")?)?.st_gid, 34);
    Ok(())
}

/// Options that are not named when others are changed stay as they are.
#[conformance::test(man = "tmpfs(5)", man = "mount(2)", needs(CAP_SYS_ADMIN))]
fn keep_what_is_not_changed() -> Outcome {
    let page = page_size();
    let small = Small::with(&format!("size={},nr_inodes=7", 4 * page))?;
    let _file = small.filled("file", 2)?;
    expect_eq!(small.mount().remount("nr_inodes=9"), Ok(()));
    expect_eq!(small.mount().space(), Ok(Space { blocks: 4, free: 2, inodes: 9, free_inodes: 7 }));
    expect_eq!(small.mount().remount(&format!("size={}", 6 * page)), Ok(()));
    expect_eq!(small.mount().space(), Ok(Space { blocks: 6, free: 4, inodes: 9, free_inodes: 7 }));
    // A change that is refused for one option makes none of the others.
    expect_eq!(small.mount().remount(&format!("size={page},nr_inodes=50")), Err(EINVAL));
    expect_eq!(small.mount().space(), Ok(Space { blocks: 6, free: 4, inodes: 9, free_inodes: 7 }));
    Ok(())
}

/// The table of mounts shows the options that differ from the usual ones.
#[conformance::test(man = "tmpfs(5)", man = "proc(5)", needs(CAP_SYS_ADMIN, procfs))]
fn are_shown_with_their_options() -> Outcome {
    let page = page_size();
    let small = Small::with(&format!("size={},nr_inodes=7,mode=700,uid=12,gid=34", 16 * page))?;
    let table = std::fs::read_to_string("/proc/self/mountinfo")?;
    let place = small.mount().path().to_string_lossy().into_owned();
    let line = table.lines().find(|line| line.split(' ').nth(4) == Some(&place)).unwrap_or_default();
    let options: Vec<_> = line.rsplit(' ').next().unwrap_or_default().split(',').collect();
    expect!(line.contains(" - tmpfs tmpfs "), "{line}");
    for option in [&format!("size={}k", 16 * page / 1024)[..], "nr_inodes=7", "mode=700", "uid=12", "gid=34"] {
        expect!(options.contains(&option), "{option} is not in {line}");
    }
    Ok(())
}

/// Without a size the file system may take half of the memory, which can be asked for as a percentage too.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn may_take_half_of_the_memory() -> Outcome {
    let pages = |options: &str| Small::with(options)?.mount().space().map(|space| space.blocks);
    // Once more if a machine's memory is made larger or smaller meanwhile.
    let (usual, half, whole) = loop {
        let (before, half, whole, after) = (pages("mode=700")?, pages("size=50%")?, pages("size=100%")?, pages("mode=700")?);
        if before == after {
            break (before, half, whole);
        }
    };
    expect!(usual > 0);
    // Each is rounded by itself.
    expect!(usual.abs_diff(half) <= 1 && whole.abs_diff(2 * half) <= 1, "{usual}, {half} and {whole} pages");
    Ok(())
}

/// What a mounted file system is, and who may use its space, is told in the same numbers for everybody.
#[conformance::test(man = "statfs(2)", man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn are_known_by_their_type() -> Outcome {
    use nix::sys::statfs::{TMPFS_MAGIC, statfs};
    let small = Small::of_pages(4)?;
    let file = small.filled("file", 1)?;
    let status = statfs(small.mount().path())?;
    expect_eq!(status.filesystem_type(), TMPFS_MAGIC);
    expect_eq!((status.blocks(), status.blocks_free(), status.blocks_available()), (4, 3, 3));
    let through_the_file = nix::sys::statfs::fstatfs(&file)?;
    expect_eq!((through_the_file.filesystem_type(), through_the_file.blocks_free()), (TMPFS_MAGIC, 3));
    let nameless = nix::sys::statfs::fstatfs(common::memory_file::sealable()?)?;
    expect_eq!(nameless.filesystem_type(), TMPFS_MAGIC);
    Ok(())
}
