//! Paths relative to an open directory: `mkfifoat`, `mknodat` and `openat`.

use conformance::prelude::*;
use conformance::sys::path::node::{mkfifoat, mknodat_fifo};
use conformance::sys::path::open::openat;
use conformance::sys::path::status::{is_fifo, permissions};
use nix::fcntl::AT_FDCWD;
use rstest::rstest;

use super::fixture::{Fifo, names_in};

/// A call that creates a FIFO relative to a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `mkfifoat`.
    Mkfifoat,
    /// `mknodat` with the type of a FIFO.
    Mknodat,
}

impl Call {
    fn create(self, directory: impl AsFd, path: &str) -> Result<(), Errno> {
        match self {
            Call::Mkfifoat => mkfifoat(directory, Path::new(path), 0o666),
            Call::Mknodat => mknodat_fifo(directory, Path::new(path), 0o666),
        }
    }
}

fn directory_of(scratch: &Scratch) -> Result<OwnedFd, Errno> {
    open(scratch.path(), OFlag::O_RDONLY | OFlag::O_DIRECTORY)
}

/// `mkfifoat` and `mknodat` with a directory descriptor and a relative path create the FIFO in the directory that the descriptor
/// refers to, even if that directory was renamed after it was opened.
#[rstest]
#[conformance::test(posix = "mkfifoat", posix = "mknodat")]
fn relative_path_starts_at_the_descriptor(#[values(Call::Mkfifoat, Call::Mknodat)] call: Call) -> Outcome {
    let scratch = Scratch::new()?;
    std::fs::create_dir(scratch.join("before"))?;
    let directory = open(&scratch.join("before"), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    rename(&scratch.join("before"), &scratch.join("after"))?;
    expect_eq!(call.create(&directory, "fifo"), Ok(()));
    let status = stat(&scratch.join("after/fifo"))?;
    expect_eq!((is_fifo(&status), permissions(&status)), (true, 0o644));
    expect_eq!(names_in(scratch.path()), Ok(vec!["after".to_owned()]));
    Ok(())
}

/// `mkfifoat` and `mknodat` with `AT_FDCWD` and a relative path create the FIFO in the working directory of the caller.
#[rstest]
#[conformance::test(posix = "mkfifoat", posix = "mknodat")]
fn at_fdcwd_is_the_working_directory(#[values(Call::Mkfifoat, Call::Mknodat)] call: Call) -> Outcome {
    let scratch = Scratch::new()?;
    std::env::set_current_dir(scratch.path())?;
    let made = call.create(AT_FDCWD, "fifo");
    std::env::set_current_dir("/")?;
    expect_eq!(made, Ok(()));
    expect_eq!(names_in(scratch.path()), Ok(vec!["fifo".to_owned()]));
    Ok(())
}

/// `mkfifoat` and `mknodat` with an absolute path ignore the descriptor, even that of a regular file, and create the FIFO at the
/// path.
#[rstest]
#[conformance::test(posix = "mkfifoat", posix = "mknodat")]
fn ignores_the_descriptor_for_an_absolute_path(#[values(Call::Mkfifoat, Call::Mknodat)] call: Call) -> Outcome {
    let scratch = Scratch::new()?;
    let file = std::fs::File::create(scratch.join("file"))?;
    let path = scratch.join("fifo");
    expect_eq!(call.create(&file, path.to_str().ok_or(EINVAL)?), Ok(()));
    expect!(is_fifo(&stat(&path)?));
    Ok(())
}

/// `mkfifoat` and `mknodat` with a relative path and the descriptor of a regular file or of a FIFO fail with `ENOTDIR` and create
/// no name.
#[rstest]
#[conformance::test(posix = "mkfifoat", posix = "mknodat")]
fn rejects_a_descriptor_of_a_non_directory(#[values(Call::Mkfifoat, Call::Mknodat)] call: Call) -> Outcome {
    let fifo = Fifo::new()?;
    let file = std::fs::File::create(fifo.sibling("file"))?;
    let end = fifo.reader()?;
    let before = names_in(fifo.directory())?;
    expect_eq!((call.create(&file, "new"), call.create(&end, "new")), (Err(ENOTDIR), Err(ENOTDIR)));
    expect_eq!(names_in(fifo.directory()), Ok(before));
    Ok(())
}

/// `mkfifoat` and `mknodat` with a relative path and the descriptor of a directory that was removed by `rmdir` fail with
/// `ENOENT`.
#[rstest]
#[conformance::test(man = "mknod(2)")]
fn rejects_a_removed_directory(#[values(Call::Mkfifoat, Call::Mknodat)] call: Call) -> Outcome {
    let scratch = Scratch::new()?;
    std::fs::create_dir(scratch.join("gone"))?;
    let directory = open(&scratch.join("gone"), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    std::fs::remove_dir(scratch.join("gone"))?;
    expect_eq!(call.create(&directory, "fifo"), Err(ENOENT));
    Ok(())
}

/// `mkfifoat` and `mknodat` with a directory descriptor and a relative path fail with `EEXIST` if the path is the name of a FIFO
/// in that directory.
#[rstest]
#[conformance::test(posix = "mkfifoat", posix = "mknodat")]
fn rejects_an_existing_name(#[values(Call::Mkfifoat, Call::Mknodat)] call: Call) -> Outcome {
    let scratch = Scratch::new()?;
    let directory = directory_of(&scratch)?;
    expect_eq!((call.create(&directory, "fifo"), call.create(&directory, "fifo")), (Ok(()), Err(EEXIST)));
    Ok(())
}

/// `openat` for writing with the descriptor of a directory and the name of a FIFO opens the same FIFO as `open` for reading with
/// the whole path. `write` of 4 bytes to the first descriptor returns 4, and `read` from the second returns these bytes.
#[conformance::test(posix = "openat")]
fn openat_opens_the_same_fifo_as_open() -> Outcome {
    let fifo = Fifo::new()?;
    let directory = open(fifo.directory(), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let reader = fifo.reader()?;
    let writer = openat(&directory, Path::new("fifo"), OFlag::O_WRONLY | OFlag::O_NONBLOCK);
    expect_eq!(writer.and_then(|writer| write(writer, b"data")), Ok(4));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    Ok(())
}

/// `openat` with a relative path and the descriptor of a FIFO fails with `ENOTDIR`.
#[conformance::test(posix = "openat")]
fn openat_rejects_a_fifo_as_directory() -> Outcome {
    let fifo = Fifo::new()?;
    let end = fifo.reader()?;
    expect_eq!(openat(&end, Path::new("fifo"), OFlag::O_RDONLY | OFlag::O_NONBLOCK).map(drop), Err(ENOTDIR));
    Ok(())
}
