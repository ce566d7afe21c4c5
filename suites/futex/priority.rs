//! Priorities: whom a lock is handed to, and how its owner runs while somebody more urgent waits.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{TID, lock_pi, unlock_pi, wait, wake};
use conformance::sys::process::scheduling::{become_first_in_first_out, effective_priority};

use super::fixture::{ALL, Sleeper, awake, sleeper, words};
use super::pi::holder;

/// A participant of that real-time priority that waits for the lock, and gives it back at once.
#[track_caller]
fn urgent(priority: i32, word: &AtomicU32) -> Result<Sleeper, Failure> {
    sleeper(&format!("waiter of priority {priority}"), || {
        become_first_in_first_out(priority)?;
        lock_pi(word)?;
        unlock_pi(word)
    })
}

/// A lock goes to the waiter of the highest priority, whoever came first.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE))]
fn decides_whom_a_lock_is_handed_to() -> Outcome {
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

/// The owner runs with the priority of the most urgent of those who wait, for as long as they wait.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn is_lent_to_the_owner() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = holder("owner", word)?;
    let own = effective_priority(owner.id())?;
    let low = urgent(10, word)?;
    expect_eq!(effective_priority(owner.id()), Ok(10));
    let high = urgent(30, word)?;
    expect_eq!(effective_priority(owner.id()), Ok(30));
    high.kill()?;
    expect_eq!(effective_priority(owner.id()), Ok(10));
    low.kill()?;
    expect_eq!(effective_priority(owner.id()), Ok(own));
    Ok(())
}

/// A waiter that is not urgent changes nothing about how an urgent owner runs.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn is_never_lowered_by_a_waiter() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = Participant::spawn("owner", (), |(), link| {
        become_first_in_first_out(20)?;
        lock_pi(word)?;
        link.meet("unlock");
        unlock_pi(word)
    })?;
    owner.until_reached("unlock")?;
    let _low = urgent(10, word)?;
    expect_eq!(effective_priority(owner.id()), Ok(20));
    Ok(())
}

/// What was lent is given back with the lock.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn is_given_back_with_the_lock() -> Outcome {
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
    let waiter = urgent(30, word)?;
    expect_eq!(effective_priority(owner.id()), Ok(30));
    owner.open("unlock")?;
    owner.until_reached("end")?;
    expect_eq!((effective_priority(owner.id()), waiter.join()?), (Ok(own), Ok(())));
    owner.open("end")?;
    expect_eq!(owner.join()?, Ok(()));
    Ok(())
}

/// An owner that itself waits for another lock passes on what it was lent, along the whole chain.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn is_lent_along_a_chain() -> Outcome {
    let words = words()?;
    let [first, second, third] = [0, 1, 2].map(|index| words.word(index));
    let last = holder("last", first)?;
    let own = effective_priority(last.id())?;
    let middle = sleeper("middle", || lock_pi(second).and_then(|()| lock_pi(first)))?;
    let upper = sleeper("upper", || lock_pi(third).and_then(|()| lock_pi(second)))?;
    let waiter = urgent(25, third)?;
    let along = [&last, &middle, &upper].map(|one| effective_priority(one.id()));
    expect_eq!(along, [Ok(25); 3]);
    waiter.kill()?;
    expect_eq!(effective_priority(last.id()), Ok(own));
    expect_eq!(third.load(SeqCst) & TID, upper.id().as_raw().unsigned_abs());
    Ok(())
}

/// A waiter that takes the lock over takes over the debt too: it runs with the priority of those who wait still.
#[conformance::test(man = "futex(2)", needs(CAP_SYS_NICE, procfs))]
fn is_lent_to_the_next_owner() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let next = Participant::spawn("next", (), |(), link| {
        become_first_in_first_out(40)?;
        lock_pi(word)?;
        // From here on it is the least urgent of all.
        become_first_in_first_out(1)?;
        link.meet("unlock");
        unlock_pi(word)
    })?;
    next.until_blocked()?;
    let waiter = urgent(15, word)?;
    expect_eq!(unlock_pi(word), Ok(()));
    next.until_reached("unlock")?;
    expect_eq!(effective_priority(next.id()), Ok(15));
    waiter.expect_still_blocked()?;
    next.open("unlock")?;
    expect_eq!((next.join()?, waiter.join()?), (Ok(()), Ok(())));
    Ok(())
}

/// Whether plain waiters are woken in the order of their priorities is not promised; it is recorded.
#[conformance::test(man = "futex(2)", level = observed, needs(CAP_SYS_NICE))]
fn may_decide_who_is_woken() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let mut all = Vec::new();
    for priority in [10, 30, 20] {
        all.push(sleeper("sleeper", || become_first_in_first_out(priority).and_then(|()| wait(word, 0)))?);
    }
    let mut order: Vec<usize> = Vec::new();
    for _ in 0..3 {
        expect_eq!(wake(word, 1), Ok(1));
        order.extend(awake(&all)?.into_iter().filter(|number| !order.contains(number)).collect::<Vec<_>>());
    }
    expect_eq!((order.len(), wake(word, ALL)), (3, Ok(0)));
    observe!("futex.wake-order-of-priorities-10-30-20", order);
    Ok(())
}
