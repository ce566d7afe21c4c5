//! Removing a name, or giving it to another FIFO, while the FIFO is open or somebody waits to open it.

use conformance::prelude::*;
use rstest::rstest;

use super::fixture::{Named, Side, names_in, visit};

/// Without its name an open FIFO works on for those who have it open, until they close it; nobody else can come.
#[conformance::test(posix = "unlink")]
fn leaves_open_ends_working() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"before ")?;
    expect_eq!(unlink(fifo.path()), Ok(()));
    expect_eq!((fifo.visit(OFlag::O_RDONLY), fstat(&reader)?.st_nlink), (Err(ENOENT), 0));
    expect_eq!((write(&writer, b"after"), read_some(&reader, 99)), (Ok(5), Ok(b"before after".to_vec())));
    drop(writer);
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}

/// A reader that is blocked is not disturbed when the name goes.
#[conformance::test(posix = "unlink")]
fn does_not_disturb_a_blocked_reader() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let blocked = Participant::spawn("reader", reader, |end, _| read_some(&end, 9))?;
    blocked.until_blocked()?;
    expect_eq!(unlink(fifo.path()), Ok(()));
    blocked.expect_still_blocked()?;
    expect_eq!(write(&writer, b"data"), Ok(4));
    expect_eq!(blocked.join()?, Ok(b"data".to_vec()));
    Ok(())
}

/// A name that was removed and made anew is another FIFO: those who have the old one open are not found there.
#[conformance::test(posix = "unlink", posix = "mkfifo")]
fn makes_room_for_another_fifo() -> Outcome {
    let fifo = Named::new()?;
    let (old_reader, old_writer) = fifo.ends()?;
    write_all(&old_writer, b"old")?;
    unlink(fifo.path())?;
    mkfifo(fifo.path(), 0o600)?;
    expect!(stat(fifo.path())?.st_ino != fstat(&old_reader)?.st_ino);
    expect_eq!(fifo.writer().map(drop), Err(ENXIO));
    let (reader, writer) = fifo.ends()?;
    expect_eq!((unread(&reader), write(&writer, b"new")), (Ok(0), Ok(3)));
    expect_eq!((read_some(&old_reader, 9), read_some(&reader, 9)), (Ok(b"old".to_vec()), Ok(b"new".to_vec())));
    Ok(())
}

/// One that waits in `open` waits for the FIFO that it found, not for the name: who opens the name's next FIFO is another's partner.
#[rstest]
#[conformance::test(posix = "open", posix = "unlink")]
fn leaves_a_waiting_opener_with_the_old_fifo(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    std::fs::hard_link(fifo.path(), fifo.beside("kept"))?;
    let opener = fifo.waiting(side, "opener")?;
    expect_eq!(unlink(fifo.path()), Ok(()));
    mkfifo(fifo.path(), 0o600)?;
    expect_eq!(fifo.visit(OFlag::O_RDWR), Ok(()));
    opener.expect_still_blocked()?;
    expect_eq!(visit(&fifo.beside("kept"), side.other().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// One that waits for a FIFO without any name can still be killed, and nothing is left of it.
#[rstest]
#[conformance::test(posix = "open", posix = "unlink")]
fn leaves_a_waiting_opener_waiting(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let opener = fifo.waiting(side, "opener")?;
    expect_eq!(unlink(fifo.path()), Ok(()));
    opener.expect_still_blocked()?;
    opener.signal(Signal::SIGTERM)?;
    expect_eq!(opener.end()?, End::Killed(Signal::SIGTERM));
    expect_eq!(names_in(fifo.directory()), Ok(vec![]));
    Ok(())
}

/// Renamed, a FIFO is found under its new name only, with those who have it open and what is in it.
#[conformance::test(posix = "rename")]
fn by_renaming_keeps_the_fifo() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"one ")?;
    let new = fifo.beside("new");
    expect_eq!(rename(fifo.path(), &new), Ok(()));
    let second = open(&new, OFlag::O_WRONLY | OFlag::O_NONBLOCK);
    expect_eq!(second.and_then(|second| write(second, b"two")), Ok(3));
    expect_eq!((fifo.visit(OFlag::O_RDONLY), read_some(&reader, 99)), (Err(ENOENT), Ok(b"one two".to_vec())));
    Ok(())
}

/// One that waits in `open` meets a partner that comes by the new name.
#[rstest]
#[conformance::test(posix = "open", posix = "rename")]
fn by_renaming_keeps_a_waiting_opener(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let opener = fifo.waiting(side, "opener")?;
    expect_eq!(rename(fifo.path(), &fifo.beside("new")), Ok(()));
    opener.expect_still_blocked()?;
    expect_eq!(visit(&fifo.beside("new"), side.other().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// Renaming over the name of another FIFO takes that name away from it; its open ends work on.
#[conformance::test(posix = "rename")]
fn by_renaming_over_it_leaves_open_ends_working() -> Outcome {
    let fifo = Named::new()?;
    let other = fifo.beside("other");
    mkfifo(&other, 0o600)?;
    let (reader, writer) = fifo.ends()?;
    let inode = stat(&other)?.st_ino;
    expect_eq!(rename(&other, fifo.path()), Ok(()));
    expect_eq!((stat(fifo.path())?.st_ino, fstat(&reader)?.st_nlink), (inode, 0));
    expect_eq!(fifo.writer().map(drop), Err(ENXIO));
    expect_eq!((write(&writer, b"data"), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}
