//! Advisory locks on a FIFO, which a system may refuse. Where it grants them they have to exclude.

use conformance::prelude::*;
use conformance::sys::fd::lock::{flock_now, record_lock_now};

use super::fixture::Named;

/// A lock of an open description is granted to one at a time, and goes with the process that dies holding it.
#[conformance::test(man = "flock(2)")]
fn of_a_description_exclude_each_other() -> Outcome {
    let fifo = Named::new()?;
    let (ours, theirs) = (fifo.both()?, fifo.both()?);
    let holder: Participant<()> = Participant::spawn("holder", theirs, |end, link| {
        let locked = flock_now(&end);
        link.reached(if locked.is_ok() { "locked" } else { "refused" });
        link.park()
    })?;
    holder.until_reached("locked")?;
    expect_eq!(flock_now(&ours), Err(EAGAIN));
    holder.kill()?;
    expect_eq!(flock_now(&ours), Ok(()));
    Ok(())
}

/// The two names of one FIFO have one lock, and another FIFO has its own.
#[conformance::test(man = "flock(2)")]
fn of_a_description_belong_to_the_object() -> Outcome {
    let fifo = Named::new()?;
    std::fs::hard_link(fifo.path(), fifo.beside("second"))?;
    mkfifo(&fifo.beside("other"), 0o600)?;
    let (first, second, other) =
        (fifo.both()?, open(&fifo.beside("second"), OFlag::O_RDWR)?, open(&fifo.beside("other"), OFlag::O_RDWR)?);
    expect_eq!([flock_now(&first), flock_now(&second), flock_now(&other)], [Ok(()), Err(EAGAIN), Ok(())]);
    Ok(())
}

/// A record lock may be refused on a FIFO; where it is granted, another process is refused it for as long as the holder lives.
#[conformance::test(posix = "fcntl", level = observed)]
fn of_a_process_exclude_others_if_granted() -> Outcome {
    let fifo = Named::new()?;
    let ours = fifo.both()?;
    let holder: Participant<()> = Participant::spawn("holder", fifo.both()?, |end, link| {
        let locked = record_lock_now(&end, true);
        link.reached(if locked.is_ok() { "locked" } else { "refused" });
        link.park()
    })?;
    let granted = holder.until_reached("locked").is_ok();
    observe!("fifo.record-locks", granted);
    if !granted {
        expect_eq!(record_lock_now(&ours, true), Err(EINVAL));
        return Ok(());
    }
    expect_matches!(record_lock_now(&ours, true), Err(EAGAIN | EACCES));
    expect_matches!(record_lock_now(&ours, false), Err(EAGAIN | EACCES));
    holder.kill()?;
    expect_eq!(record_lock_now(&ours, true), Ok(()));
    Ok(())
}

/// A record lock asks for a description that allows what the lock is for: a shared one for reading, an exclusive one for writing.
#[conformance::test(posix = "fcntl", level = observed)]
fn of_a_process_need_the_direction_if_granted() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let refused = record_lock_now(&reader, false);
    if refused == Err(EINVAL) {
        expect_eq!(record_lock_now(&writer, true), Err(EINVAL));
        return Ok(());
    }
    expect_eq!(refused, Ok(()));
    expect_eq!((record_lock_now(&writer, false), record_lock_now(&reader, true)), (Err(EBADF), Err(EBADF)));
    expect_eq!(record_lock_now(&writer, true), Ok(()));
    Ok(())
}
