//! Several ways to one FIFO: hard links, symbolic links, and different paths to one name.

use conformance::prelude::*;
use conformance::sys::path::status::{is_fifo, lstat};
use rstest::rstest;

use super::fixture::{Named, Side, visit};

/// A hard link is a second name of the same object; what the one carries the other shows, and the count says two.
#[conformance::test(posix = "link")]
fn are_names_of_one_object() -> Outcome {
    let fifo = Named::new()?;
    let second = fifo.beside("second");
    expect_eq!(std::fs::hard_link(fifo.path(), &second).map_err(Errno::from), Ok(()));
    let (one, two) = (stat(fifo.path())?, lstat(&second)?);
    expect!(is_fifo(&two));
    expect_eq!((one.st_ino, one.st_dev, one.st_nlink), (two.st_ino, two.st_dev, 2));
    expect_eq!(unlink(fifo.path()), Ok(()));
    expect_eq!((stat(&second)?.st_nlink, stat(&second)?.st_ino), (1, one.st_ino));
    Ok(())
}

/// A reader by one name and a writer by another have the same FIFO open, whatever makes the names different.
#[rstest]
#[case::hard_link(|fifo: &Named| { std::fs::hard_link(fifo.path(), fifo.beside("second"))?; Ok(fifo.beside("second")) })]
#[case::symbolic_link(|fifo: &Named| { std::os::unix::fs::symlink("fifo", fifo.beside("second"))?; Ok(fifo.beside("second")) })]
#[case::absolute_symbolic_link(|fifo: &Named| { std::os::unix::fs::symlink(fifo.path(), fifo.beside("second"))?; Ok(fifo.beside("second")) })]
#[case::link_to_the_directory(|fifo: &Named| { std::os::unix::fs::symlink(".", fifo.beside("here"))?; Ok(fifo.beside("here/fifo")) })]
#[case::way_round(|fifo: &Named| { std::fs::create_dir(fifo.beside("sub"))?; Ok(fifo.beside("sub/../fifo")) })]
#[conformance::test(posix = "link", posix = "symlink", posix = "open")]
fn lead_to_the_same_ends(#[case] other_name: fn(&Named) -> Result<PathBuf, Errno>) -> Outcome {
    let fifo = Named::new()?;
    let second = other_name(&fifo)?;
    let reader = fifo.waiting(Side::Reader, "reader")?;
    expect_eq!(visit(&second, OFlag::O_WRONLY), Ok(()));
    expect_eq!(reader.join()?, Ok(()));
    let (reader, writer) = (open(&second, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?, fifo.writer()?);
    expect_eq!((write(&writer, b"data"), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}

/// A symbolic link to a FIFO is a link: it adds nothing to the count, and its removal leaves the FIFO.
#[conformance::test(posix = "symlink", posix = "unlink")]
fn that_are_symbolic_do_not_count() -> Outcome {
    let fifo = Named::new()?;
    let link = fifo.beside("link");
    std::os::unix::fs::symlink("fifo", &link)?;
    expect_eq!((is_fifo(&stat(&link)?), is_fifo(&lstat(&link)?), stat(&link)?.st_nlink), (true, false, 1));
    expect_eq!(unlink(&link), Ok(()));
    expect!(is_fifo(&stat(fifo.path())?));
    Ok(())
}

/// With one of two names removed, those who came by it and those who come by the other still share the FIFO.
#[conformance::test(posix = "unlink", posix = "link")]
fn keep_the_fifo_until_the_last_is_removed() -> Outcome {
    let fifo = Named::new()?;
    let second = fifo.beside("second");
    std::fs::hard_link(fifo.path(), &second)?;
    let reader = fifo.reader()?;
    expect_eq!(unlink(fifo.path()), Ok(()));
    let writer = open(&second, OFlag::O_WRONLY | OFlag::O_NONBLOCK)?;
    expect_eq!(unlink(&second), Ok(()));
    expect_eq!((fstat(&reader)?.st_nlink, fstat(&writer)?.st_ino), (0, fstat(&reader)?.st_ino));
    expect_eq!((write(&writer, b"data"), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}
