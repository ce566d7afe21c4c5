//! Mount options of a tmpfs: `size`, `nr_blocks`, `nr_inodes`, `mode`, `uid` and `gid`, their change by remounting, and what
//! `statfs` and `/proc/self/mountinfo` show.

use conformance::prelude::*;
use conformance::sys::fd::size::pages_of;
use conformance::sys::path::tmpfs::{Space, Tmpfs};
use rstest::rstest;

use common::memory_file::{FILLING, Small, content};

/// `mount` with `MS_REMOUNT` of a tmpfs that uses n pages, and a `size` of less than n pages, fails with `EINVAL` and leaves the
/// size as it was. With a `size` of n pages or more, `mount` returns 0 and `statvfs` returns the new size in `f_blocks`.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn remount_size_is_bounded_by_use() -> Outcome {
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

/// `mount` with `MS_REMOUNT` of a tmpfs that uses n inodes, and `nr_inodes` less than n, fails with `EINVAL`. With `nr_inodes` of
/// n or more, `mount` returns 0 and `statvfs` returns `nr_inodes` - n free inodes.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn remount_nr_inodes_is_bounded_by_use() -> Outcome {
    let small = Small::with("nr_inodes=5")?;
    let (_first, _second) = (small.file("first")?, small.file("second")?);
    let limit = |inodes: u32| small.mount().remount(&format!("nr_inodes={inodes}"));
    expect_eq!((limit(2), small.free_inodes()), (Err(EINVAL), Ok(2)));
    expect_eq!((limit(3), small.free_inodes(), small.file("third").map(drop)), (Ok(()), Ok(0), Err(ENOSPC)));
    expect_eq!((limit(4), small.file("third").map(drop), small.free_inodes()), (Ok(()), Ok(()), Ok(0)));
    unlink(&small.join("first"))?;
    // The file is still open.
    expect_eq!(small.free_inodes(), Ok(0));
    Ok(())
}

/// `statvfs` on a tmpfs mounted with `size` in bytes, with suffix `k` or `m`, or with `nr_blocks`, returns in `f_blocks` and
/// `f_bfree` this size in pages, rounded up. `statvfs` returns the page size in `f_bsize` and `f_frsize`, and 255 in `f_namemax`.
#[rstest]
#[case::one_byte("size=1", 1)]
#[case::of_65537_bytes("size=65537", 65536 / page_size() as u64 + 1)]
#[case::of_256k("size=256k", 262_144 / page_size() as u64)]
#[case::of_1m("size=1m", 1_048_576 / page_size() as u64)]
#[case::of_5_blocks("nr_blocks=5", 5)]
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn size_is_rounded_up_to_pages(#[case] options: &str, #[case] pages: u64) -> Outcome {
    let small = Small::with(options)?;
    let Space { blocks, free, .. } = small.mount().space()?;
    expect_eq!((blocks, free), (pages, pages));
    let status = nix::sys::statvfs::statvfs(small.mount().path())?;
    let page = page_size() as u64;
    expect_eq!((status.block_size(), status.fragment_size(), status.name_max()), (page, page, 255));
    Ok(())
}

/// On a tmpfs mounted with `size=0,nr_inodes=0`, `statvfs` returns 0 for all numbers of blocks and inodes, and `write` of three
/// pages returns the full count. `mount` of this tmpfs with `MS_REMOUNT` and a `size` or `nr_inodes` other than 0 fails with
/// `EINVAL`.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn size_zero_is_unlimited() -> Outcome {
    let small = Small::with("size=0,nr_inodes=0")?;
    let unlimited = Space { blocks: 0, free: 0, inodes: 0, free_inodes: 0 };
    expect_eq!(small.mount().space(), Ok(unlimited));
    let file = small.filled("file", 3)?;
    expect_eq!((pages_of(&file), small.mount().space()), (Ok(3), Ok(unlimited)));
    expect_eq!((small.mount().remount("size=1m"), small.mount().remount("nr_inodes=100")), (Err(EINVAL), Err(EINVAL)));
    expect_eq!(small.mount().space(), Ok(unlimited));
    Ok(())
}

/// `mount` of a tmpfs with the unknown option `no_such_option=1`, or with `size=abc`, `mode=9` or `uid=-1`, fails with `EINVAL`.
/// `stat` on the directory of the mount point returns the same `st_dev` as before.
#[rstest]
#[case::size_without_number("size=abc")]
#[case::unknown_option("no_such_option=1")]
#[case::mode_not_octal("mode=9")]
#[case::negative_uid("uid=-1")]
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn rejects_invalid_options(#[case] options: &str) -> Outcome {
    drop(Small::of_pages(1)?);
    let directory = Scratch::new()?;
    let before = stat(directory.path())?.st_dev;
    expect_eq!(Tmpfs::mount(directory.path(), options).map(drop), Err(EINVAL));
    expect_eq!(stat(directory.path())?.st_dev, before);
    Ok(())
}

/// `stat` on the root directory of a tmpfs returns the permission bits, user and group of the mount options `mode`, `uid` and
/// `gid`. Without the option `mode` the permission bits are 1777.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn mode_uid_and_gid_apply_to_the_root() -> Outcome {
    use conformance::sys::path::status::permissions;
    let plain = Small::with("size=1m")?;
    let chosen = Small::with("size=1m,mode=2750,uid=12,gid=34")?;
    let root = |small: &Small| stat(small.mount().path()).map(|status| (permissions(&status), status.st_uid, status.st_gid));
    expect_eq!(root(&plain)?.0, 0o1777);
    expect_eq!(root(&chosen), Ok((0o2750, 12, 34)));
    expect_eq!(fstat(chosen.file("file")?)?.st_gid, 34);
    Ok(())
}

/// After `mount` with `MS_REMOUNT` and only one of the options `size` and `nr_inodes`, `statvfs` on the tmpfs returns the former
/// value of the other option. `mount` with `MS_REMOUNT`, a `size` below the pages in use and a valid `nr_inodes` fails with
/// `EINVAL` and leaves both values as they were.
#[conformance::test(man = "tmpfs(5)", man = "mount(2)", needs(CAP_SYS_ADMIN))]
fn remount_keeps_other_options() -> Outcome {
    let page = page_size();
    let small = Small::with(&format!("size={},nr_inodes=7", 4 * page))?;
    let _file = small.filled("file", 2)?;
    expect_eq!(small.mount().remount("nr_inodes=9"), Ok(()));
    expect_eq!(small.mount().space(), Ok(Space { blocks: 4, free: 2, inodes: 9, free_inodes: 7 }));
    expect_eq!(small.mount().remount(&format!("size={}", 6 * page)), Ok(()));
    expect_eq!(small.mount().space(), Ok(Space { blocks: 6, free: 4, inodes: 9, free_inodes: 7 }));
    // If one option is invalid, none of the others takes effect.
    expect_eq!(small.mount().remount(&format!("size={page},nr_inodes=50")), Err(EINVAL));
    expect_eq!(small.mount().space(), Ok(Space { blocks: 6, free: 4, inodes: 9, free_inodes: 7 }));
    Ok(())
}

/// The line of a tmpfs in `/proc/self/mountinfo` contains, among the options of the file system, `size=` with a number of KiB and
/// the suffix `k`, `nr_inodes=` and `uid=` and `gid=` with decimal numbers, and `mode=` with an octal number. Each has the value
/// that was given to `mount`.
#[conformance::test(man = "tmpfs(5)", man = "proc(5)", needs(CAP_SYS_ADMIN, procfs))]
fn mountinfo_shows_the_options() -> Outcome {
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

/// `statvfs` on a tmpfs mounted without `size` returns the same `f_blocks` as on one mounted with `size=50%`, and half the
/// `f_blocks` of one mounted with `size=100%`. A difference of one page by rounding is accepted.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn default_size_is_half_of_the_memory() -> Outcome {
    let pages = |options: &str| Small::with(options)?.mount().space().map(|space| space.blocks);
    // Repeated if the memory of the machine was resized meanwhile.
    let (usual, half, whole) = loop {
        let (before, half, whole, after) = (pages("mode=700")?, pages("size=50%")?, pages("size=100%")?, pages("mode=700")?);
        if before == after {
            break (before, half, whole);
        }
    };
    expect!(usual > 0, "{usual} pages without size");
    // Each size is rounded separately.
    expect!(usual.abs_diff(half) <= 1 && whole.abs_diff(2 * half) <= 1, "{usual}, {half} and {whole} pages");
    Ok(())
}

/// `statfs` on the root directory of a tmpfs returns `TMPFS_MAGIC` in `f_type`, the number of pages in `f_blocks` and the number
/// of free pages in `f_bfree`. `fstatfs` on a file of the tmpfs returns the same `f_type` and `f_bfree`, and on a file from
/// `memfd_create` returns `TMPFS_MAGIC`.
#[conformance::test(man = "statfs(2)", man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn statfs_returns_type_and_blocks() -> Outcome {
    use nix::sys::statfs::{TMPFS_MAGIC, statfs};
    let small = Small::of_pages(4)?;
    let file = small.filled("file", 1)?;
    let status = statfs(small.mount().path())?;
    expect_eq!(status.filesystem_type(), TMPFS_MAGIC);
    expect_eq!((status.blocks(), status.blocks_free(), status.blocks_available()), (4, 3, 3));
    let through_the_file = nix::sys::statfs::fstatfs(&file)?;
    expect_eq!((through_the_file.filesystem_type(), through_the_file.blocks_free()), (TMPFS_MAGIC, 3));
    let memory_file = nix::sys::statfs::fstatfs(common::memory_file::sealable()?)?;
    expect_eq!(memory_file.filesystem_type(), TMPFS_MAGIC);
    Ok(())
}
