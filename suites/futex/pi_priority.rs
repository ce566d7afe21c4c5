//! PI locks and real-time priorities: which waiter acquires the lock, and which priority its owner inherits.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{TID, lock_pi, unlock_pi};
use conformance::sys::process::scheduling::{become_first_in_first_out, effective_priority};

use super::fixture::{WaitingProcess, blocked_in, words};
use super::pi_lock::{id, owner};

/// A participant of that real-time priority that is blocked in `FUTEX_LOCK_PI`, and calls `FUTEX_UNLOCK_PI` as soon as it owns
/// the lock.
#[track_caller]
fn real_time_waiter(priority: i32, word: &AtomicU32) -> Result<WaitingProcess, Failure> {
    blocked_in(&format!("waiter of priority {priority}"), || {
        become_first_in_first_out(priority)?;
        lock_pi(word)?;
        unlock_pi(word)
    })
}

/// If processes of `SCHED_FIFO` priority 10, 30 and 20 block in `FUTEX_LOCK_PI` in this order, and each calls `FUTEX_UNLOCK_PI`
/// after it has acquired the lock, their calls return in the order 30, 20, 10.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE))]
fn highest_priority_waiter_acquires_the_lock() -> Outcome {
    let words = words()?;
    let (word, turns) = (words.word(0), words.word(1));
    expect_eq!(lock_pi(word), Ok(()));
    let mut all = Vec::new();
    for priority in [10, 30, 20] {
        all.push(Participant::spawn("waiter", (), |(), _| {
            become_first_in_first_out(priority)?;
            lock_pi(word)?;
            let turn = turns.fetch_add(1, SeqCst);
            unlock_pi(word)?;
            Ok::<_, Errno>((priority, turn))
        })?);
        all.last().map_or(Ok(()), |participant| participant.until_blocked())?;
    }
    expect_eq!(unlock_pi(word), Ok(()));
    let mut seen = Vec::new();
    for one in all {
        seen.push(one.join()?);
    }
    expect_eq!(seen, [Ok((10, 2)), Ok((30, 0)), Ok((20, 1))]);
    Ok(())
}

/// If processes of `SCHED_FIFO` priority 10 and then 30 block in `FUTEX_LOCK_PI`, field 18 (`priority`) of the owner's
/// `/proc/PID/stat` is -11 and then -31, that is -1 minus the inherited priority. After the process of priority 30 was killed it
/// is -11, and after that of priority 10 was killed it is the value from before both blocked.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn owner_inherits_the_highest_waiter_priority() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = owner("owner", word)?;
    let own = effective_priority(owner.id())?;
    let low = real_time_waiter(10, word)?;
    expect_eq!(effective_priority(owner.id()), Ok(10));
    let high = real_time_waiter(30, word)?;
    expect_eq!(effective_priority(owner.id()), Ok(30));
    high.kill()?;
    expect_eq!(effective_priority(owner.id()), Ok(10));
    low.kill()?;
    expect_eq!(effective_priority(owner.id()), Ok(own));
    Ok(())
}

/// While a process of `SCHED_FIFO` priority 10 is blocked in `FUTEX_LOCK_PI` on a lock whose owner has `SCHED_FIFO` priority 20,
/// field 18 (`priority`) of the owner's `/proc/PID/stat` is -21, that is -1 minus the owner's own priority.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn lower_priority_waiter_leaves_the_owner_priority() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = Participant::spawn("owner", (), |(), link| {
        become_first_in_first_out(20)?;
        lock_pi(word)?;
        link.meet("unlock");
        unlock_pi(word)
    })?;
    owner.until_reached("unlock")?;
    let _low = real_time_waiter(10, word)?;
    expect_eq!(effective_priority(owner.id()), Ok(20));
    Ok(())
}

/// While a process of `SCHED_FIFO` priority 30 is blocked in `FUTEX_LOCK_PI`, field 18 (`priority`) of the owner's
/// `/proc/PID/stat` is -31, that is -1 minus the inherited priority. After `FUTEX_UNLOCK_PI` by the owner it is the value from
/// before the other process blocked.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn unlock_ends_the_inheritance() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = Participant::spawn("owner", (), |(), link| {
        lock_pi(word)?;
        link.meet("unlock");
        let unlocked = unlock_pi(word);
        link.meet("end");
        unlocked
    })?;
    owner.until_reached("unlock")?;
    let own = effective_priority(owner.id())?;
    let waiter = real_time_waiter(30, word)?;
    expect_eq!(effective_priority(owner.id()), Ok(30));
    owner.open("unlock")?;
    owner.until_reached("end")?;
    expect_eq!((effective_priority(owner.id()), waiter.join()?), (Ok(own), Ok(())));
    owner.open("end")?;
    expect_eq!(owner.join()?, Ok(()));
    Ok(())
}

/// Process A owns a lock, B owns another and is blocked in `FUTEX_LOCK_PI` on that of A, and C owns a third and is blocked on
/// that of B. While a process of `SCHED_FIFO` priority 25 is blocked on the lock of C, field 18 (`priority`) of `/proc/PID/stat`
/// is -26 (-1 minus 25) for A, B and C. After that process was killed, the field for A has its earlier value.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn inheritance_follows_a_chain_of_locks() -> Outcome {
    let words = words()?;
    let [first, second, third] = [0, 1, 2].map(|index| words.word(index));
    let last = owner("last", first)?;
    let own = effective_priority(last.id())?;
    let middle = blocked_in("middle", || lock_pi(second).and_then(|()| lock_pi(first)))?;
    let upper = blocked_in("upper", || lock_pi(third).and_then(|()| lock_pi(second)))?;
    let waiter = real_time_waiter(25, third)?;
    let along = [&last, &middle, &upper].map(|one| effective_priority(one.id()));
    expect_eq!(along, [Ok(25); 3]);
    waiter.kill()?;
    expect_eq!(effective_priority(last.id()), Ok(own));
    expect_eq!(third.load(SeqCst) & TID, id(&upper));
    Ok(())
}

/// A process has acquired a lock at `SCHED_FIFO` priority 40 and then lowered its own priority to 1. While a process of
/// `SCHED_FIFO` priority 15 is blocked in `FUTEX_LOCK_PI` on the lock, field 18 (`priority`) of the owner's `/proc/PID/stat` is
/// -16, that is -1 minus the inherited priority.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn new_owner_inherits_from_the_remaining_waiter() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let next = Participant::spawn("next", (), |(), link| {
        become_first_in_first_out(40)?;
        lock_pi(word)?;
        // From here on its own priority is the lowest.
        become_first_in_first_out(1)?;
        link.meet("unlock");
        unlock_pi(word)
    })?;
    next.until_blocked()?;
    let waiter = real_time_waiter(15, word)?;
    expect_eq!(unlock_pi(word), Ok(()));
    next.until_reached("unlock")?;
    expect_eq!(effective_priority(next.id()), Ok(15));
    waiter.expect_still_blocked()?;
    next.open("unlock")?;
    expect_eq!((next.join()?, waiter.join()?), (Ok(()), Ok(())));
    Ok(())
}
