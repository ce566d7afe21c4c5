//! Names relative to an open directory (`mkfifoat`, `mknodat`, `openat`).

use conformance::prelude::*;
use conformance::sys::path::node::{mkfifoat, mknodat_fifo};
use conformance::sys::path::open::openat;
use conformance::sys::path::status::{is_fifo, permissions};
use nix::fcntl::AT_FDCWD;
use rstest::rstest;

use super::fixture::{Named, names_in};

/// A call that makes a FIFO relative to a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// `mkfifoat`.
    Mkfifoat,
    /// `mknodat` with the type of a FIFO.
    Mknodat,
}

impl Maker {
    fn make(self, directory: impl AsFd, path: &str) -> Result<(), Errno> {
        match self {
            Maker::Mkfifoat => mkfifoat(directory, Path::new(path), 0o666),
            Maker::Mknodat => mknodat_fifo(directory, Path::new(path), 0o666),
        }
    }
}

fn directory_of(scratch: &Scratch) -> Result<OwnedFd, Errno> {
    open(scratch.path(), OFlag::O_RDONLY | OFlag::O_DIRECTORY)
}

/// A relative path starts at the directory that is open, also after that has been renamed, and never at the working directory.
#[rstest]
#[conformance::test(posix = "mkfifoat", posix = "mknodat")]
fn starts_at_the_open_directory(#[values(Maker::Mkfifoat, Maker::Mknodat)] maker: Maker) -> Outcome {
    let scratch = Scratch::new()?;
    std::fs::create_dir(scratch.join("before"))?;
    let directory = open(&scratch.join("before"), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    rename(&scratch.join("before"), &scratch.join("after"))?;
    expect_eq!(maker.make(&directory, "fifo"), Ok(()));
    let status = stat(&scratch.join("after/fifo"))?;
    expect_eq!((is_fifo(&status), permissions(&status)), (true, 0o644));
    expect_eq!(names_in(scratch.path()), Ok(vec!["after".to_owned()]));
    Ok(())
}

/// `AT_FDCWD` stands for the working directory.
#[rstest]
#[conformance::test(posix = "mkfifoat", posix = "mknodat")]
fn starts_at_the_working_directory_if_told_so(#[values(Maker::Mkfifoat, Maker::Mknodat)] maker: Maker) -> Outcome {
    let scratch = Scratch::new()?;
    std::env::set_current_dir(scratch.path())?;
    let made = maker.make(AT_FDCWD, "fifo");
    std::env::set_current_dir("/")?;
    expect_eq!(made, Ok(()));
    expect_eq!(names_in(scratch.path()), Ok(vec!["fifo".to_owned()]));
    Ok(())
}

/// For an absolute path the descriptor is of no account, even if it is that of a file.
#[rstest]
#[conformance::test(posix = "mkfifoat", posix = "mknodat")]
fn ignores_the_descriptor_for_an_absolute_path(#[values(Maker::Mkfifoat, Maker::Mknodat)] maker: Maker) -> Outcome {
    let scratch = Scratch::new()?;
    let file = std::fs::File::create(scratch.join("file"))?;
    let path = scratch.join("fifo");
    expect_eq!(maker.make(&file, path.to_str().ok_or(EINVAL)?), Ok(()));
    expect!(is_fifo(&stat(&path)?));
    Ok(())
}

/// A relative path needs the descriptor of a directory: that of a file, or of a FIFO, is refused.
#[rstest]
#[conformance::test(posix = "mkfifoat", posix = "mknodat")]
fn refuses_a_descriptor_that_is_no_directory(#[values(Maker::Mkfifoat, Maker::Mknodat)] maker: Maker) -> Outcome {
    let fifo = Named::new()?;
    let file = std::fs::File::create(fifo.beside("file"))?;
    let end = fifo.reader()?;
    let before = names_in(fifo.directory())?;
    expect_eq!((maker.make(&file, "new"), maker.make(&end, "new")), (Err(ENOTDIR), Err(ENOTDIR)));
    expect_eq!(names_in(fifo.directory()), Ok(before));
    Ok(())
}

/// A directory that has been removed takes no new name, though it is open.
#[rstest]
#[conformance::test(man = "mknod(2)")]
fn refuses_a_directory_that_was_removed(#[values(Maker::Mkfifoat, Maker::Mknodat)] maker: Maker) -> Outcome {
    let scratch = Scratch::new()?;
    std::fs::create_dir(scratch.join("gone"))?;
    let directory = open(&scratch.join("gone"), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    std::fs::remove_dir(scratch.join("gone"))?;
    expect_eq!(maker.make(&directory, "fifo"), Err(ENOENT));
    Ok(())
}

/// A name that exists in the directory is refused.
#[rstest]
#[conformance::test(posix = "mkfifoat", posix = "mknodat")]
fn refuses_a_name_that_exists(#[values(Maker::Mkfifoat, Maker::Mknodat)] maker: Maker) -> Outcome {
    let scratch = Scratch::new()?;
    let directory = directory_of(&scratch)?;
    expect_eq!((maker.make(&directory, "fifo"), maker.make(&directory, "fifo")), (Ok(()), Err(EEXIST)));
    Ok(())
}

/// A FIFO that is opened relative to a directory is the one that others open by its whole path.
#[conformance::test(posix = "openat")]
fn opens_the_fifo_that_others_open_by_its_path() -> Outcome {
    let fifo = Named::new()?;
    let directory = open(fifo.directory(), OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let reader = fifo.reader()?;
    let writer = openat(&directory, Path::new("fifo"), OFlag::O_WRONLY | OFlag::O_NONBLOCK);
    expect_eq!(writer.and_then(|writer| write(writer, b"data")), Ok(4));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    Ok(())
}

/// An end of a FIFO is no directory to open anything from.
#[conformance::test(posix = "openat")]
fn opens_nothing_below_an_end() -> Outcome {
    let fifo = Named::new()?;
    let end = fifo.reader()?;
    expect_eq!(openat(&end, Path::new("fifo"), OFlag::O_RDONLY | OFlag::O_NONBLOCK).map(drop), Err(ENOTDIR));
    Ok(())
}
