//! Directories of a tmpfs: link counts, `rmdir`, `readdir`, timestamps, sizes, and the length of names.
//!
//! The cases about link counts mount a tmpfs. The others use the temporary directory of the case, which is a tmpfs wherever the
//! sandbox can mount one.

use conformance::prelude::*;
use conformance::sys::path::attributes::set_times;
use conformance::sys::path::names::{EXCHANGE, link, mkdir, names_in, rename_with, rmdir, some_names, symlink};
use conformance::sys::path::status::times;
use nix::unistd::Whence;

use common::memory_file::{Small, content, named, under};

/// On a tmpfs, `rename` of a subdirectory into another directory, and `renameat2` with `RENAME_EXCHANGE` of a subdirectory and a
/// file of another directory, lower `st_nlink` of the old parent by 1 and raise that of the new parent by 1. `rename` of a
/// directory into itself fails with `EINVAL`, and onto a non-empty directory with `ENOTEMPTY`.
#[conformance::test(man = "rename(2)", man = "inode(7)", level = customary, needs(CAP_SYS_ADMIN))]
fn rename_moves_the_parent_link() -> Outcome {
    let small = Small::with("mode=700")?;
    let [left, right] = ["left", "right"].map(|name| small.join(name));
    let inside = left.join("inside");
    let plain = right.join("plain");
    mkdir(&left)?;
    mkdir(&right)?;
    mkdir(&inside)?;
    let _file = named(&plain, b"x")?;
    let links = || Ok::<_, Errno>((stat(&left)?.st_nlink, stat(&right)?.st_nlink));
    expect_eq!(links(), Ok((3, 2)));
    match rename_with(&inside, &plain, EXCHANGE) {
        Err(EINVAL | ENOSYS) => {}
        exchanged => {
            expect_eq!((exchanged, links(), names_in(&left)), (Ok(()), Ok((2, 3)), Ok(vec!["inside".to_owned()])));
            expect_eq!((rename_with(&inside, &plain, EXCHANGE), links()), (Ok(()), Ok((3, 2))));
        }
    }
    let moved = right.join("moved");
    expect_eq!((rename(&inside, &moved), links()), (Ok(()), Ok((2, 3))));
    mkdir(&inside)?;
    expect_eq!((rename(&moved, &inside), links()), (Ok(()), Ok((3, 2))));
    expect_eq!((rename(&left, &inside.join("below itself")), rename(&right, &left)), (Err(EINVAL), Err(ENOTEMPTY)));
    expect_eq!((rmdir(&inside), links()), (Ok(()), Ok((2, 2))));
    Ok(())
}

/// `rmdir` on a directory that contains a file fails with `ENOTEMPTY`, and after `unlink` of the file returns 0. `unlink` on a
/// directory fails with `EISDIR` or `EPERM`, and `rmdir` on a file with `ENOTDIR`.
#[conformance::test(posix = "rmdir", posix = "unlink")]
fn rmdir_requires_an_empty_directory() -> Outcome {
    let scratch = Scratch::new()?;
    let directory = scratch.join("directory");
    mkdir(&directory)?;
    let path = directory.join("file");
    let open_file = named(&path, b"x")?;
    expect_eq!((rmdir(&directory), rmdir(&path), mkdir(&directory)), (Err(ENOTEMPTY), Err(ENOTDIR), Err(EEXIST)));
    expect_matches!(unlink(&directory), Err(EISDIR | EPERM));
    expect_eq!(under(&path), Ok(b"x".to_vec()));
    expect_eq!((unlink(&path), rmdir(&directory)), (Ok(()), Ok(())));
    expect_eq!((rmdir(&directory), create(&path, OFlag::O_RDWR, 0o600).map(drop)), (Err(ENOENT), Err(ENOENT)));
    expect_eq!(content(&open_file), Ok(b"x".to_vec()));
    Ok(())
}

/// On a tmpfs, `rmdir` of an empty directory lowers `st_nlink` of its parent directory by 1. `rmdir` that fails with `ENOTEMPTY`
/// leaves `st_nlink` of the parent directory as it was.
#[conformance::test(man = "rmdir(2)", man = "inode(7)", level = customary, needs(CAP_SYS_ADMIN))]
fn rmdir_lowers_the_parent_link_count() -> Outcome {
    let small = Small::with("mode=700")?;
    let root = small.mount().path();
    let directory = small.join("directory");
    mkdir(&directory)?;
    let path = directory.join("file");
    let _file = named(&path, b"x")?;
    let links = || stat(root).map(|status| status.st_nlink);
    expect_eq!((links(), rmdir(&directory), links()), (Ok(3), Err(ENOTEMPTY), Ok(3)));
    unlink(&path)?;
    expect_eq!((rmdir(&directory), links()), (Ok(()), Ok(2)));
    Ok(())
}

/// After `rmdir` of a directory of which a descriptor is open, `open` with `O_CREAT` and `mkdir` of a name in this directory
/// (through `/proc/self/fd/N`), and `getdents` on the descriptor, fail with `ENOENT`. `fstat` on the descriptor returns
/// `st_nlink` 0.
#[conformance::test(posix = "rmdir", man = "getdents(2)", level = documented, needs(procfs))]
fn removed_directory_takes_no_names() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("directory");
    mkdir(&path)?;
    let directory = open(&path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    rmdir(&path)?;
    let inside = PathBuf::from(format!("/proc/self/fd/{}/file", directory.as_raw_fd()));
    expect_eq!((create(&inside, OFlag::O_RDWR, 0o600).map(drop), mkdir(&inside)), (Err(ENOENT), Err(ENOENT)));
    expect_eq!((fstat(&directory)?.st_nlink, some_names(&directory, 1000)), (0, Err(ENOENT)));
    Ok(())
}

/// After each call of a random sequence of `open` with `O_CREAT | O_EXCL`, `unlink`, `rename` and `symlink` in one directory,
/// `readdir` from `opendir` until the end returns each name that exists in the directory exactly once, and besides these names at
/// most `.` and `..`.
#[conformance::test(posix = "readdir")]
fn readdir_returns_each_name_once() -> Outcome {
    let steps = proptest::collection::vec((0..4_u8, 0..8_u8, 0..8_u8), 1..20);
    property(&steps, |steps| {
        let scratch = Scratch::new()?;
        let mut expected = std::collections::BTreeSet::new();
        for (what, from, to) in steps {
            let (from, to) = (format!("name {from}"), format!("name {to}"));
            let (from_path, to_path) = (scratch.join(&from), scratch.join(&to));
            match what {
                0 => expect_eq!(create(&from_path, OFlag::O_RDWR | OFlag::O_EXCL, 0o600).is_ok(), expected.insert(from)),
                1 => expect_eq!(unlink(&from_path).is_ok(), expected.remove(&from)),
                2 => {
                    let had = expected.contains(&from);
                    expect_eq!(rename(&from_path, &to_path).is_ok(), had);
                    if had && expected.remove(&from) {
                        expected.insert(to);
                    }
                }
                _ => expect_eq!(symlink("nowhere", &to_path).is_ok(), expected.insert(to)),
            }
            expect_eq!(names_in(scratch.path()), Ok(expected.iter().cloned().collect()));
        }
        Ok(())
    })
}

/// If other names of the directory are created, renamed and removed between the calls, repeated `getdents` calls return each name
/// that exists during all calls exactly once, and then 0. After `lseek` of the descriptor to 0, `getdents` returns the names that
/// exist at this call.
#[conformance::test(posix = "readdir", man = "getdents(2)", fixed_in = "Linux 6.11 (64a7ce76fb90)")]
fn getdents_returns_stable_names_once() -> Outcome {
    let scratch = Scratch::new()?;
    for index in 0..12 {
        create(&scratch.join(format!("kept {index:02}")), OFlag::O_RDWR, 0o600)?;
        create(&scratch.join(format!("goes {index:02}")), OFlag::O_RDWR, 0o600)?;
    }
    let directory = open(scratch.path(), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let (mut seen, mut calls, mut removed) = (Vec::new(), 0, 0);
    loop {
        let names = some_names(&directory, 128)?;
        if names.is_empty() {
            break;
        }
        seen.extend(names);
        if removed < 12 {
            unlink(&scratch.join(format!("goes {removed:02}")))?;
            create(&scratch.join(format!("new {removed:02}")), OFlag::O_RDWR, 0o600)?;
            // Repeated renames onto one name must not prolong the listing.
            rename(&scratch.join(format!("new {removed:02}")), &scratch.join("new 00"))?;
            removed += 1;
        }
        calls += 1;
        expect!(calls < 200, "the listing does not end");
    }
    seen.sort();
    let kept: Vec<_> = seen.iter().filter(|name| name.starts_with("kept")).cloned().collect();
    expect_eq!(kept, (0..12).map(|index| format!("kept {index:02}")).collect::<Vec<_>>());
    let removed_names = seen.iter().filter(|name| name.starts_with("goes")).count();
    expect!(removed_names <= 12, "{removed_names} of 12 removed names were returned");
    // From offset 0, `getdents` returns the current names.
    lseek(&directory, 0, Whence::SeekSet)?;
    let mut now = some_names(&directory, 8000)?;
    now.sort();
    expect_eq!((now.len(), now[..2].to_vec()), (2 + 12 + 1 + 12 - removed, vec![".".to_owned(), "..".to_owned()]));
    Ok(())
}

/// `open` with `O_CREAT` of a new name, `link`, `unlink`, `rename`, `mkdir` and `rmdir` update `st_mtime` and `st_ctime` of the
/// directory that contains the name, and set both to the same time. `write` to a file in the directory leaves `st_mtime` of the
/// directory as it was.
#[conformance::test(posix = "open", posix = "unlink", posix = "rename")]
fn changes_of_names_update_mtime() -> Outcome {
    let scratch = Scratch::new()?;
    let updated = |step: &dyn Fn() -> Result<(), Errno>| {
        set_times(scratch.path(), 1000, 1000)?;
        step()?;
        let [_, modified, changed] = times(&stat(scratch.path())?);
        Ok::<_, Errno>((modified != (1000, 0), modified == changed))
    };
    let (one, other) = (scratch.join("one"), scratch.join("other"));
    expect_eq!(updated(&|| create(&one, OFlag::O_RDWR, 0o600).map(drop)), Ok((true, true)));
    expect_eq!(updated(&|| write_all(open(&one, OFlag::O_RDWR)?, b"x")).map(|(modified, _)| modified), Ok(false));
    expect_eq!(updated(&|| link(&one, &other)), Ok((true, true)));
    expect_eq!(updated(&|| unlink(&one)), Ok((true, true)));
    expect_eq!(updated(&|| rename(&other, &one)), Ok((true, true)));
    expect_eq!(updated(&|| mkdir(&other)), Ok((true, true)));
    expect_eq!(updated(&|| rmdir(&other)), Ok((true, true)));
    Ok(())
}

/// Each name in a tmpfs directory, of a file, link, symbolic link or subdirectory, adds the same amount to `st_size` of the
/// directory; the amount is recorded. After all names are removed, `st_size` is that of the directory when it was empty.
#[conformance::test(man = "inode(7)", level = customary)]
fn st_size_follows_the_number_of_names() -> Outcome {
    let scratch = Scratch::new()?;
    let length = || stat(scratch.path()).map(|status| status.st_size);
    let [one, other, third] = ["one", "other", "third"].map(|name| scratch.join(name));
    let empty = length()?;
    named(&one, b"x")?;
    let growth = length()? - empty;
    observe!("tmpfs.directory-size-per-name", growth);
    symlink("x", &other)?;
    link(&one, &third)?;
    expect_eq!(length(), Ok(empty + 3 * growth));
    rename(&one, &other)?;
    expect_eq!(length(), Ok(empty + 2 * growth));
    unlink(&third)?;
    unlink(&other)?;
    mkdir(&one)?;
    rename(&one, &other)?;
    expect_eq!(length(), Ok(empty + growth));
    rmdir(&other)?;
    expect_eq!(length(), Ok(empty));
    Ok(())
}

/// `open` with `O_CREAT` and a file name of 255 bytes returns a descriptor, and with a file name of 256 bytes fails with
/// `ENAMETOOLONG`.
#[conformance::test(posix = "open", man = "tmpfs(5)")]
fn names_have_up_to_255_bytes() -> Outcome {
    let scratch = Scratch::new()?;
    let (longest, longer) = ("n".repeat(255), "n".repeat(256));
    expect_eq!(named(&scratch.join(&longest), b"x").map(drop), Ok(()));
    expect_eq!(named(&scratch.join(&longer), b"x").map(drop), Err(ENAMETOOLONG));
    expect_eq!(names_in(scratch.path()), Ok(vec![longest]));
    Ok(())
}
