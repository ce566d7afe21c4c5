//! Descriptors of a FIFO opened with `O_PATH`: they count as neither reader nor writer.

use conformance::prelude::*;
use conformance::sandbox::second_user;
use conformance::sys::path::attributes::{chmod, fchmod};
use conformance::sys::path::status::is_fifo;
use conformance::sys::process::identity::become_user;

use super::fixture::{AccessMode, Fifo};

fn path_only(fifo: &Fifo) -> Result<OwnedFd, Errno> {
    open(fifo.path(), OFlag::O_PATH)
}

/// While a FIFO is open with `O_PATH` only, `open` with `O_WRONLY | O_NONBLOCK` fails with `ENXIO` and `read` by a new reader
/// returns 0. `open` with `O_PATH` leaves a blocked `open` for reading blocked.
#[conformance::test(man = "open(2)")]
fn is_neither_reader_nor_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let held = [open(fifo.path(), OFlag::O_PATH), open(fifo.path(), OFlag::O_PATH | OFlag::O_RDWR)];
    expect_eq!(held.each_ref().map(|held| held.as_ref().map(|_| ())), [Ok(()), Ok(())]);
    expect_eq!((fifo.is_closed(AccessMode::ReadOnly), fifo.is_closed(AccessMode::WriteOnly)), (Ok(true), Ok(true)));
    let reader = fifo.blocked_open(AccessMode::ReadOnly, "reader")?;
    expect_eq!(path_only(&fifo).map(drop), Ok(()));
    reader.expect_still_blocked()?;
    fifo.open_and_close(OFlag::O_WRONLY)?;
    expect_eq!(reader.join()?, Ok(()));
    Ok(())
}

/// On a descriptor of a FIFO opened with `O_PATH`, `read`, `write`, `fchmod`, `ioctl(FIONREAD)`, `F_GETPIPE_SZ` and
/// `F_SETPIPE_SZ` fail with `EBADF`. `fstat` reports the file type and the inode of the FIFO.
#[conformance::test(man = "open(2)")]
fn allows_fstat_only() -> Outcome {
    let fifo = Fifo::new()?;
    let _both = fifo.read_write()?;
    let held = path_only(&fifo)?;
    expect_eq!((read(&held, &mut [0; 1]), write(&held, b"x"), fchmod(&held, 0o644)), (Err(EBADF), Err(EBADF), Err(EBADF)));
    expect_eq!((unread(&held), pipe_size(&held), set_pipe_size(&held, 4096)), (Err(EBADF), Err(EBADF), Err(EBADF)));
    let status = fstat(&held)?;
    expect_eq!((is_fifo(&status), status.st_ino), (true, stat(fifo.path())?.st_ino));
    Ok(())
}

/// While a descriptor opened with `O_PATH` stays open, `close` of the last descriptor of a FIFO that was opened without `O_PATH`
/// discards the unread bytes. After `open` with `O_RDWR`, `ioctl(FIONREAD)` returns 0.
#[conformance::test(man = "open(2)", man = "fifo(7)")]
fn keeps_no_data() -> Outcome {
    let fifo = Fifo::new()?;
    let _held = path_only(&fifo)?;
    let both = fifo.read_write()?;
    write_all(&both, b"data")?;
    drop(both);
    expect_eq!(fifo.read_write().and_then(unread), Ok(0));
    Ok(())
}

/// If `N` was opened with `O_PATH` and the only name of the FIFO was removed by `unlink`, `open` of `/proc/self/fd/N` with
/// `O_WRONLY | O_NONBLOCK` returns a descriptor while a reader is open. The reader reads the bytes written to that descriptor.
#[conformance::test(man = "open(2)", needs(procfs))]
fn can_be_reopened_after_unlink() -> Outcome {
    let fifo = Fifo::new()?;
    let held = path_only(&fifo)?;
    let reader = fifo.reader()?;
    unlink(fifo.path())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    let writer = open(&path, OFlag::O_WRONLY | OFlag::O_NONBLOCK);
    expect_eq!(writer.and_then(|writer| write(writer, b"data")), Ok(4));
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    Ok(())
}

/// `open` with `O_PATH` by an unprivileged process without any permission on a FIFO returns a descriptor `N`. `open` of
/// `/proc/self/fd/N` with `O_RDONLY` by that process fails with `EACCES`.
#[conformance::test(man = "open(2)", needs(second_user, procfs))]
fn needs_and_grants_no_permission() -> Outcome {
    let fifo = Fifo::new()?;
    chmod(fifo.directory(), 0o755)?;
    let (user, group) = second_user();
    let second = Participant::spawn("second user", (), |(), _| {
        become_user(user, group)?;
        let held = path_only(&fifo)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
        Ok::<_, Errno>(open(&path, OFlag::O_RDONLY).map(drop))
    })?;
    expect_eq!(second.join()?, Ok(Err(EACCES)));
    Ok(())
}
