//! `unlink` and `rename` of the name of a FIFO that is open, or on which an `open` is blocked.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{AccessMode, Fifo, every_access_mode, names_in, open_and_close};

/// After `unlink` of the only name of an open FIFO, `write` of 5 bytes to the write end returns 5, `read` returns all bytes
/// written before and after `unlink`, and `fstat` reports `st_nlink` 0. `open` of the removed name fails with `ENOENT`.
#[conformance::test(posix = "unlink")]
fn unlinked_fifo_stays_usable() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"before ")?;
    expect_eq!(unlink(fifo.path()), Ok(()));
    expect_eq!((fifo.open_and_close(OFlag::O_RDONLY), fstat(&reader)?.st_nlink), (Err(ENOENT), 0));
    expect_eq!((write(&writer, b"after"), read_some(&reader, 99)), (Ok(5), Ok(b"before after".to_vec())));
    drop(writer);
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}

/// `read` blocked on an empty FIFO stays blocked when the name is removed by `unlink`, and returns the bytes of the next `write`.
#[conformance::test(posix = "unlink")]
fn unlink_keeps_a_read_blocked() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let blocked = Participant::spawn("reader", reader, |end, _| read_some(&end, 9))?;
    blocked.until_blocked()?;
    expect_eq!(unlink(fifo.path()), Ok(()));
    blocked.expect_still_blocked()?;
    expect_eq!(write(&writer, b"data"), Ok(4));
    expect_eq!(blocked.join()?, Ok(b"data".to_vec()));
    Ok(())
}

/// After `unlink` of an open FIFO and `mkfifo` of the same name, `stat` reports another inode, and `open` of the name with
/// `O_WRONLY | O_NONBLOCK` fails with `ENXIO`. `read` from each of the two FIFOs returns only the bytes written to that FIFO.
#[conformance::test(posix = "unlink", posix = "mkfifo")]
fn recreated_name_is_a_new_fifo() -> Outcome {
    let fifo = Fifo::new()?;
    let (old_reader, old_writer) = fifo.ends()?;
    write_all(&old_writer, b"old")?;
    unlink(fifo.path())?;
    mkfifo(fifo.path(), 0o600)?;
    let (new, old) = (stat(fifo.path())?.st_ino, fstat(&old_reader)?.st_ino);
    expect!(new != old, "both have inode {new}");
    expect_eq!(fifo.writer().map(drop), Err(ENXIO));
    let (reader, writer) = fifo.ends()?;
    expect_eq!((unread(&reader), write(&writer, b"new")), (Ok(0), Ok(3)));
    expect_eq!((read_some(&old_reader, 9), read_some(&reader, 9)), (Ok(b"old".to_vec()), Ok(b"new".to_vec())));
    Ok(())
}

/// `open` blocked on a FIFO stays blocked when its name is removed by `unlink` and a new FIFO, created by `mkfifo` with the same
/// name, is opened with `O_RDWR`. `open` of the opposite end of the old FIFO by another hard link makes the blocked `open` return
/// a descriptor.
#[apply(every_access_mode)]
#[conformance::test(posix = "open", posix = "unlink")]
fn blocked_open_stays_with_the_unlinked_fifo(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    std::fs::hard_link(fifo.path(), fifo.sibling("kept"))?;
    let opener = fifo.blocked_open(access, "opener")?;
    expect_eq!(unlink(fifo.path()), Ok(()));
    mkfifo(fifo.path(), 0o600)?;
    expect_eq!(fifo.open_and_close(OFlag::O_RDWR), Ok(()));
    opener.expect_still_blocked()?;
    expect_eq!(open_and_close(&fifo.sibling("kept"), access.opposite().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// `open` blocked on a FIFO stays blocked when the only name of the FIFO is removed by `unlink`. `SIGTERM` then kills the blocked
/// process.
#[apply(every_access_mode)]
#[conformance::test(posix = "open", posix = "unlink")]
fn blocked_open_of_an_unlinked_fifo_can_be_killed(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = fifo.blocked_open(access, "opener")?;
    expect_eq!(unlink(fifo.path()), Ok(()));
    opener.expect_still_blocked()?;
    opener.signal(Signal::SIGTERM)?;
    expect_eq!(opener.end()?, End::Killed(Signal::SIGTERM));
    expect_eq!(names_in(fifo.directory()), Ok(vec![]));
    Ok(())
}

/// After `rename` of a FIFO with a reader and unread bytes, `open` of the new name with `O_WRONLY | O_NONBLOCK` returns a
/// descriptor, and the reader reads the unread bytes and then those written to it. `open` of the old name fails with `ENOENT`.
#[conformance::test(posix = "rename")]
fn rename_keeps_ends_and_bytes() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"one ")?;
    let new = fifo.sibling("new");
    expect_eq!(rename(fifo.path(), &new), Ok(()));
    let second = open(&new, OFlag::O_WRONLY | OFlag::O_NONBLOCK);
    expect_eq!(second.and_then(|second| write(second, b"two")), Ok(3));
    expect_eq!((fifo.open_and_close(OFlag::O_RDONLY), read_some(&reader, 99)), (Err(ENOENT), Ok(b"one two".to_vec())));
    Ok(())
}

/// `open` blocked on a FIFO stays blocked when the FIFO is renamed by `rename`, and returns a descriptor when the opposite end is
/// opened by the new name.
#[apply(every_access_mode)]
#[conformance::test(posix = "open", posix = "rename")]
fn rename_keeps_an_open_blocked(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = fifo.blocked_open(access, "opener")?;
    expect_eq!(rename(fifo.path(), &fifo.sibling("new")), Ok(()));
    opener.expect_still_blocked()?;
    expect_eq!(open_and_close(&fifo.sibling("new"), access.opposite().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// After `rename` of a second FIFO to the name of an open FIFO, `stat` of the name reports the inode of the second FIFO, and
/// `fstat` of the open read end reports `st_nlink` 0. `write` of 4 bytes to the open write end returns 4, and `read` from the
/// open read end returns these bytes.
#[conformance::test(posix = "rename")]
fn rename_over_a_fifo_keeps_its_open_ends() -> Outcome {
    let fifo = Fifo::new()?;
    let other = fifo.sibling("other");
    mkfifo(&other, 0o600)?;
    let (reader, writer) = fifo.ends()?;
    let inode = stat(&other)?.st_ino;
    expect_eq!(rename(&other, fifo.path()), Ok(()));
    expect_eq!((stat(fifo.path())?.st_ino, fstat(&reader)?.st_nlink), (inode, 0));
    expect_eq!(fifo.writer().map(drop), Err(ENXIO));
    expect_eq!((write(&writer, b"data"), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}
