//! Opening a pipe again through `/proc/self/fd`: a new open description of the same pipe, in either direction and with flags of
//! its own, which counts as a reader or a writer like the ends that `pipe` made. Nobody ever waits in such an `open`.

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{next, not_waiting};
use common::pipe::Kind;

const NONBLOCKING: OFlag = OFlag::O_NONBLOCK;

fn path(end: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", end.as_raw_fd()))
}

/// Opens the pipe again that this end belongs to.
fn again(end: &OwnedFd, flags: OFlag) -> Result<OwnedFd, Errno> {
    open(&path(end), flags)
}

/// The link of each end shows the pipe's inode number.
#[conformance::test(man = "proc(5)", needs(procfs))]
fn goes_by_a_name_with_the_inode_number() -> Outcome {
    let (reader, writer) = pipe()?;
    let name = format!("pipe:[{}]", fstat(&reader)?.st_ino);
    for end in [&reader, &writer] {
        expect_eq!(std::fs::read_link(path(end)).map_err(Errno::from), Ok(PathBuf::from(&name)));
    }
    Ok(())
}

/// What is opened again is the same file.
#[rstest]
#[case::to_read(OFlag::O_RDONLY)]
#[case::to_write(OFlag::O_WRONLY)]
#[case::for_both(OFlag::O_RDWR)]
#[conformance::test(man = "proc(5)", needs(procfs))]
fn gives_the_same_file(#[case] mode: OFlag) -> Outcome {
    let (reader, writer) = pipe()?;
    let this = fstat(&reader).map(|stat| (stat.st_dev, stat.st_ino));
    for end in [&reader, &writer] {
        let opened = again(end, mode)?;
        expect_eq!(fstat(&opened).map(|stat| (stat.st_dev, stat.st_ino)), this);
        expect_eq!(status_flags(&opened).map(|flags| flags & OFlag::O_ACCMODE), Ok(mode));
    }
    Ok(())
}

/// The new open description has status flags of its own: `O_NONBLOCK` does not pass over, in neither direction.
#[conformance::test(man = "proc(5)", posix = "fcntl", needs(procfs))]
fn gives_flags_of_its_own() -> Outcome {
    let (reader, writer) = pipe()?;
    let opened = again(&reader, OFlag::O_RDONLY | NONBLOCKING)?;
    expect!(!status_flags(&reader)?.contains(NONBLOCKING));
    expect_eq!(next(&opened), Err(EAGAIN));
    set_nonblocking(&reader, true)?;
    set_nonblocking(&opened, false)?;
    expect_eq!(next(&reader), Err(EAGAIN));
    let waiting = Participant::spawn("reader", opened, |end, _| next(&end))?;
    waiting.until_blocked()?;
    expect_eq!(write(&writer, b"x"), Ok(1));
    expect_eq!(waiting.join()?, Ok(b"x".to_vec()));
    Ok(())
}

/// Bytes that were written before can be read through the new description, and are gone for the old one.
#[conformance::test(man = "proc(5)", needs(procfs))]
fn shares_the_bytes() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    write_all(&writer, b"abcdef")?;
    let opened = again(&reader, OFlag::O_RDONLY | NONBLOCKING)?;
    expect_eq!((read_some(&opened, 2), read_some(&reader, 2)), (Ok(b"ab".to_vec()), Ok(b"cd".to_vec())));
    expect_eq!((next(&opened), next(&reader)), (Ok(b"ef".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// The reading end can be opened again for writing, and the writing end for reading.
#[conformance::test(man = "proc(5)", needs(procfs))]
fn turns_an_end_around() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    let other_writer = again(&reader, OFlag::O_WRONLY | NONBLOCKING)?;
    let other_reader = again(&writer, OFlag::O_RDONLY | NONBLOCKING)?;
    expect_eq!((write(&writer, b"one"), write(&other_writer, b"two")), (Ok(3), Ok(3)));
    expect_eq!((read_some(&other_reader, 4), next(&reader)), (Ok(b"onet".to_vec()), Ok(b"wo".to_vec())));
    expect_eq!((next(&other_writer), write(&other_reader, b"x")), (Err(EBADF), Err(EBADF)));
    Ok(())
}

/// A description for both directions is a reader and a writer: with it alone there is neither end-of-file nor a broken pipe.
#[conformance::test(man = "proc(5)", needs(procfs))]
fn can_give_both_directions_at_once() -> Outcome {
    let (reader, writer) = pipe()?;
    let both = again(&reader, OFlag::O_RDWR | NONBLOCKING)?;
    drop((reader, writer));
    expect_eq!((next(&both), write(&both, b"x")), (Err(EAGAIN), Ok(1)));
    expect_eq!((next(&both), next(&both)), (Ok(b"x".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// Nobody waits for a peer, as with a FIFO: a pipe without writers opens for reading, and one without readers for writing.
#[conformance::test(man = "proc(5)", man = "pipe(7)", needs(procfs))]
fn waits_for_no_peer() -> Outcome {
    let (reader, writer) = pipe()?;
    drop(writer);
    expect_eq!(again(&reader, OFlag::O_RDONLY).map(drop), Ok(()));
    let (reader, writer) = pipe()?;
    drop(reader);
    expect_eq!(again(&writer, OFlag::O_WRONLY).map(drop), Ok(()));
    expect_eq!(again(&writer, OFlag::O_WRONLY | NONBLOCKING).map(drop), Ok(()));
    Ok(())
}

/// A writer that was opened again keeps end-of-file away until it is closed too.
#[conformance::test(man = "proc(5)", posix = "read", needs(procfs))]
fn keeps_end_of_file_away() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    let opened = again(&reader, OFlag::O_WRONLY)?;
    drop(writer);
    expect_eq!(next(&reader), Err(EAGAIN));
    let waiting = Participant::spawn("reader", again(&reader, OFlag::O_RDONLY)?, |end, _| next(&end))?;
    waiting.until_blocked()?;
    drop(opened);
    expect_eq!((waiting.join()?, next(&reader)), (Ok(vec![]), Ok(vec![])));
    Ok(())
}

/// End-of-file is a state and not an event: a writer opened after it ends it, and its bytes are read, before it comes again.
#[conformance::test(man = "proc(5)", posix = "read", needs(procfs))]
fn ends_the_end_of_file() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    drop(writer);
    expect_eq!((next(&reader), ready(&reader, PollFlags::POLLIN)), (Ok(vec![]), Ok(PollFlags::POLLHUP)));
    let opened = again(&reader, OFlag::O_WRONLY)?;
    expect_eq!((next(&reader), ready(&reader, PollFlags::POLLIN)), (Err(EAGAIN), Ok(PollFlags::empty())));
    expect_eq!((write(opened, b"revived"), next(&reader), next(&reader)), (Ok(7), Ok(b"revived".to_vec()), Ok(vec![])));
    Ok(())
}

/// A reader opened again after the last one was closed mends a broken pipe, until it is closed as well.
#[conformance::test(man = "proc(5)", posix = "write", needs(procfs))]
fn mends_a_broken_pipe() -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    drop(reader);
    expect_eq!((write(&writer, b"x"), ready(&writer, PollFlags::POLLOUT)?.contains(PollFlags::POLLERR)), (Err(EPIPE), true));
    let opened = again(&writer, OFlag::O_RDONLY | NONBLOCKING)?;
    expect_eq!((write(&writer, b"mended"), ready(&writer, PollFlags::POLLOUT)), (Ok(6), Ok(PollFlags::POLLOUT)));
    expect_eq!((next(&opened), next(&opened)), (Ok(b"mended".to_vec()), Err(EAGAIN)));
    drop(opened);
    expect_eq!(write(&writer, b"x"), Err(EPIPE));
    Ok(())
}

/// What becomes of unread bytes when the last reader closes is the system's choice; a refused write adds nothing to them.
#[conformance::test(man = "proc(5)", level = observed, needs(procfs))]
fn finds_or_does_not_find_what_the_last_reader_left() -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    write_all(&writer, b"left")?;
    drop(reader);
    expect_eq!(write(&writer, b"more"), Err(EPIPE));
    let found = next(again(&writer, OFlag::O_RDONLY | NONBLOCKING)?);
    expect!(found == Ok(b"left".to_vec()) || found == Err(EAGAIN), "{found:?} was found");
    observe!("pipe.bytes-without-reader", if found.is_ok() { "stay" } else { "are discarded" });
    Ok(())
}

/// Truncating has no effect on a pipe.
#[conformance::test(man = "proc(5)", posix = "open", needs(procfs))]
fn does_not_truncate() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    write_all(&writer, b"whole")?;
    expect_eq!(again(&writer, OFlag::O_WRONLY | OFlag::O_TRUNC).map(drop), Ok(()));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"whole".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// A descriptor that is good for its path only counts as no writer: it neither writes nor keeps end-of-file away.
#[conformance::test(man = "open(2)", needs(procfs))]
fn counts_for_nothing_as_a_path_only() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    let place = again(&writer, OFlag::O_PATH)?;
    expect_eq!((write(&place, b"x"), next(&place)), (Err(EBADF), Err(EBADF)));
    drop(writer);
    expect_eq!(next(&reader), Ok(vec![]));
    let opened = again(&place, OFlag::O_WRONLY)?;
    expect_eq!((next(&reader), write(&opened, b"x"), next(&reader)), (Err(EAGAIN), Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// Another process's pipe can be opened through that process's directory, and stays when the process is gone.
#[conformance::test(man = "proc(5)", needs(procfs))]
fn reaches_another_process_s_pipe() -> Outcome {
    let (reader, writer) = pipe()?;
    // Numbers stay what they are in the process that the descriptors are handed to.
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
