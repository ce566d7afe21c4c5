//! Names of files on a tmpfs: `link`, `symlink`, `readlink`, `rename`, `renameat2`, and files without a name (`O_TMPFILE`).
//!
//! The cases use the temporary directory of the case, which is a tmpfs wherever the sandbox can mount one.

use conformance::prelude::*;
use conformance::sys::path::names::{
    EXCHANGE, NO_REPLACE, link, link_open, mkdir, names_in, readlink, readlink_into, rename_with, rmdir, symlink,
};
use conformance::sys::path::status::lstat;
use rstest::rstest;

use common::memory_file::{content, named, under};

/// A file from `open` with `O_TMPFILE` has `st_nlink` 0; after `linkat` of its descriptor to a new name `st_nlink` is 1, and
/// `open` of this name opens the file. If the file was opened with `O_TMPFILE | O_EXCL`, `linkat` fails with `ENOENT`.
#[conformance::test(man = "open(2)", needs(procfs))]
fn linkat_names_an_o_tmpfile_file() -> Outcome {
    let scratch = Scratch::new()?;
    let unnamed = |flags| nix::fcntl::open(scratch.path(), OFlag::O_TMPFILE | OFlag::O_RDWR | flags, nix::sys::stat::Mode::S_IRWXU);
    let open_file = match unnamed(OFlag::empty()) {
        Err(nix::errno::Errno::EOPNOTSUPP | nix::errno::Errno::EISDIR) => unsupported!("O_TMPFILE", EOPNOTSUPP),
        other => other?,
    };
    expect_eq!((pwrite(&open_file, b"whole", 0), fstat(&open_file)?.st_nlink, names_in(scratch.path())), (Ok(5), 0, Ok(vec![])));
    let path = scratch.join("named");
    expect_eq!((link_open(&open_file, &path), fstat(&open_file)?.st_nlink), (Ok(()), 1));
    expect_eq!((under(&path), stat(&path)?.st_ino), (Ok(b"whole".to_vec()), fstat(&open_file)?.st_ino));
    expect_eq!(link_open(&open_file, &path), Err(EEXIST));
    let unlinkable = unnamed(OFlag::O_EXCL)?;
    expect_eq!(
        (link_open(&unlinkable, &scratch.join("never")), names_in(scratch.path())),
        (Err(ENOENT), Ok(vec!["named".to_owned()]))
    );
    Ok(())
}

/// After `rename` of one file onto the name of another, `open` of this name opens the renamed file. A descriptor and a mapping of
/// the replaced file still show its bytes, and `fstat` on the descriptor returns `st_nlink` 0.
#[conformance::test(posix = "rename")]
fn rename_replaces_the_target() -> Outcome {
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

/// `renameat2` with `RENAME_NOREPLACE` fails with `EEXIST` if the new name exists. `renameat2` with `RENAME_EXCHANGE` exchanges
/// the names of two files, or of a file and a directory, and returns 0, and fails with `ENOENT` if the new name does not exist.
#[conformance::test(man = "rename(2)")]
fn renameat2_obeys_its_flags() -> Outcome {
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

/// After `link`, `open` of each name of a file shows the same bytes, and `st_nlink` is the number of names. `unlink` lowers
/// `st_nlink` by 1, and an open descriptor still reads the bytes after the last name is removed.
#[conformance::test(posix = "link", posix = "unlink")]
fn hard_links_are_equal() -> Outcome {
    let scratch = Scratch::new()?;
    let paths = ["a", "b", "c"].map(|name| scratch.join(name));
    let open_file = named(&paths[0], b"shared")?;
    expect_eq!((link(&paths[0], &paths[1]), link(&paths[1], &paths[2]), fstat(&open_file)?.st_nlink), (Ok(()), Ok(()), 3));
    expect_eq!((link(&paths[0], &paths[2]), fstat(&open_file)?.st_nlink), (Err(EEXIST), 3));
    // `rename` between two names of one file does nothing.
    expect_eq!((rename(&paths[0], &paths[1]), names_in(scratch.path())?.len(), fstat(&open_file)?.st_nlink), (Ok(()), 3, 3));
    for (left, path) in [2, 1, 0].into_iter().zip(&paths) {
        expect_eq!((under(path), unlink(path)), (Ok(b"shared".to_vec()), Ok(())));
        expect_eq!((fstat(&open_file)?.st_nlink, under(path)), (left, Err(ENOENT)));
    }
    expect_eq!((content(&open_file), names_in(scratch.path())), (Ok(b"shared".to_vec()), Ok(vec![])));
    expect_eq!(link(scratch.path(), &paths[0]), Err(EPERM));
    Ok(())
}

/// `readlink` returns exactly the target that was given to `symlink`, for targets of 1 to 4095 bytes; with a buffer of n bytes,
/// shorter than the target, `readlink` returns n and the first n bytes. `lstat` returns the length of the target in `st_size`.
#[rstest]
#[case::of_1_byte(1)]
#[case::of_60_bytes(60)]
#[case::of_126_bytes(126)]
#[case::of_127_bytes(127)]
#[case::of_128_bytes(128)]
#[case::of_129_bytes(129)]
#[case::of_4095_bytes(4095)]
#[conformance::test(posix = "symlink", posix = "readlink")]
fn readlink_returns_the_target(#[case] length: usize) -> Outcome {
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

/// `symlink` fails with `ENAMETOOLONG` for a target of 4096 bytes, and with `ENOENT` for an empty target. `open` of a symbolic
/// link whose target is the link itself fails with `ELOOP`.
#[conformance::test(posix = "symlink", posix = "open")]
fn rejects_invalid_symbolic_links() -> Outcome {
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
