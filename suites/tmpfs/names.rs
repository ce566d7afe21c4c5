//! Files in memory under names: what users of `/dev/shm` do with them besides mapping, by names and links.
//!
//! These happen in the case's own directory, which is a tmpfs wherever the sandbox could mount one.

use conformance::prelude::*;
use conformance::sys::path::names::{
    EXCHANGE, NO_REPLACE, link, link_open, mkdir, names_in, readlink, readlink_into, rename_with, rmdir, symlink,
};
use conformance::sys::path::status::lstat;
use conformance::sys::path::xattr::{attribute, remove_attribute, set_attribute};
use rstest::rstest;

use common::memory_file::{content, holding, named, offset, under};

/// A file can begin without a name and be given one when it is whole; until then nobody can find it.
#[conformance::test(man = "open(2)", needs(procfs))]
fn get_a_name_when_they_are_whole() -> Outcome {
    let scratch = Scratch::new()?;
    let nameless =
        |flags| nix::fcntl::open(scratch.path(), OFlag::O_TMPFILE | OFlag::O_RDWR | flags, nix::sys::stat::Mode::S_IRWXU);
    let open_file = match nameless(OFlag::empty()) {
        Err(nix::errno::Errno::EOPNOTSUPP | nix::errno::Errno::EISDIR) => unsupported!("O_TMPFILE", EOPNOTSUPP),
        other => other?,
    };
    expect_eq!((pwrite(&open_file, b"whole", 0), fstat(&open_file)?.st_nlink, names_in(scratch.path())), (Ok(5), 0, Ok(vec![])));
    let path = scratch.join("named");
    expect_eq!((link_open(&open_file, &path), fstat(&open_file)?.st_nlink), (Ok(()), 1));
    expect_eq!((under(&path), stat(&path)?.st_ino), (Ok(b"whole".to_vec()), fstat(&open_file)?.st_ino));
    expect_eq!(link_open(&open_file, &path), Err(EEXIST));
    let never = nameless(OFlag::O_EXCL)?;
    expect_eq!((link_open(&never, &scratch.join("never")), names_in(scratch.path())), (Err(ENOENT), Ok(vec!["named".to_owned()])));
    Ok(())
}

/// Renaming replaces what had the name, whose users keep it; those who have the renamed file open notice nothing.
#[conformance::test(posix = "rename")]
fn are_replaced_under_their_users() -> Outcome {
    let scratch = Scratch::new()?;
    let (new, old) = (scratch.join("new"), scratch.join("old"));
    let (new_file, old_file) = (named(&new, b"new content")?, named(&old, b"old")?);
    let mapping = Mapping::new(&old_file, 3, Access::Read)?;
    let inode = fstat(&new_file)?.st_ino;
    expect_eq!((rename(&new, &old), names_in(scratch.path())), (Ok(()), Ok(vec!["old".to_owned()])));
    expect_eq!((under(&old), stat(&old)?.st_ino), (Ok(b"new content".to_vec()), inode));
    expect_eq!((content(&old_file), mapping.read(0, 3), fstat(&old_file)?.st_nlink), (Ok(b"old".to_vec()), b"old".to_vec(), 0));
    expect_eq!((pwrite(&new_file, b"NEW", 0), under(&old)), (Ok(3), Ok(b"NEW content".to_vec())));
    Ok(())
}

/// A rename that must not replace fails where there is something, and leaves both; one that exchanges needs both, and swaps them,
/// files and directories alike.
#[conformance::test(man = "rename(2)")]
fn are_renamed_as_the_flags_say() -> Outcome {
    let scratch = Scratch::new()?;
    let [one, other, directory, absent] = ["one", "other", "directory", "absent"].map(|name| scratch.join(name));
    let (_one, _other) = (named(&one, b"1")?, named(&other, b"2")?);
    mkdir(&directory)?;
    match rename_with(&one, &other, NO_REPLACE) {
        Err(EINVAL | ENOSYS) => unsupported!("RENAME_NOREPLACE", EINVAL),
        refused => expect_eq!((refused, under(&one), under(&other)), (Err(EEXIST), Ok(b"1".to_vec()), Ok(b"2".to_vec()))),
    }
    expect_eq!((rename_with(&one, &absent, EXCHANGE), under(&one), under(&absent)), (Err(ENOENT), Ok(b"1".to_vec()), Err(ENOENT)));
    expect_eq!((rename_with(&one, &other, EXCHANGE), under(&one), under(&other)), (Ok(()), Ok(b"2".to_vec()), Ok(b"1".to_vec())));
    expect_eq!(rename_with(&one, &other, EXCHANGE | NO_REPLACE), Err(EINVAL));
    let links = stat(scratch.path())?.st_nlink;
    expect_eq!((rename_with(&one, &directory, EXCHANGE), under(&directory), rmdir(&one)), (Ok(()), Ok(b"2".to_vec()), Ok(())));
    expect_eq!((stat(scratch.path())?.st_nlink, rename_with(&other, &absent, NO_REPLACE)), (links - 1, Ok(())));
    expect_eq!(names_in(scratch.path()), Ok(vec!["absent".to_owned(), "directory".to_owned()]));
    Ok(())
}

/// Names of one file are equal: each finds the same bytes, and the last one takes the file with it.
#[conformance::test(posix = "link", posix = "unlink")]
fn may_have_several_names() -> Outcome {
    let scratch = Scratch::new()?;
    let paths = ["a", "b", "c"].map(|name| scratch.join(name));
    let open_file = named(&paths[0], b"shared")?;
    expect_eq!((link(&paths[0], &paths[1]), link(&paths[1], &paths[2]), fstat(&open_file)?.st_nlink), (Ok(()), Ok(()), 3));
    expect_eq!((link(&paths[0], &paths[2]), fstat(&open_file)?.st_nlink), (Err(EEXIST), 3));
    // Renaming one name to another of the same file does nothing.
    expect_eq!((rename(&paths[0], &paths[1]), names_in(scratch.path())?.len(), fstat(&open_file)?.st_nlink), (Ok(()), 3, 3));
    for (left, path) in [2, 1, 0].into_iter().zip(&paths) {
        expect_eq!((under(path), unlink(path)), (Ok(b"shared".to_vec()), Ok(())));
        expect_eq!((fstat(&open_file)?.st_nlink, under(path)), (left, Err(ENOENT)));
    }
    expect_eq!((content(&open_file), names_in(scratch.path())), (Ok(b"shared".to_vec()), Ok(vec![])));
    expect_eq!(link(scratch.path(), &paths[0]), Err(EPERM));
    Ok(())
}

/// A symbolic link gives back its target to the byte, however long, with the length as its size; a short buffer gets the beginning.
#[rstest]
#[case::one_byte(1)]
#[case::inside_the_inode(60)]
#[case::one_below_a_short_one(126)]
#[case::longest_short_one(127)]
#[case::shortest_long_one(128)]
#[case::one_above(129)]
#[case::longest(4095)]
#[conformance::test(posix = "symlink", posix = "readlink")]
fn are_pointed_at_by_links(#[case] length: usize) -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("pointer");
    let target: String = (0..length).map(|index| char::from(b'a' + u8::try_from(index % 26).unwrap_or(0))).collect();
    expect_eq!((symlink(&target, &path), lstat(&path)?.st_size), (Ok(()), offset(length)));
    expect_eq!(
        (readlink(&path), readlink_into(&path, length + 9)),
        (Ok(target.clone().into_bytes()), Ok(target.clone().into_bytes()))
    );
    let short = length.div_ceil(2);
    expect_eq!(readlink_into(&path, short), Ok(target.as_bytes()[..short].to_vec()));
    expect_eq!((symlink("other", &path), readlink(&path)), (Err(EEXIST), Ok(target.into_bytes())));
    Ok(())
}

/// A target that is no path at all, or longer than any, is refused, and no link is made; following links ends somewhere.
#[conformance::test(posix = "symlink", posix = "open")]
fn are_not_found_by_links_without_end() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("pointer");
    expect_eq!((symlink(&"t".repeat(4096), &path), symlink("", &path)), (Err(ENAMETOOLONG), Err(ENOENT)));
    expect_eq!(names_in(scratch.path()), Ok(vec![]));
    symlink("pointer", &path)?;
    expect_eq!(
        (open(&path, OFlag::O_RDONLY).map(drop), open(&path, OFlag::O_RDONLY | OFlag::O_NOFOLLOW).map(drop)),
        (Err(ELOOP), Err(ELOOP))
    );
    let target = scratch.join("target");
    let _file = named(&target, b"found")?;
    symlink(target.to_str().unwrap_or_default(), &scratch.join("to the target"))?;
    expect_eq!(under(&scratch.join("to the target")), Ok(b"found".to_vec()));
    Ok(())
}

/// Names have up to 255 bytes.
#[conformance::test(posix = "open", man = "tmpfs(5)")]
fn have_names_of_a_limited_length() -> Outcome {
    let scratch = Scratch::new()?;
    let (longest, longer) = ("n".repeat(255), "n".repeat(256));
    expect_eq!(named(&scratch.join(&longest), b"x").map(drop), Ok(()));
    expect_eq!(named(&scratch.join(&longer), b"x").map(drop), Err(ENAMETOOLONG));
    expect_eq!(names_in(scratch.path()), Ok(vec![longest]));
    Ok(())
}

/// Attributes that users give a file are kept to the byte, replaced and removed as asked; whether there are any is observed.
#[conformance::test(man = "xattr(7)", level = observed)]
fn may_have_attributes() -> Outcome {
    const CREATE: i32 = 1;
    const REPLACE: i32 = 2;
    let file = holding(b"abc")?;
    let (name, other) = (c"user.name", c"user.other");
    let set = set_attribute(&file, name, b"value", CREATE);
    observe!("posix_shm.user-attributes", format!("{set:?}"));
    if set == Err(EOPNOTSUPP) {
        return Ok(());
    }
    expect_eq!((set, attribute(&file, name, 100)), (Ok(()), Ok(b"value".to_vec())));
    let missing = Errno::from_raw(nix::errno::Errno::ENODATA as i32);
    expect_eq!((set_attribute(&file, name, b"x", CREATE), set_attribute(&file, other, b"x", REPLACE)), (Err(EEXIST), Err(missing)));
    expect_eq!((attribute(&file, name, 4), attribute(&file, name, 5)), (Err(ERANGE), Ok(b"value".to_vec())));
    expect_eq!((set_attribute(&file, name, b"", 0), attribute(&file, name, 5)), (Ok(()), Ok(vec![])));
    expect_eq!((remove_attribute(&file, name), remove_attribute(&file, name)), (Ok(()), Err(missing)));
    expect_eq!((attribute(&file, name, 5), content(&file)), (Err(missing), Ok(b"abc".to_vec())));
    Ok(())
}
