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

/// `open` of `/proc/self/fd/N`, where N is either end of a pipe, returns a descriptor for which `fcntl(F_GETFL)` shows the
/// requested access mode. `fstat` on that descriptor shows the device and inode numbers of the pipe.
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

/// `O_NONBLOCK` set or clear on a descriptor from `open` of `/proc/self/fd/N`, where N is the read end, leaves the flag of the
/// read end as it was. With the flag set on the read end only, `read` of the empty pipe through the new descriptor blocks.
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

/// `read` calls in turn on the read end and on a descriptor from `open` of `/proc/self/fd/N`, where N is the read end, return the
/// unread bytes in order, each byte once.
#[conformance::test(man = "proc(5)", needs(procfs))]
fn reads_the_same_bytes() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    write_all(&writer, b"abcdef")?;
    let opened = again(&reader, OFlag::O_RDONLY | NONBLOCKING)?;
    expect_eq!((read_some(&opened, 2), read_some(&reader, 2)), (Ok(b"ab".to_vec()), Ok(b"cd".to_vec())));
    expect_eq!((next(&opened), next(&reader)), (Ok(b"ef".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `open` of `/proc/self/fd/N` returns a descriptor for the read end with `O_WRONLY` and for the write end with `O_RDONLY`.
/// `write` on the first returns its whole count, and `read` on the second returns the bytes written to the pipe.
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

/// If the only open descriptor of a pipe is one from `open` of `/proc/self/fd/N` with `O_RDWR`, where N was the read end, a
/// non-blocking `read` of the empty pipe fails with `EAGAIN` and `write` of 1 byte returns 1.
#[conformance::test(man = "proc(5)", level = customary, needs(procfs))]
fn with_o_rdwr_is_reader_and_writer() -> Outcome {
    let (reader, writer) = pipe()?;
    let both = again(&reader, OFlag::O_RDWR | NONBLOCKING)?;
    drop((reader, writer));
    expect_eq!((next(&both), write(&both, b"x")), (Err(EAGAIN), Ok(1)));
    expect_eq!((next(&both), next(&both)), (Ok(b"x".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `open` of `/proc/self/fd/N` returns a descriptor without blocking, with `O_RDONLY` for the read end of a pipe without writers
/// and with `O_WRONLY` for the write end of a pipe without readers.
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

/// While the only writer of a pipe is a descriptor from `open` of `/proc/self/fd/N` with `O_WRONLY`, where N is the read end, a
/// non-blocking `read` of the empty pipe fails with `EAGAIN`. After that descriptor is closed, `read` returns 0.
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

/// After `read` on a pipe without writers has returned 0 and `open` of `/proc/self/fd/N` with `O_WRONLY`, where N is the read
/// end, has returned a descriptor, a non-blocking `read` fails with `EAGAIN`. After `write` through that descriptor, `read`
/// returns the bytes written.
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

/// After `write` has failed with `EPIPE` and `open` of `/proc/self/fd/N` with `O_RDONLY`, where N is the write end, has returned
/// a descriptor, `write` returns its whole count. After that descriptor is closed, `write` fails with `EPIPE` again.
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

/// If bytes were unread when the last reader closed, and a later `write` failed with `EPIPE`, `read` on a descriptor from `open`
/// of `/proc/self/fd/N` with `O_RDONLY`, where N is the write end, returns exactly the unread bytes or fails with `EAGAIN`. Both
/// are allowed, and which happens is recorded.
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

/// `open` of `/proc/self/fd/N` with `O_WRONLY | O_TRUNC`, where N is the write end, returns a descriptor, and `read` then returns
/// all bytes that were unread before.
#[conformance::test(man = "proc(5)", posix = "open", needs(procfs))]
fn ignores_o_trunc() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    write_all(&writer, b"whole")?;
    expect_eq!(again(&writer, OFlag::O_WRONLY | OFlag::O_TRUNC).map(drop), Ok(()));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"whole".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `read` and `write` on a descriptor from `open` of `/proc/self/fd/N` with `O_PATH`, where N is the write end, fail with
/// `EBADF`. While only that descriptor and the read end are open, `read` on the read end returns 0.
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

/// `open` of `/proc/PID/fd/N` with `O_RDONLY`, where N is the read end of a pipe in a child with the process ID PID, returns a
/// descriptor. `read` on that descriptor returns the unread bytes of the pipe, also after the child was killed, and then 0.
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
