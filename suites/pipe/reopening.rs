//! Opening a pipe again through `/proc/self/fd` (Linux): a new open file description of the same pipe, in either direction and
//! with its own flags, which counts as a reader or writer.

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{next, open_nonblocking};
use common::pipe::Kind;

const NONBLOCKING: OFlag = OFlag::O_NONBLOCK;

fn path(end: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", end.as_raw_fd()))
}

/// Opens the pipe of this end again.
fn again(end: &OwnedFd, flags: OFlag) -> Result<OwnedFd, Errno> {
    open(&path(end), flags)
}

/// `readlink` of `/proc/self/fd/N` for either end of a pipe returns `pipe:[I]`, where I is the inode number from `fstat`.
#[conformance::test(man = "proc(5)", needs(procfs))]
fn link_shows_the_inode_number() -> Outcome {
    let (reader, writer) = pipe()?;
    let name = format!("pipe:[{}]", fstat(&reader)?.st_ino);
    for end in [&reader, &writer] {
        expect_eq!(std::fs::read_link(path(end)).map_err(Errno::from), Ok(PathBuf::from(&name)));
    }
    Ok(())
}

/// `open` of `/proc/self/fd/N` for either end gives a descriptor with the requested access mode. `fstat` shows the device and
/// inode numbers of the pipe for it.
#[rstest]
#[case::o_rdonly(OFlag::O_RDONLY)]
#[case::o_wronly(OFlag::O_WRONLY)]
#[case::o_rdwr(OFlag::O_RDWR)]
#[conformance::test(man = "proc(5)", needs(procfs))]
fn opens_the_same_file(#[case] mode: OFlag) -> Outcome {
    let (reader, writer) = pipe()?;
    let this = fstat(&reader).map(|stat| (stat.st_dev, stat.st_ino));
    for end in [&reader, &writer] {
        let opened = again(end, mode)?;
        expect_eq!(fstat(&opened).map(|stat| (stat.st_dev, stat.st_ino)), this);
        expect_eq!(status_flags(&opened).map(|flags| flags & OFlag::O_ACCMODE), Ok(mode));
    }
    Ok(())
}

/// `O_NONBLOCK` set or clear on a descriptor from `open` of `/proc/self/fd/N` leaves the flag of the original end as it was. With
/// the flag set on the original end only, `read` through the new descriptor of the empty pipe blocks.
#[conformance::test(man = "proc(5)", posix = "fcntl", needs(procfs))]
fn has_its_own_status_flags() -> Outcome {
    let (reader, writer) = pipe()?;
    let opened = again(&reader, OFlag::O_RDONLY | NONBLOCKING)?;
    expect_eq!(status_flags(&reader)? & NONBLOCKING, OFlag::empty());
    expect_eq!(next(&opened), Err(EAGAIN));
    set_nonblocking(&reader, true)?;
    set_nonblocking(&opened, false)?;
    expect_eq!(next(&reader), Err(EAGAIN));
    let blocked = Participant::spawn("reader", opened, |end, _| next(&end))?;
    blocked.until_blocked()?;
    expect_eq!(write(&writer, b"x"), Ok(1));
    expect_eq!(blocked.join()?, Ok(b"x".to_vec()));
    Ok(())
}

/// `read` calls on the original read end and on a descriptor from `open` of `/proc/self/fd/N` return the unread bytes in order,
/// each byte once.
#[conformance::test(man = "proc(5)", needs(procfs))]
fn reads_the_same_bytes() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    write_all(&writer, b"abcdef")?;
    let opened = again(&reader, OFlag::O_RDONLY | NONBLOCKING)?;
    expect_eq!((read_some(&opened, 2), read_some(&reader, 2)), (Ok(b"ab".to_vec()), Ok(b"cd".to_vec())));
    expect_eq!((next(&opened), next(&reader)), (Ok(b"ef".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `open` of `/proc/self/fd/N` opens the read end with `O_WRONLY` and the write end with `O_RDONLY`: `write` and `read` on the
/// new descriptors succeed.
#[conformance::test(man = "proc(5)", level = customary, needs(procfs))]
fn opens_an_end_for_the_other_direction() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let other_writer = again(&reader, OFlag::O_WRONLY | NONBLOCKING)?;
    let other_reader = again(&writer, OFlag::O_RDONLY | NONBLOCKING)?;
    expect_eq!((write(&writer, b"one"), write(&other_writer, b"two")), (Ok(3), Ok(3)));
    expect_eq!((read_some(&other_reader, 4), next(&reader)), (Ok(b"onet".to_vec()), Ok(b"wo".to_vec())));
    expect_eq!((next(&other_writer), write(&other_reader, b"x")), (Err(EBADF), Err(EBADF)));
    Ok(())
}

/// If the only descriptor of a pipe is one from `open` of `/proc/self/fd/N` with `O_RDWR`, a non-blocking `read` of the empty
/// pipe fails with `EAGAIN` and `write` of 1 byte returns 1.
#[conformance::test(man = "proc(5)", level = customary, needs(procfs))]
fn with_o_rdwr_is_reader_and_writer() -> Outcome {
    let (reader, writer) = pipe()?;
    let both = again(&reader, OFlag::O_RDWR | NONBLOCKING)?;
    drop((reader, writer));
    expect_eq!((next(&both), write(&both, b"x")), (Err(EAGAIN), Ok(1)));
    expect_eq!((next(&both), next(&both)), (Ok(b"x".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `open` of `/proc/self/fd/N` succeeds at once with `O_RDONLY` on a pipe without writers, and with `O_WRONLY` on a pipe without
/// readers.
#[conformance::test(man = "proc(5)", man = "pipe(7)", level = customary, needs(procfs))]
fn does_not_block_without_a_peer() -> Outcome {
    let (reader, writer) = pipe()?;
    drop(writer);
    expect_eq!(again(&reader, OFlag::O_RDONLY).map(drop), Ok(()));
    let (reader, writer) = pipe()?;
    drop(reader);
    expect_eq!(again(&writer, OFlag::O_WRONLY).map(drop), Ok(()));
    expect_eq!(again(&writer, OFlag::O_WRONLY | NONBLOCKING).map(drop), Ok(()));
    Ok(())
}

/// While a descriptor from `open` of `/proc/self/fd/N` with `O_WRONLY` is open, a non-blocking `read` of the empty pipe fails
/// with `EAGAIN`. After it is closed, `read` returns 0.
#[conformance::test(man = "proc(5)", posix = "read", needs(procfs))]
fn counts_as_a_writer() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let opened = again(&reader, OFlag::O_WRONLY)?;
    drop(writer);
    expect_eq!(next(&reader), Err(EAGAIN));
    let blocked = Participant::spawn("reader", again(&reader, OFlag::O_RDONLY)?, |end, _| next(&end))?;
    blocked.until_blocked()?;
    drop(opened);
    expect_eq!((blocked.join()?, next(&reader)), (Ok(vec![]), Ok(vec![])));
    Ok(())
}

/// After `read` has returned 0, `open` of `/proc/self/fd/N` with `O_WRONLY` makes a non-blocking `read` fail with `EAGAIN`. Bytes
/// written through the new descriptor are then read.
#[conformance::test(man = "proc(5)", posix = "read", needs(procfs))]
fn new_writer_ends_end_of_file() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    drop(writer);
    expect_eq!((next(&reader), ready(&reader, PollFlags::POLLIN)), (Ok(vec![]), Ok(PollFlags::POLLHUP)));
    let opened = again(&reader, OFlag::O_WRONLY)?;
    expect_eq!((next(&reader), ready(&reader, PollFlags::POLLIN)), (Err(EAGAIN), Ok(PollFlags::empty())));
    expect_eq!((write(opened, b"revived"), next(&reader), next(&reader)), (Ok(7), Ok(b"revived".to_vec()), Ok(vec![])));
    Ok(())
}

/// After `write` has failed with `EPIPE`, `open` of `/proc/self/fd/N` with `O_RDONLY` gives the pipe a reader, and `write`
/// returns its whole count again. After the new reader closes, `write` fails with `EPIPE`.
#[conformance::test(man = "proc(5)", posix = "write", needs(procfs))]
fn new_reader_ends_epipe() -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    drop(reader);
    expect_eq!((write(&writer, b"x"), ready(&writer, PollFlags::POLLOUT)?.contains(PollFlags::POLLERR)), (Err(EPIPE), true));
    let opened = again(&writer, OFlag::O_RDONLY | NONBLOCKING)?;
    expect_eq!((write(&writer, b"mended"), ready(&writer, PollFlags::POLLOUT)), (Ok(6), Ok(PollFlags::POLLOUT)));
    expect_eq!((next(&opened), next(&opened)), (Ok(b"mended".to_vec()), Err(EAGAIN)));
    drop(opened);
    expect_eq!(write(&writer, b"x"), Err(EPIPE));
    Ok(())
}

/// Whether bytes that were unread when the last reader closed can be read after `open` of `/proc/self/fd/N` with `O_RDONLY` is
/// recorded. A `write` that failed with `EPIPE` meanwhile has added no byte.
#[conformance::test(man = "proc(5)", level = observed, needs(procfs))]
fn new_reader_and_earlier_unread_bytes() -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    write_all(&writer, b"left")?;
    drop(reader);
    expect_eq!(write(&writer, b"more"), Err(EPIPE));
    let found = next(again(&writer, OFlag::O_RDONLY | NONBLOCKING)?);
    expect!(found == Ok(b"left".to_vec()) || found == Err(EAGAIN), "read returned {found:?}");
    observe!("pipe.unread-bytes-after-the-last-reader-closes", if found.is_ok() { "kept" } else { "discarded" });
    Ok(())
}

/// `open` of `/proc/self/fd/N` with `O_WRONLY | O_TRUNC` succeeds and removes no unread byte of the pipe.
#[conformance::test(man = "proc(5)", posix = "open", needs(procfs))]
fn ignores_o_trunc() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    write_all(&writer, b"whole")?;
    expect_eq!(again(&writer, OFlag::O_WRONLY | OFlag::O_TRUNC).map(drop), Ok(()));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"whole".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// With a descriptor from `open` of `/proc/self/fd/N` with `O_PATH`, `read` and `write` fail with `EBADF`. After the last real
/// writer closes, `read` on the read end returns 0 although that descriptor is open.
#[conformance::test(man = "open(2)", needs(procfs))]
fn with_o_path_counts_as_no_writer() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let place = again(&writer, OFlag::O_PATH)?;
    expect_eq!((write(&place, b"x"), next(&place)), (Err(EBADF), Err(EBADF)));
    drop(writer);
    expect_eq!(next(&reader), Ok(vec![]));
    let opened = again(&place, OFlag::O_WRONLY)?;
    expect_eq!((next(&reader), write(&opened, b"x"), next(&reader)), (Err(EAGAIN), Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// `open` of `/proc/PID/fd/N` opens a pipe of another process, and `read` returns its unread bytes, also after that process was
/// killed.
#[conformance::test(man = "proc(5)", needs(procfs))]
fn opens_a_pipe_of_another_process() -> Outcome {
    let (reader, writer) = pipe()?;
    // The descriptors keep their numbers in the process that they are passed to.
    let number = reader.as_raw_fd();
    let holder = Participant::spawn("holder", (reader, writer), |(_reader, writer), link| -> Result<(), Errno> {
        write_all(&writer, b"secret")?;
        link.reached("written");
        link.park()
    })?;
    holder.until_reached("written")?;
    let opened = open(&PathBuf::from(format!("/proc/{}/fd/{number}", holder.id())), OFlag::O_RDONLY | NONBLOCKING)?;
    expect_eq!((read_some(&opened, 3), unread(&opened)), (Ok(b"sec".to_vec()), Ok(3)));
    holder.kill()?;
    expect_eq!((next(&opened), next(&opened)), (Ok(b"ret".to_vec()), Ok(vec![])));
    Ok(())
}
