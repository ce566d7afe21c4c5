//! The limited number of inodes of a tmpfs (`nr_inodes`): which names, links and extended attributes take an inode, when inodes
//! become free, and inode numbers.

use conformance::prelude::*;
use conformance::sys::path::names::{WHITEOUT, link, link_open, mkdir, names_in, readlink, rename_with, rmdir, symlink};
use conformance::sys::path::status::lstat;
use conformance::sys::path::xattr::{attribute, remove_attribute, set_attribute};
use nix::sys::stat::SFlag;

use common::memory_file::Small;

/// On a tmpfs mounted with `nr_inodes`, each file, directory, symbolic link and additional hard link lowers the number of free
/// inodes by 1. If no inode is free, `open` with `O_CREAT` or `O_TMPFILE`, `mkdir`, `symlink`, `link` and `mkfifo` fail with
/// `ENOSPC`.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn each_name_takes_an_inode() -> Outcome {
    let small = Small::with("nr_inodes=4")?;
    expect_eq!((small.mount().space()?.inodes, small.free_inodes()), (4, Ok(3)));
    let [file, name, directory, pointer] = ["file", "link", "directory", "pointer"].map(|name| small.join(name));
    let open_file = small.file("file")?;
    expect_eq!((link(&file, &name), mkdir(&directory), small.free_inodes()), (Ok(()), Ok(()), Ok(0)));
    let further = small.join("further");
    expect_eq!((small.file("further").map(drop), mkdir(&further), symlink("x", &further)), (Err(ENOSPC), Err(ENOSPC), Err(ENOSPC)));
    expect_eq!((link(&file, &further), mkfifo(&further, 0o600), stat(&further).map(drop)), (Err(ENOSPC), Err(ENOSPC), Err(ENOENT)));
    let unnamed = nix::fcntl::open(small.mount().path(), OFlag::O_TMPFILE | OFlag::O_RDWR, nix::sys::stat::Mode::S_IRWXU);
    expect_eq!(unnamed.map(drop).map_err(Errno::from), Err(ENOSPC));
    expect_eq!((fstat(&open_file)?.st_nlink, stat(small.mount().path())?.st_nlink), (2, 3));
    expect_eq!((unlink(&name), small.free_inodes(), symlink("x", &pointer), small.free_inodes()), (Ok(()), Ok(1), Ok(()), Ok(0)));
    // `unlink` of the last name of an open file frees its inode at the last `close`.
    expect_eq!((unlink(&file), small.free_inodes(), mkdir(&further)), (Ok(()), Ok(0), Err(ENOSPC)));
    drop(open_file);
    expect_eq!((small.free_inodes(), rmdir(&directory), unlink(&pointer), small.free_inodes()), (Ok(1), Ok(()), Ok(()), Ok(3)));
    Ok(())
}

/// On a tmpfs, `open` with `O_TMPFILE` lowers the number of free inodes by 1, the first `linkat` of this file leaves it as it is,
/// and a `link` to a second name lowers it by 1. After `unlink` of both names and the last `close`, the number of free inodes is
/// as before.
#[conformance::test(man = "tmpfs(5)", man = "open(2)", needs(CAP_SYS_ADMIN, procfs), fixed_in = "Linux 5.0 (1062af920c07)")]
fn tmpfile_takes_one_inode() -> Outcome {
    let small = Small::with("nr_inodes=3")?;
    let unnamed = || nix::fcntl::open(small.mount().path(), OFlag::O_TMPFILE | OFlag::O_RDWR, nix::sys::stat::Mode::S_IRWXU);
    let file = unnamed()?;
    expect_eq!(small.free_inodes(), Ok(1));
    expect_eq!((link_open(&file, &small.join("named")), small.free_inodes()), (Ok(()), Ok(1)));
    drop(unnamed()?);
    expect_eq!(small.free_inodes(), Ok(1));
    expect_eq!((link(&small.join("named"), &small.join("again")), small.free_inodes()), (Ok(()), Ok(0)));
    unlink(&small.join("named"))?;
    unlink(&small.join("again"))?;
    drop(file);
    expect_eq!(small.free_inodes(), Ok(2));
    Ok(())
}

/// On a tmpfs without free pages, `symlink` with a target of 1000 bytes fails with `ENOSPC` and leaves the numbers of free inodes
/// and free pages as they were. `symlink` with a target of five bytes returns 0.
#[conformance::test(man = "tmpfs(5)", man = "symlink(2)", needs(CAP_SYS_ADMIN))]
fn failed_symlink_takes_no_inode() -> Outcome {
    let page = page_size();
    let small = Small::of_pages(2)?;
    let other = small.filled("other", 2)?;
    let before = small.mount().space()?;
    let path = small.join("pointer");
    let target = "t".repeat(1000);
    let made = symlink(&target, &path);
    expect_eq!(made, Err(ENOSPC));
    expect_eq!((lstat(&path).map(drop), small.mount().space()), (Err(ENOENT), Ok(before)));
    expect_eq!((symlink("short", &path), readlink(&path), small.free()), (Ok(()), Ok(b"short".to_vec()), Ok(0)));
    unlink(&path)?;
    ftruncate(&other, offset(page))?;
    expect_eq!((symlink(&target, &path), readlink(&path), small.free()), (Ok(()), Ok(target.into_bytes()), Ok(0)));
    expect_eq!((unlink(&path), small.free()), (Ok(()), Ok(1)));
    Ok(())
}

/// On a tmpfs, `mkdir`, `symlink`, `mkfifo`, `link` and `open` with `O_CREAT | O_EXCL` of an existing name (`EEXIST`), `symlink`
/// with a target of 5000 bytes (`ENAMETOOLONG`) or with an empty target (`ENOENT`), `link` of a directory (`EPERM`) and `rmdir`
/// of a file (`ENOTDIR`) fail with these errors. The number of free inodes stays as it was.
#[conformance::test(man = "tmpfs(5)", needs(CAP_SYS_ADMIN))]
fn failed_calls_take_no_inode() -> Outcome {
    let small = Small::with("nr_inodes=4")?;
    let _file = small.file("file")?;
    mkdir(&small.join("directory"))?;
    let (file, absent) = (small.join("file"), small.join("absent"));
    let too_long = "t".repeat(5000);
    for _ in 0..50 {
        expect_eq!((mkdir(&file), symlink("x", &file), mkfifo(&file, 0o600)), (Err(EEXIST), Err(EEXIST), Err(EEXIST)));
        expect_eq!((symlink(&too_long, &absent), symlink("", &absent)), (Err(ENAMETOOLONG), Err(ENOENT)));
        expect_eq!((link(&small.join("directory"), &absent), link(&file, &file)), (Err(EPERM), Err(EEXIST)));
        expect_eq!((rmdir(&file), small.file("file").map(drop)), (Err(ENOTDIR), Err(EEXIST)));
        expect_eq!(small.free_inodes(), Ok(1));
    }
    expect_eq!((mkdir(&absent), small.free_inodes()), (Ok(()), Ok(0)));
    Ok(())
}

/// On a tmpfs, `renameat2` with `RENAME_WHITEOUT` leaves a character device 0/0 under the old name and lowers the number of free
/// inodes by 1. If no inode is free, `renameat2` with `RENAME_WHITEOUT` fails with `ENOSPC`, the old name still leads to the
/// file, and the new name does not exist.
#[conformance::test(man = "rename(2)", needs(CAP_SYS_ADMIN, CAP_MKNOD))]
fn rename_whiteout_takes_an_inode() -> Outcome {
    let small = Small::with("nr_inodes=3")?;
    let [old, new, other] = ["old", "new", "other"].map(|name| small.join(name));
    let file = small.file("old")?;
    match rename_with(&old, &new, WHITEOUT) {
        Err(EINVAL | ENOSYS) => unsupported!("RENAME_WHITEOUT", EINVAL),
        renamed => expect_eq!((renamed, small.free_inodes()), (Ok(()), Ok(0))),
    }
    let (whiteout, moved) = (lstat(&old)?, lstat(&new)?);
    expect_eq!((SFlag::from_bits_truncate(whiteout.st_mode) & SFlag::S_IFMT, whiteout.st_rdev), (SFlag::S_IFCHR, 0));
    expect_eq!(
        (moved.st_ino, names_in(small.mount().path())),
        (fstat(&file)?.st_ino, Ok(vec!["new".to_owned(), "old".to_owned()]))
    );
    for _ in 0..10 {
        expect_eq!((rename_with(&new, &other, WHITEOUT), small.free_inodes()), (Err(ENOSPC), Ok(0)));
    }
    expect_eq!((lstat(&new)?.st_ino, lstat(&other).map(drop)), (moved.st_ino, Err(ENOENT)));
    expect_eq!((unlink(&old), small.free_inodes()), (Ok(()), Ok(1)));
    Ok(())
}

/// `fsetxattr` of a value of 5000 bytes lowers the number of free inodes of a tmpfs by an amount that is recorded and may be 0.
/// After `fremovexattr`, or after `unlink` and `close` of the file, these inodes are free again.
#[conformance::test(man = "xattr(7)", level = observed, needs(CAP_SYS_ADMIN))]
fn extended_attributes_return_their_inodes() -> Outcome {
    let small = Small::with("nr_inodes=20")?;
    let file = small.file("file")?;
    let before = small.free_inodes()?;
    if set_attribute(&file, c"user.large", &[7; 5000], 0) == Err(EOPNOTSUPP) {
        unsupported!("user extended attributes on tmpfs", EOPNOTSUPP);
    }
    expect_eq!(attribute(&file, c"user.large", 6000), Ok(vec![7; 5000]));
    let with_large = small.free_inodes()?;
    observe!("tmpfs.inodes-for-5000-byte-attribute", before - with_large);
    expect_eq!((set_attribute(&file, c"user.large", &[8; 5000], 0), small.free_inodes()), (Ok(()), Ok(with_large)));
    let too_large = set_attribute(&file, c"user.more", &vec![9; 60_000], 0);
    expect_matches!(too_large, Ok(()) | Err(ENOSPC));
    if too_large.is_err() {
        expect_eq!((small.free_inodes(), attribute(&file, c"user.more", 10).is_err()), (Ok(with_large), true));
    }
    expect_eq!((remove_attribute(&file, c"user.large"), small.free_inodes().map(|free| free <= before)), (Ok(()), Ok(true)));
    let _ = remove_attribute(&file, c"user.more");
    expect_eq!(small.free_inodes(), Ok(before));
    set_attribute(&file, c"user.large", &[7; 5000], 0)?;
    unlink(&small.join("file"))?;
    drop(file);
    expect_eq!(small.free_inodes(), Ok(before + 1));
    Ok(())
}

/// The files of one tmpfs and its root directory have different `st_ino` values, none of which is 0. `rename` and `link` leave
/// `st_ino` of a file as it was.
#[conformance::test(man = "inode(7)", needs(CAP_SYS_ADMIN))]
fn inode_numbers_are_unique_and_stable() -> Outcome {
    let small = Small::with("nr_inodes=100")?;
    let files = (0..30).map(|index| small.file(&format!("file {index}"))).collect::<Result<Vec<_>, _>>()?;
    let numbers = files.iter().map(|file| fstat(file).map(|status| status.st_ino)).collect::<Result<Vec<_>, _>>()?;
    let mut distinct = numbers.clone();
    distinct.push(stat(small.mount().path())?.st_ino);
    distinct.sort_unstable();
    distinct.dedup();
    expect_eq!((distinct.len(), distinct.contains(&0)), (31, false));
    rename(&small.join("file 0"), &small.join("file 1"))?;
    link(&small.join("file 1"), &small.join("link"))?;
    expect_eq!((stat(&small.join("link"))?.st_ino, fstat(&files[1])?.st_ino), (numbers[0], numbers[1]));
    expect_eq!(fstat(small.file("file 0")?).map(|status| numbers.contains(&status.st_ino)), Ok(false));
    Ok(())
}
