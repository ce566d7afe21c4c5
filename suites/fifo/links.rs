//! Several names of one FIFO: hard links, symbolic links and different paths.

use conformance::prelude::*;
use conformance::sys::path::status::{is_fifo, lstat};
use rstest::rstest;

use super::fixture::{AccessMode, Fifo, open_and_close};

/// `stat` of a FIFO and of a hard link to it reports the same `st_ino` and `st_dev`, and `st_nlink` 2. After `unlink` of the
/// first name, `stat` of the hard link reports `st_nlink` 1 and the same `st_ino`.
#[conformance::test(posix = "link")]
fn hard_links_share_one_inode() -> Outcome {
    let fifo = Fifo::new()?;
    let second = fifo.sibling("second");
    expect_eq!(std::fs::hard_link(fifo.path(), &second).map_err(Errno::from), Ok(()));
    let (one, two) = (stat(fifo.path())?, lstat(&second)?);
    expect!(is_fifo(&two));
    expect_eq!((one.st_ino, one.st_dev, one.st_nlink), (two.st_ino, two.st_dev, 2));
    expect_eq!(unlink(fifo.path()), Ok(()));
    expect_eq!((stat(&second)?.st_nlink, stat(&second)?.st_ino), (1, one.st_ino));
    Ok(())
}

/// If `open` of a FIFO for reading is blocked, `open` for writing by a hard link, a symbolic link, or a path with `..` or a
/// linked directory makes the blocked call return a descriptor. `read` from an end opened by this second name returns the bytes
/// written to an end opened by the first.
#[rstest]
#[case::hard_link(|fifo: &Fifo| { std::fs::hard_link(fifo.path(), fifo.sibling("second"))?; Ok(fifo.sibling("second")) })]
#[case::symbolic_link(|fifo: &Fifo| { std::os::unix::fs::symlink("fifo", fifo.sibling("second"))?; Ok(fifo.sibling("second")) })]
#[case::absolute_symbolic_link(|fifo: &Fifo| { std::os::unix::fs::symlink(fifo.path(), fifo.sibling("second"))?; Ok(fifo.sibling("second")) })]
#[case::symbolic_link_to_the_directory(|fifo: &Fifo| { std::os::unix::fs::symlink(".", fifo.sibling("here"))?; Ok(fifo.sibling("here/fifo")) })]
#[case::path_through_dot_dot(|fifo: &Fifo| { std::fs::create_dir(fifo.sibling("sub"))?; Ok(fifo.sibling("sub/../fifo")) })]
#[conformance::test(posix = "link", posix = "symlink", posix = "open")]
fn every_name_reaches_the_same_fifo(#[case] other_name: fn(&Fifo) -> Result<PathBuf, Errno>) -> Outcome {
    let fifo = Fifo::new()?;
    let second = other_name(&fifo)?;
    let reader = fifo.blocked_open(AccessMode::ReadOnly, "reader")?;
    expect_eq!(open_and_close(&second, OFlag::O_WRONLY), Ok(()));
    expect_eq!(reader.join()?, Ok(()));
    let (reader, writer) = (open(&second, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?, fifo.writer()?);
    expect_eq!((write(&writer, b"data"), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}

/// `stat` of a FIFO with a symbolic link to it reports `st_nlink` 1. After `unlink` of the symbolic link, `stat` of the name of
/// the FIFO still reports a FIFO.
#[conformance::test(posix = "symlink", posix = "unlink")]
fn symbolic_link_adds_no_link() -> Outcome {
    let fifo = Fifo::new()?;
    let link = fifo.sibling("link");
    std::os::unix::fs::symlink("fifo", &link)?;
    expect_eq!((is_fifo(&stat(&link)?), is_fifo(&lstat(&link)?), stat(&link)?.st_nlink), (true, false, 1));
    expect_eq!(unlink(&link), Ok(()));
    expect!(is_fifo(&stat(fifo.path())?));
    Ok(())
}

/// If a FIFO is opened for reading by one hard link and for writing by another, and both names are removed by `unlink`, `write`
/// of 4 bytes to the write end returns 4, and `read` from the read end returns these bytes.
#[conformance::test(posix = "unlink", posix = "link")]
fn ends_outlive_both_hard_links() -> Outcome {
    let fifo = Fifo::new()?;
    let second = fifo.sibling("second");
    std::fs::hard_link(fifo.path(), &second)?;
    let reader = fifo.reader()?;
    expect_eq!(unlink(fifo.path()), Ok(()));
    let writer = open(&second, OFlag::O_WRONLY | OFlag::O_NONBLOCK)?;
    expect_eq!(unlink(&second), Ok(()));
    expect_eq!((fstat(&reader)?.st_nlink, fstat(&writer)?.st_ino), (0, fstat(&reader)?.st_ino));
    expect_eq!((write(&writer, b"data"), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}
