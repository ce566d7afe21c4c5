//! Kill sweeps: a process is killed before and after each of its system calls around `open` or `mkfifo`. The other processes see
//! each call as complete or as not made.

use conformance::fault::sweep::Victim;
use conformance::prelude::*;
use conformance::sys::path::status::{is_fifo, permissions};

use super::fixture::{AccessMode, Fifo};

/// Whether `open` of the victim had returned a descriptor, where that is known from the injection point.
fn had_opened<T>(victim: &Victim<T>) -> Option<bool> {
    let is_open = |name: &str| name == "openat" || name == "open";
    if victim.completed.iter().any(|call| is_open(&call.name) && call.returned >= 0) {
        return Some(true);
    }
    victim.entered.as_deref().is_some_and(is_open).then_some(false)
}

/// If a process that calls `open` of a FIFO with `O_RDONLY`, and then `read`, is killed at the entry or the exit of each of its
/// system calls, the blocked `open` with `O_WRONLY` of another process returns a descriptor if `open` of the killed process had
/// returned, and stays blocked if that `open` had only been entered. `write` of 4 bytes to that descriptor returns 4 if `read`
/// had returned 4; if not, `write` returns 4 or fails with `EPIPE`, and either is accepted. `open` with `O_WRONLY | O_NONBLOCK`
/// then fails with `ENXIO`.
#[conformance::test(posix = "open", posix = "write", posix = "_Exit")]
fn killed_reader_wakes_the_writer_if_its_open_returned() -> Outcome {
    sweep(|run| {
        let fifo = Fifo::new()?;
        let writer = Participant::spawn("writer", (), |(), _| {
            signal::ignore(Signal::SIGPIPE)?;
            let end = open(fifo.path(), OFlag::O_WRONLY)?;
            Ok::<_, Errno>(write(&end, b"data"))
        })?;
        writer.until_blocked()?;
        let victim = run.victim("reader", (), |(), _| read_some(open(fifo.path(), OFlag::O_RDONLY)?, 9))?;
        match had_opened(&victim) {
            Some(true) => {}
            Some(false) => {
                writer.expect_still_blocked()?;
                fifo.open_and_close(OFlag::O_RDONLY)?;
            }
            None => drop(fifo.reader()?),
        }
        let written = writer.join()?;
        if victim.returned("read").contains(&4) {
            expect_eq!(written, Ok(Ok(4)));
        }
        expect_matches!(written, Ok(Ok(4) | Err(EPIPE)));
        if let Some(value) = victim.value {
            expect_eq!(value, Ok(b"data".to_vec()));
        }
        expect_eq!(fifo.is_closed(AccessMode::ReadOnly), Ok(true));
        Ok(())
    })
}

/// If a process that calls `open` of a FIFO with `O_WRONLY`, and then `write` of 4 and of 3 bytes, is killed at the entry or the
/// exit of each of its system calls, the blocked `open` with `O_RDONLY` of another process returns a descriptor if `open` of the
/// killed process had returned, and stays blocked if that `open` had only been entered. `read` from that descriptor returns
/// exactly the bytes of the `write` calls that had returned, and then 0.
#[conformance::test(posix = "open", posix = "read", posix = "_Exit")]
fn killed_writer_wakes_the_reader_if_its_open_returned() -> Outcome {
    sweep(|run| {
        let fifo = Fifo::new()?;
        let reader = Participant::spawn("reader", (), |(), _| read_to_end(open(fifo.path(), OFlag::O_RDONLY)?))?;
        reader.until_blocked()?;
        let victim = run.victim("writer", (), |(), _| {
            let end = open(fifo.path(), OFlag::O_WRONLY)?;
            write_all(&end, b"one ")?;
            write_all(&end, b"two")
        })?;
        match had_opened(&victim) {
            Some(true) => {}
            Some(false) => {
                reader.expect_still_blocked()?;
                fifo.open_and_close(OFlag::O_WRONLY)?;
            }
            None => drop(fifo.read_write()?),
        }
        let bytes = reader.join()??;
        let written = victim.returned("write");
        if !victim.completed.is_empty() {
            expect_eq!(bytes, b"one two"[..written.iter().map(|&count| usize::try_from(count).unwrap_or(0)).sum()].to_vec());
        }
        expect!(b"one two".starts_with(&bytes), "the reader got {bytes:?}");
        expect_eq!(fifo.is_closed(AccessMode::WriteOnly), Ok(true));
        Ok(())
    })
}

/// If a process that calls `open` of a FIFO with `O_RDWR`, and then `close`, is killed at the entry or the exit of each of its
/// system calls, the blocked `open` with `O_RDONLY` of another process returns a descriptor if `open` of the killed process had
/// returned, and stays blocked if that `open` had only been entered. After both processes have ended, `open` with `O_WRONLY |
/// O_NONBLOCK` fails with `ENXIO`, and `read` by a new reader returns 0.
#[conformance::test(man = "fifo(7)")]
fn killed_read_write_opener_leaves_no_end() -> Outcome {
    sweep(|run| {
        let fifo = Fifo::new()?;
        let reader = fifo.blocked_open(AccessMode::ReadOnly, "reader")?;
        let victim = run.victim("opener", (), |(), _| open(fifo.path(), OFlag::O_RDWR).map(drop))?;
        if had_opened(&victim) == Some(false) {
            reader.expect_still_blocked()?;
        }
        if had_opened(&victim) != Some(true) {
            drop(fifo.read_write()?);
        }
        expect_eq!(reader.join()?, Ok(()));
        expect_eq!((fifo.is_closed(AccessMode::ReadOnly), fifo.is_closed(AccessMode::WriteOnly)), (Ok(true), Ok(true)));
        Ok(())
    })
}

/// If a process that calls `mkfifo` with mode 0642 and umask 022 is killed at the entry or the exit of each of its system calls,
/// `stat` of the name fails with `ENOENT` if the system call of `mkfifo` (`mknod` or `mknodat`) had only been entered, and
/// reports a FIFO of mode 0640 with `st_nlink` 1 if that call had returned. After `open` of such a FIFO with `O_RDWR`,
/// `ioctl(FIONREAD)` returns 0, `write` of 1 byte returns 1, and `read` returns 1.
#[conformance::test(posix = "mkfifo")]
fn killed_mkfifo_leaves_a_whole_fifo_or_none() -> Outcome {
    sweep(|run| {
        let scratch = Scratch::new()?;
        let path = scratch.join("fifo");
        let victim = run.victim("creator", (), |(), _| mkfifo(&path, 0o642))?;
        let is_creation = |name: &str| name == "mknodat" || name == "mknod";
        let status = stat(&path);
        if victim.completed.iter().any(|call| is_creation(&call.name)) || victim.value.is_some() {
            expect_eq!(status.map(drop), Ok(()));
        }
        if victim.entered.as_deref().is_some_and(is_creation) {
            expect_eq!(status.map(drop), Err(ENOENT));
        }
        if let Ok(status) = status {
            expect_eq!((is_fifo(&status), permissions(&status), status.st_nlink), (true, 0o640, 1));
            let both = open(&path, OFlag::O_RDWR)?;
            expect_eq!((unread(&both), write(&both, b"x"), read(&both, &mut [0; 9])), (Ok(0), Ok(1), Ok(1)));
        }
        Ok(())
    })
}
