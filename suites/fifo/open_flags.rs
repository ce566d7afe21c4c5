//! Flags of `open` other than the access mode, applied to a FIFO: what each of them changes, and that a failed `open` leaves no
//! end open.

use conformance::prelude::*;
use conformance::sys::path::status::permissions;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{AccessMode, Fifo, every_access_mode, names_in};

/// `open` of a FIFO that has a reader, with `O_WRONLY | O_TRUNC` or `O_RDWR | O_TRUNC`, returns a descriptor, and `read` then
/// still returns all bytes that were unread before.
#[conformance::test(posix = "open")]
fn o_trunc_keeps_the_data() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"kept")?;
    let truncating = open(fifo.path(), OFlag::O_WRONLY | OFlag::O_TRUNC);
    expect_eq!(truncating.and_then(|second| write(second, b" too")), Ok(4));
    expect_eq!(open(fifo.path(), OFlag::O_RDWR | OFlag::O_TRUNC).map(drop), Ok(()));
    expect_eq!((unread(&reader), read_some(&reader, 99)), (Ok(8), Ok(b"kept too".to_vec())));
    Ok(())
}

/// Without a reader, `open` of a FIFO with `O_WRONLY | O_TRUNC` blocks until a reader opens. With `O_WRONLY | O_TRUNC |
/// O_NONBLOCK`, the call fails with `ENXIO`.
#[conformance::test(posix = "open")]
fn o_trunc_for_writing_needs_a_reader() -> Outcome {
    let fifo = Fifo::new()?;
    expect_eq!(fifo.open_and_close(OFlag::O_WRONLY | OFlag::O_TRUNC), Err(ENXIO));
    let writer = Participant::spawn("writer", (), |(), _| open(fifo.path(), OFlag::O_WRONLY | OFlag::O_TRUNC).map(drop))?;
    writer.until_blocked()?;
    fifo.open_and_close(OFlag::O_RDONLY)?;
    expect_eq!(writer.join()?, Ok(()));
    Ok(())
}

/// `open` with `O_CREAT | O_WRONLY | O_NONBLOCK` and mode 0777 of an existing FIFO with a reader returns a descriptor, and the
/// reader reads the bytes written to it. The permissions of the FIFO stay 0600.
#[conformance::test(posix = "open")]
fn o_creat_opens_an_existing_fifo() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    let writer = create(fifo.path(), OFlag::O_WRONLY | OFlag::O_NONBLOCK, 0o777);
    expect_eq!(writer.and_then(|writer| write(writer, b"data")), Ok(4));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    expect_eq!(permissions(&stat(fifo.path())?), 0o600);
    Ok(())
}

/// `open` with `O_CREAT` of an existing FIFO for reading or writing blocks until the opposite end is opened, and then returns a
/// descriptor.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn o_creat_blocks_until_the_opposite_end_opens(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = Participant::spawn("opener", (), |(), _| create(fifo.path(), access.flag(), 0o600).map(drop))?;
    opener.until_blocked()?;
    fifo.open_and_close(access.opposite().flag())?;
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// `open` with `O_CREAT | O_EXCL` of an existing FIFO fails with `EEXIST` without blocking. If that call was for reading, `open`
/// with `O_WRONLY | O_NONBLOCK` then fails with `ENXIO`; if it was for writing, `read` by a new reader returns 0.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn o_excl_fails_without_blocking(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    expect_eq!(create(fifo.path(), access.flag() | OFlag::O_EXCL, 0o600).map(drop), Err(EEXIST));
    expect_eq!(fifo.is_closed(access), Ok(true));
    Ok(())
}

/// `open` of a FIFO with `O_RDONLY | O_DIRECTORY` fails with `ENOTDIR` without blocking. `open` with `O_WRONLY | O_NONBLOCK` then
/// fails with `ENXIO`.
#[conformance::test(posix = "open")]
fn o_directory_fails_without_blocking() -> Outcome {
    let fifo = Fifo::new()?;
    expect_eq!(open(fifo.path(), OFlag::O_RDONLY | OFlag::O_DIRECTORY).map(drop), Err(ENOTDIR));
    expect_eq!(fifo.is_closed(AccessMode::ReadOnly), Ok(true));
    Ok(())
}

/// `open` with `O_RDONLY | O_NOFOLLOW` of a symbolic link to a FIFO fails with `ELOOP` without blocking. `open` of the FIFO
/// itself with `O_RDONLY | O_NOFOLLOW | O_NONBLOCK` returns a descriptor.
#[conformance::test(posix = "open")]
fn o_nofollow_rejects_a_symbolic_link() -> Outcome {
    let fifo = Fifo::new()?;
    std::os::unix::fs::symlink("fifo", fifo.sibling("link"))?;
    expect_eq!(open(&fifo.sibling("link"), OFlag::O_RDONLY | OFlag::O_NOFOLLOW).map(drop), Err(ELOOP));
    expect_eq!(fifo.is_closed(AccessMode::ReadOnly), Ok(true));
    expect_eq!(fifo.open_and_close(OFlag::O_RDONLY | OFlag::O_NOFOLLOW), Ok(()));
    Ok(())
}

/// If one descriptor of a FIFO has `O_APPEND` set and another has not, `read` returns the bytes of all `write` calls through both
/// in the order of the calls.
#[conformance::test(posix = "open", posix = "write")]
fn o_append_has_no_effect() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let appending = open(fifo.path(), OFlag::O_WRONLY | OFlag::O_APPEND)?;
    let written = [write(&appending, b"one "), write(&writer, b"two "), write(&appending, b"three")];
    expect_eq!(written, [Ok(4), Ok(4), Ok(5)]);
    expect_eq!(read_some(&reader, 99), Ok(b"one two three".to_vec()));
    Ok(())
}

/// `read` of an empty FIFO with a writer fails with `EAGAIN` through an open file description with `O_NONBLOCK`, and blocks
/// through another open file description without the flag.
#[conformance::test(posix = "open", posix = "read")]
fn o_nonblock_is_per_description() -> Outcome {
    let fifo = Fifo::new()?;
    let nonblocking = fifo.reader()?;
    let writer = fifo.writer()?;
    let blocking = open(fifo.path(), OFlag::O_RDONLY)?;
    let reader = Participant::spawn("reader", blocking, |end, _| read_some(&end, 9))?;
    reader.until_blocked()?;
    expect_eq!(read(&nonblocking, &mut [0; 1]), Err(EAGAIN));
    reader.expect_still_blocked()?;
    expect_eq!(write(&writer, b"data"), Ok(4));
    expect_eq!(reader.join()?, Ok(b"data".to_vec()));
    Ok(())
}

/// After `fcntl(F_SETFL)` clears `O_NONBLOCK` on a read end of an empty FIFO with a writer, `read` through a duplicate of that
/// descriptor blocks until the writer writes.
#[conformance::test(posix = "fcntl")]
fn o_nonblock_can_be_cleared() -> Outcome {
    let fifo = Fifo::new()?;
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

/// `fcntl(F_GETFL)` on a FIFO opened with `O_CREAT | O_NONBLOCK | O_APPEND` and one of `O_RDONLY`, `O_WRONLY` and `O_RDWR`
/// returns this access mode with `O_NONBLOCK` and `O_APPEND`, and without `O_CREAT`. On a FIFO opened without these flags, the
/// call returns the access mode only.
#[rstest]
#[case::read_only(OFlag::O_RDONLY)]
#[case::write_only(OFlag::O_WRONLY)]
#[case::read_write(OFlag::O_RDWR)]
#[conformance::test(posix = "fcntl", posix = "open")]
fn f_getfl_returns_access_mode_and_status_flags(#[case] mode: OFlag) -> Outcome {
    let fifo = Fifo::new()?;
    let _holder = fifo.read_write()?;
    let plain = open(fifo.path(), mode)?;
    let shown = OFlag::O_ACCMODE | OFlag::O_NONBLOCK | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_TRUNC;
    let set = OFlag::O_NONBLOCK | OFlag::O_APPEND;
    let flagged = create(fifo.path(), mode | set, 0o600)?;
    let seen = [status_flags(&plain)? & shown, status_flags(&flagged)? & shown];
    expect_eq!(seen, [mode, mode | set]);
    Ok(())
}

/// `read` from the write end and `write` to the read end of a FIFO fail with `EBADF`, and the unread bytes stay in the FIFO.
#[conformance::test(posix = "read", posix = "write")]
fn access_mode_limits_the_direction() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"data")?;
    expect_eq!((read(&writer, &mut [0; 4]), write(&reader, b"x")), (Err(EBADF), Err(EBADF)));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    Ok(())
}

/// `fcntl(F_GETFD)` returns `FD_CLOEXEC` for a FIFO opened with `O_CLOEXEC`, and 0 for a FIFO opened without the flag.
#[conformance::test(posix = "open")]
fn o_cloexec_sets_fd_cloexec() -> Outcome {
    let fifo = Fifo::new()?;
    let (stays, goes) = (fifo.reader()?, open(fifo.path(), OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?);
    expect_eq!((close_on_exec(&stays), close_on_exec(&goes)), (Ok(false), Ok(true)));
    Ok(())
}

/// `open` with `O_CREAT | O_WRONLY | O_NONBLOCK` of a name that does not exist creates a file for which `fstat` reports a type
/// other than FIFO. `write` of 4 bytes to that file returns 4.
#[conformance::test(posix = "open")]
fn o_creat_creates_no_fifo() -> Outcome {
    let fifo = Fifo::new()?;
    let made = create(&fifo.sibling("new"), OFlag::O_WRONLY | OFlag::O_NONBLOCK, 0o600)?;
    expect!(!conformance::sys::path::status::is_fifo(&fstat(&made)?));
    expect_eq!(write(&made, b"data"), Ok(4));
    expect_eq!(names_in(fifo.directory()), Ok(vec!["fifo".to_owned(), "new".to_owned()]));
    Ok(())
}
