//! What the other flags of `open` mean for a FIFO, and whom they concern.

use conformance::prelude::*;
use conformance::sys::path::status::permissions;
use rstest::rstest;

use super::fixture::{Named, Side, names_in};

/// `O_TRUNC` does nothing to a FIFO: what is in it stays, and the flag does not show.
#[conformance::test(posix = "open")]
fn truncating_keeps_the_data() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"kept")?;
    let truncating = open(fifo.path(), OFlag::O_WRONLY | OFlag::O_TRUNC);
    expect_eq!(truncating.and_then(|second| write(second, b" too")), Ok(4));
    expect_eq!(open(fifo.path(), OFlag::O_RDWR | OFlag::O_TRUNC).map(drop), Ok(()));
    expect_eq!((unread(&reader), read_some(&reader, 99)), (Ok(8), Ok(b"kept too".to_vec())));
    Ok(())
}

/// `O_TRUNC` does not spare a writer the wait for a reader, nor the error if it does not want to wait.
#[conformance::test(posix = "open")]
fn truncating_needs_a_reader_too() -> Outcome {
    let fifo = Named::new()?;
    expect_eq!(fifo.visit(OFlag::O_WRONLY | OFlag::O_TRUNC), Err(ENXIO));
    let writer = Participant::spawn("writer", (), |(), _| open(fifo.path(), OFlag::O_WRONLY | OFlag::O_TRUNC).map(drop))?;
    writer.until_blocked()?;
    fifo.visit(OFlag::O_RDONLY)?;
    expect_eq!(writer.join()?, Ok(()));
    Ok(())
}

/// `O_CREAT` opens a FIFO that exists, and leaves its permissions alone.
#[conformance::test(posix = "open")]
fn creating_opens_what_exists() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    let writer = create(fifo.path(), OFlag::O_WRONLY | OFlag::O_NONBLOCK, 0o777);
    expect_eq!(writer.and_then(|writer| write(writer, b"data")), Ok(4));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    expect_eq!(permissions(&stat(fifo.path())?), 0o600);
    Ok(())
}

/// `O_CREAT` waits for the other side as opening without it does.
#[rstest]
#[conformance::test(posix = "open")]
fn creating_waits_for_the_other_side(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let opener = Participant::spawn("opener", (), |(), _| create(fifo.path(), side.flag(), 0o600).map(drop))?;
    opener.until_blocked()?;
    fifo.visit(side.other().flag())?;
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// `O_CREAT` with `O_EXCL` refuses a FIFO that exists, at once, and nobody was there.
#[rstest]
#[conformance::test(posix = "open")]
fn creating_exclusively_fails_at_once(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    expect_eq!(create(fifo.path(), side.flag() | OFlag::O_EXCL, 0o600).map(drop), Err(EEXIST));
    expect_eq!(fifo.nobody_at(side), Ok(true));
    Ok(())
}

/// `O_DIRECTORY` refuses a FIFO at once, and nobody was there.
#[conformance::test(posix = "open")]
fn asking_for_a_directory_fails_at_once() -> Outcome {
    let fifo = Named::new()?;
    expect_eq!(open(fifo.path(), OFlag::O_RDONLY | OFlag::O_DIRECTORY).map(drop), Err(ENOTDIR));
    expect_eq!(fifo.nobody_at(Side::Reader), Ok(true));
    Ok(())
}

/// `O_NOFOLLOW` opens a FIFO, and refuses a symbolic link to one, at once.
#[conformance::test(posix = "open")]
fn not_following_refuses_a_link_at_once() -> Outcome {
    let fifo = Named::new()?;
    std::os::unix::fs::symlink("fifo", fifo.beside("link"))?;
    expect_eq!(open(&fifo.beside("link"), OFlag::O_RDONLY | OFlag::O_NOFOLLOW).map(drop), Err(ELOOP));
    expect_eq!(fifo.nobody_at(Side::Reader), Ok(true));
    expect_eq!(fifo.visit(OFlag::O_RDONLY | OFlag::O_NOFOLLOW), Ok(()));
    Ok(())
}

/// `O_APPEND` says nothing that is not so already: bytes go behind those that are there.
#[conformance::test(posix = "open", posix = "write")]
fn appending_adds_to_what_is_there() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let appending = open(fifo.path(), OFlag::O_WRONLY | OFlag::O_APPEND)?;
    let written = [write(&appending, b"one "), write(&writer, b"two "), write(&appending, b"three")];
    expect_eq!(written, [Ok(4), Ok(4), Ok(5)]);
    expect_eq!(read_some(&reader, 99), Ok(b"one two three".to_vec()));
    Ok(())
}

/// Whether a call waits is a matter of the open description that it goes through: of two readers one waits and one does not.
#[conformance::test(posix = "open", posix = "read")]
fn not_waiting_concerns_one_description_only() -> Outcome {
    let fifo = Named::new()?;
    let hasty = fifo.reader()?;
    let writer = fifo.writer()?;
    let patient = open(fifo.path(), OFlag::O_RDONLY)?;
    let reader = Participant::spawn("patient reader", patient, |end, _| read_some(&end, 9))?;
    reader.until_blocked()?;
    expect_eq!(read(&hasty, &mut [0; 1]), Err(EAGAIN));
    reader.expect_still_blocked()?;
    expect_eq!(write(&writer, b"data"), Ok(4));
    expect_eq!(reader.join()?, Ok(b"data".to_vec()));
    Ok(())
}

/// `O_NONBLOCK` can be taken off after opening, and then holds for copies of the descriptor as well.
#[conformance::test(posix = "fcntl")]
fn not_waiting_can_be_taken_back() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    let copy = dup(&reader)?;
    let writer = fifo.writer()?;
    set_nonblocking(&reader, false)?;
    let blocked = Participant::spawn("reader", copy, |end, _| read_some(&end, 9))?;
    blocked.until_blocked()?;
    expect_eq!(write(&writer, b"data"), Ok(4));
    expect_eq!(blocked.join()?, Ok(b"data".to_vec()));
    Ok(())
}

/// A descriptor tells how it was opened: its access mode, `O_NONBLOCK` and `O_APPEND`, but neither `O_CREAT` nor `O_TRUNC`.
#[rstest]
#[case::reading(OFlag::O_RDONLY)]
#[case::writing(OFlag::O_WRONLY)]
#[case::both(OFlag::O_RDWR)]
#[conformance::test(posix = "fcntl", posix = "open")]
fn show_in_the_descriptor(#[case] mode: OFlag) -> Outcome {
    let fifo = Named::new()?;
    let _holder = fifo.both()?;
    let plain = open(fifo.path(), mode)?;
    let shown = OFlag::O_ACCMODE | OFlag::O_NONBLOCK | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_TRUNC;
    let set = OFlag::O_NONBLOCK | OFlag::O_APPEND;
    let flagged = create(fifo.path(), mode | set, 0o600)?;
    let seen = [status_flags(&plain)? & shown, status_flags(&flagged)? & shown];
    expect_eq!(seen, [mode, mode | set]);
    Ok(())
}

/// Reading from a descriptor that was opened for writing is an error, and so is the reverse; nothing moves.
#[conformance::test(posix = "read", posix = "write")]
fn bind_to_one_direction() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"data")?;
    expect_eq!((read(&writer, &mut [0; 4]), write(&reader, b"x")), (Err(EBADF), Err(EBADF)));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    Ok(())
}

/// A descriptor is closed by `exec` only if it was opened with `O_CLOEXEC`.
#[conformance::test(posix = "open")]
fn say_whether_exec_closes_it() -> Outcome {
    let fifo = Named::new()?;
    let (stays, goes) = (fifo.reader()?, open(fifo.path(), OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?);
    expect_eq!((close_on_exec(&stays), close_on_exec(&goes)), (Ok(false), Ok(true)));
    Ok(())
}

/// What a missing name is created as by `open` is a regular file, never a FIFO.
#[conformance::test(posix = "open")]
fn creating_makes_a_file() -> Outcome {
    let fifo = Named::new()?;
    let made = create(&fifo.beside("new"), OFlag::O_WRONLY | OFlag::O_NONBLOCK, 0o600)?;
    expect!(!conformance::sys::path::status::is_fifo(&fstat(&made)?));
    expect_eq!(write(&made, b"data"), Ok(4));
    expect_eq!(names_in(fifo.directory()), Ok(vec!["fifo".to_owned(), "new".to_owned()]));
    Ok(())
}
