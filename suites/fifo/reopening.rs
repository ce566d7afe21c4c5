//! `open` of `/proc/PID/fd/N` for a descriptor `N` of a FIFO: a new open file description of the same FIFO, under the same rules
//! as `open` by name.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::path::attributes::chmod;
use conformance::sys::process::identity::become_user;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{AccessMode, Fifo, every_access_mode};

/// The link in `/proc` to a descriptor of the calling process.
fn link_to(end: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", end.as_raw_fd()))
}

/// If `N` is a read end of a FIFO, `open` of `/proc/self/fd/N` with `O_WRONLY | O_NONBLOCK` returns a write end of the same FIFO.
/// `read` from `N` returns the bytes written to that write end.
#[conformance::test(man = "proc_pid_fd(5)", needs(procfs))]
fn read_end_can_be_reopened_for_writing() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    let writer = open(&link_to(&reader), OFlag::O_WRONLY | OFlag::O_NONBLOCK);
    expect_eq!(writer.as_ref().map_or_else(|errno| Err(*errno), |writer| write(writer, b"data")), Ok(4));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    drop(writer);
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}

/// If `N` is a read end of a FIFO whose only name was removed by `unlink`, `open` of `/proc/self/fd/N` with `O_WRONLY` returns a
/// write end of that FIFO. `read` from `N` returns the bytes written to that write end.
#[conformance::test(man = "proc_pid_fd(5)", needs(procfs))]
fn works_after_unlink() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    unlink(fifo.path())?;
    let writer = open(&link_to(&reader), OFlag::O_WRONLY)?;
    expect_eq!((write(&writer, b"data"), read_some(&reader, 9)), (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}

/// If `N` is a read end of a FIFO without `O_NONBLOCK`, `fcntl(F_GETFL)` reports the flag on the descriptor that `open` of
/// `/proc/self/fd/N` with `O_RDONLY | O_NONBLOCK` returns, and not on `N`.
#[conformance::test(man = "proc_pid_fd(5)", needs(procfs))]
fn creates_a_new_description() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, _writer) = fifo.ends()?;
    let again = open(&link_to(&reader), OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let flags = [status_flags(&reader)? & OFlag::O_NONBLOCK, status_flags(&again)? & OFlag::O_NONBLOCK];
    expect_eq!(flags, [OFlag::empty(), OFlag::O_NONBLOCK]);
    expect_eq!(read(&again, &mut [0; 1]), Err(EAGAIN));
    Ok(())
}

/// If `N` is the only open end of a FIFO, `open` of `/proc/self/fd/N` with the access mode of `N` blocks until the opposite end
/// is opened. If `N` is a write end, `open` with `O_WRONLY | O_NONBLOCK` fails with `ENXIO`.
#[apply(every_access_mode)]
#[conformance::test(man = "fifo(7)", needs(procfs))]
fn blocks_until_the_opposite_end_opens(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let (own, opposite) = if access == AccessMode::ReadOnly { (reader, writer) } else { (writer, reader) };
    drop(opposite);
    if access == AccessMode::WriteOnly {
        expect_eq!(open(&link_to(&own), OFlag::O_WRONLY | OFlag::O_NONBLOCK).map(drop), Err(ENXIO));
    }
    let opener = Participant::spawn("opener", own, |own, _| open(&link_to(&own), access.flag()).map(drop))?;
    opener.until_blocked()?;
    fifo.open_and_close(access.opposite().flag())?;
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// If an unprivileged process has only read permission on a FIFO that is open as `N` for reading and writing, its `open` of
/// `/proc/self/fd/N` returns a descriptor with `O_RDONLY` and fails with `EACCES` with `O_WRONLY`.
#[conformance::test(man = "proc_pid_fd(5)", needs(procfs, second_user))]
fn checks_permission() -> Outcome {
    let fifo = Fifo::new()?;
    chmod(fifo.path(), 0o604)?;
    let (user, group) = second_user();
    let both = fifo.read_write()?;
    let second = Participant::spawn("second user", both, |both, _| {
        become_user(user, group)?;
        Ok::<_, Errno>([OFlag::O_RDONLY, OFlag::O_WRONLY].map(|flags| open(&link_to(&both), flags | OFlag::O_NONBLOCK).map(drop)))
    })?;
    expect_eq!(second.join()?, Ok([Ok(()), Err(EACCES)]));
    Ok(())
}

/// If process `PID` has the write end of a FIFO open as `N`, `open` of `/proc/PID/fd/N` with `O_WRONLY` returns another write
/// end. After process `PID` is killed, `write` of 4 bytes to that write end returns 4.
#[conformance::test(man = "proc_pid_fd(5)", needs(procfs))]
fn reaches_descriptors_of_another_process() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let number = writer.as_raw_fd();
    let holder = Participant::spawn("holder", writer, |_held, link| -> () { link.park() })?;
    let own = open(&PathBuf::from(format!("/proc/{}/fd/{number}", holder.id())), OFlag::O_WRONLY)?;
    holder.kill()?;
    set_nonblocking(&reader, true)?;
    expect_eq!((read(&reader, &mut [0; 1]), write(&own, b"data")), (Err(EAGAIN), Ok(4)));
    drop(own);
    expect_eq!(read_to_end(&reader), Ok(b"data".to_vec()));
    Ok(())
}
