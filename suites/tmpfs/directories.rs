//! Directories of files in memory: their links, their listings, and what making and removing names does to them.
//!
//! These happen in the case's own directory, which is a tmpfs wherever the sandbox could mount one.

use conformance::prelude::*;
use conformance::sys::path::attributes::set_times;
use conformance::sys::path::names::{EXCHANGE, link, mkdir, names_in, rename_with, rmdir, some_names, symlink};
use conformance::sys::path::status::times;
use nix::unistd::Whence;

use common::memory_file::{content, named, under};

/// Directories that change places between directories move their link to the parent with them.
#[conformance::test(man = "rename(2)", man = "inode(7)")]
fn take_their_links_along() -> Outcome {
    let scratch = Scratch::new()?;
    let [left, right] = ["left", "right"].map(|name| scratch.join(name));
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

/// A directory goes when it is empty, and only then, and only by the call for directories.
#[conformance::test(posix = "rmdir", posix = "unlink")]
fn go_when_they_are_empty() -> Outcome {
    let scratch = Scratch::new()?;
    let directory = scratch.join("directory");
    mkdir(&directory)?;
    let path = directory.join("file");
    let open_file = named(&path, b"x")?;
    let links = stat(scratch.path())?.st_nlink;
    expect_eq!((rmdir(&directory), rmdir(&path), mkdir(&directory)), (Err(ENOTEMPTY), Err(ENOTDIR), Err(EEXIST)));
    expect_matches!(unlink(&directory), Err(EISDIR | EPERM));
    expect_eq!((stat(scratch.path())?.st_nlink, under(&path)), (links, Ok(b"x".to_vec())));
    expect_eq!((unlink(&path), rmdir(&directory), stat(scratch.path())?.st_nlink), (Ok(()), Ok(()), links - 1));
    expect_eq!((rmdir(&directory), create(&path, OFlag::O_RDWR, 0o600).map(drop)), (Err(ENOENT), Err(ENOENT)));
    expect_eq!(content(&open_file), Ok(b"x".to_vec()));
    Ok(())
}

/// Nothing can be made in a directory that is gone but still open.
#[conformance::test(posix = "rmdir", posix = "open")]
fn that_are_gone_take_no_names() -> Outcome {
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

/// A listing has every name once, whatever was made, renamed and removed before.
#[conformance::test(posix = "readdir")]
fn list_each_name_once() -> Outcome {
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

/// A listing that is read piece by piece while names come and go has every name that was there all the time once, and ends.
#[conformance::test(posix = "readdir", man = "getdents(2)", fixed_in = "Linux 6.11 (64a7ce76fb90)")]
fn list_what_stays_while_others_come_and_go() -> Outcome {
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
            // A name that is renamed away and back is not a new one each time.
            rename(&scratch.join(format!("new {removed:02}")), &scratch.join("new 00"))?;
            removed += 1;
        }
        calls += 1;
        expect!(calls < 200, "the listing does not end");
    }
    seen.sort();
    let kept: Vec<_> = seen.iter().filter(|name| name.starts_with("kept")).cloned().collect();
    expect_eq!(kept, (0..12).map(|index| format!("kept {index:02}")).collect::<Vec<_>>());
    expect!(seen.iter().filter(|name| name.starts_with("goes")).count() <= 12);
    // From the beginning, the listing is what is there now.
    lseek(&directory, 0, Whence::SeekSet)?;
    let mut now = some_names(&directory, 8000)?;
    now.sort();
    expect_eq!((now.len(), now[..2].to_vec()), (2 + 12 + 1 + 12 - removed, vec![".".to_owned(), "..".to_owned()]));
    Ok(())
}

/// Making, renaming and removing names marks their directory as modified.
#[conformance::test(posix = "open", posix = "unlink", posix = "rename")]
fn are_dated_by_their_names() -> Outcome {
    let scratch = Scratch::new()?;
    let marked = |step: &dyn Fn() -> Result<(), Errno>| {
        set_times(scratch.path(), 1000, 1000)?;
        step()?;
        let [_, modified, changed] = times(&stat(scratch.path())?);
        Ok::<_, Errno>((modified != (1000, 0), modified == changed))
    };
    let (one, other) = (scratch.join("one"), scratch.join("other"));
    expect_eq!(marked(&|| create(&one, OFlag::O_RDWR, 0o600).map(drop)), Ok((true, true)));
    expect_eq!(marked(&|| write_all(open(&one, OFlag::O_RDWR)?, b"x")).map(|(modified, _)| modified), Ok(false));
    expect_eq!(marked(&|| link(&one, &other)), Ok((true, true)));
    expect_eq!(marked(&|| unlink(&one)), Ok((true, true)));
    expect_eq!(marked(&|| rename(&other, &one)), Ok((true, true)));
    expect_eq!(marked(&|| mkdir(&other)), Ok((true, true)));
    expect_eq!(marked(&|| rmdir(&other)), Ok((true, true)));
    Ok(())
}

/// How large a directory is said to be is the system's choice; names that come and go leave it as it was.
#[conformance::test(man = "inode(7)", level = observed)]
fn are_no_larger_for_good() -> Outcome {
    let scratch = Scratch::new()?;
    let length = || stat(scratch.path()).map(|status| status.st_size);
    let [one, other, third] = ["one", "other", "third"].map(|name| scratch.join(name));
    let empty = length()?;
    named(&one, b"x")?;
    let growth = length()? - empty;
    observe!("posix_shm.size-of-a-name-in-a-directory", growth);
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
