//! Advisory locks on a FIFO: `flock`, and record locks (`fcntl(F_SETLK)`), which a system may reject for a FIFO.

use conformance::prelude::*;
use conformance::sys::fd::lock::{flock_now, record_lock_now};

use super::fixture::Fifo;

/// While another process holds a lock by `flock(LOCK_EX)` on a FIFO, `flock(LOCK_EX | LOCK_NB)` on the FIFO fails with `EAGAIN`.
/// After that process is killed, `flock(LOCK_EX | LOCK_NB)` returns 0.
#[conformance::test(man = "flock(2)")]
fn flock_is_exclusive() -> Outcome {
    let fifo = Fifo::new()?;
    let (own, held) = (fifo.read_write()?, fifo.read_write()?);
    let owner: Participant<()> = Participant::spawn("owner", held, |end, link| {
        let locked = flock_now(&end);
        link.reached(if locked.is_ok() { "locked" } else { "rejected" });
        link.park()
    })?;
    owner.until_reached("locked")?;
    expect_eq!(flock_now(&own), Err(EAGAIN));
    owner.kill()?;
    expect_eq!(flock_now(&own), Ok(()));
    Ok(())
}

/// While a FIFO is locked by `flock(LOCK_EX)`, `flock(LOCK_EX | LOCK_NB)` on a descriptor opened by another hard link of the FIFO
/// fails with `EAGAIN`. On a descriptor of another FIFO, the call returns 0.
#[conformance::test(man = "flock(2)")]
fn flock_is_per_fifo() -> Outcome {
    let fifo = Fifo::new()?;
    std::fs::hard_link(fifo.path(), fifo.sibling("second"))?;
    mkfifo(&fifo.sibling("other"), 0o600)?;
    let (first, second, other) =
        (fifo.read_write()?, open(&fifo.sibling("second"), OFlag::O_RDWR)?, open(&fifo.sibling("other"), OFlag::O_RDWR)?);
    expect_eq!([flock_now(&first), flock_now(&second), flock_now(&other)], [Ok(()), Err(EAGAIN), Ok(())]);
    Ok(())
}

/// If `fcntl(F_SETLK)` for a write lock on a FIFO returns 0 in one process, `fcntl(F_SETLK)` for a write lock and for a read lock
/// fails with `EAGAIN` or `EACCES` in another process, and for a write lock returns 0 after the first process is killed. A system
/// may also reject these calls with `EINVAL`; which of the two is recorded, and either is accepted.
#[conformance::test(posix = "fcntl", level = observed)]
fn record_lock_is_exclusive_if_supported() -> Outcome {
    let fifo = Fifo::new()?;
    let own = fifo.read_write()?;
    let owner: Participant<()> = Participant::spawn("owner", fifo.read_write()?, |end, link| {
        let locked = record_lock_now(&end, true);
        link.reached(if locked.is_ok() { "locked" } else { "rejected" });
        link.park()
    })?;
    let granted = owner.until_reached("locked").is_ok();
    observe!("fifo.record-locks", granted);
    if !granted {
        expect_eq!(record_lock_now(&own, true), Err(EINVAL));
        return Ok(());
    }
    expect_matches!(record_lock_now(&own, true), Err(EAGAIN | EACCES));
    expect_matches!(record_lock_now(&own, false), Err(EAGAIN | EACCES));
    owner.kill()?;
    expect_eq!(record_lock_now(&own, true), Ok(()));
    Ok(())
}

/// If `fcntl(F_SETLK)` for a read lock on the read end of a FIFO returns 0, a read lock on the write end and a write lock on the
/// read end fail with `EBADF`, and a write lock on the write end returns 0. A system may also reject these calls with `EINVAL`;
/// which of the two is recorded, and either is accepted.
#[conformance::test(posix = "fcntl", level = observed)]
fn record_lock_needs_the_access_mode_if_supported() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let read_lock = record_lock_now(&reader, false);
    observe!("fifo.record-locks", read_lock.is_ok());
    if read_lock == Err(EINVAL) {
        expect_eq!(record_lock_now(&writer, true), Err(EINVAL));
        return Ok(());
    }
    expect_eq!(read_lock, Ok(()));
    expect_eq!((record_lock_now(&writer, false), record_lock_now(&reader, true)), (Err(EBADF), Err(EBADF)));
    expect_eq!(record_lock_now(&writer, true), Ok(()));
    Ok(())
}
