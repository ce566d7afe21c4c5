//! Under load: a semaphore and a lock made of futexes by hand, used by many at once, some of whom are killed.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::fault::storm::{Crowd, Nemesis};
use conformance::prelude::*;
use conformance::sys::futex::robust_list::{Link as Entry, RobustList};
use conformance::sys::futex::{
    Fourth, OWNER_DIED, Place, TID, Waiter, cmp_requeue, cmp_requeue_pi, futex, is_missing, lock_pi, op, own_id, unlock_pi, wait,
    wait_requeue_pi, waitv, wake,
};
use conformance::sys::time::{Clock, Time};

use super::fixture::{ALL, awake, words};

/// What a token adds to the semaphore's word once it is taken: those that are left are in the lower half, those taken in the upper.
const TAKEN: u32 = 0x1_0000;

fn left(semaphore: u32) -> u32 {
    semaphore % TAKEN
}

/// Puts one token in and wakes one waiter.
fn post(semaphore: &AtomicU32) -> Result<u32, Errno> {
    semaphore.fetch_add(1, SeqCst);
    wake(semaphore, 1)
}

/// Gives a lock with priority inheritance up: in user space while nobody waits, as it is meant to be. The kernel would answer `EAGAIN`
/// where a waiter came, and left, while it looked.
fn give_up(lock: &AtomicU32) -> Result<(), Errno> {
    if lock.compare_exchange(own_id(), 0, SeqCst, SeqCst).is_ok() { Ok(()) } else { unlock_pi(lock) }
}

/// Takes one token, and waits for it where there is none.
fn take(semaphore: &AtomicU32) -> Result<(), Errno> {
    loop {
        let seen = semaphore.load(SeqCst);
        if left(seen) > 0 {
            if semaphore.compare_exchange(seen, seen - 1 + TAKEN, SeqCst, SeqCst).is_ok() {
                return Ok(());
            }
        } else {
            match wait(semaphore, seen) {
                Ok(()) | Err(EAGAIN) => {}
                Err(other) => return Err(other),
            }
        }
    }
}

/// Three who post and three who take as many tokens as are posted all come to an end: no wake is lost.
#[conformance::test(man = "futex(2)")]
fn no_wake_is_lost() -> Outcome {
    const EACH: u32 = 60;
    let words = words()?;
    let semaphore = words.word(0);
    let mut crowd = Vec::new();
    for number in 0..3 {
        crowd.push(Participant::spawn(&format!("taker {number}"), (), |(), _| (0..EACH).try_for_each(|_| take(semaphore)))?);
        crowd.push(Participant::spawn(&format!("poster {number}"), (), |(), _| {
            (0..EACH).try_for_each(|_| post(semaphore).map(drop))
        })?);
    }
    for one in crowd {
        expect_eq!(one.join()?, Ok(()));
    }
    expect_eq!((semaphore.load(SeqCst), wake(semaphore, ALL)), (3 * EACH * TAKEN, Ok(0)));
    Ok(())
}

/// While takers are killed and started again wherever they are, wakes reach those who live: after everybody is woken once more,
/// nobody sleeps beside a token, and no dead waiter is counted.
#[conformance::test(man = "futex(2)")]
fn the_dead_take_no_wake_with_them_for_good() -> Outcome {
    let words = words()?;
    let semaphore = words.word(0);
    let mut nemesis = Nemesis::of_this_case();
    let mut crowd = Crowd::gather(3, |number, generation| {
        Participant::spawn(&format!("taker {number}.{generation}"), (), |(), _| -> Result<(), Errno> {
            loop {
                take(semaphore)?;
            }
        })
    })?;
    for _ in 0..12 {
        for _ in 0..=nemesis.below(6) {
            expect_matches!(post(semaphore), Ok(0 | 1));
        }
        crowd.strike(&mut nemesis)?;
    }
    let living: Vec<_> = crowd.disperse().into_iter().map(|(member, _)| member).collect();
    wake(semaphore, ALL)?;
    living.iter().try_for_each(|participant| participant.until_blocked())?;
    while left(semaphore.load(SeqCst)) > 0 {
        std::thread::yield_now();
    }
    living.iter().try_for_each(|participant| participant.until_blocked())?;
    expect_eq!((wake(semaphore, ALL), left(semaphore.load(SeqCst))), (Ok(3), 0));
    Ok(())
}

/// Of those who wait at one word, are moved to another and back while some are killed, each that lives is a waiter of exactly one
/// word at the end.
#[conformance::test(man = "futex(2)")]
fn nobody_is_lost_between_two_words() -> Outcome {
    let words = words()?;
    let (a, b) = (words.word(0), words.word(1));
    let mut nemesis = Nemesis::of_this_case();
    let mut waiters: Vec<_> =
        (0..5).map(|number| Participant::spawn(&format!("waiter {number}"), (), |(), _| wait(a, 0))).collect::<Result<_, _>>()?;
    waiters.iter().try_for_each(|participant| participant.until_blocked())?;
    let movers: Vec<_> = [(a, b), (b, a), (a, b), (b, a)]
        .into_iter()
        .map(|(from, to)| {
            Participant::spawn("mover", (), move |(), _| (0..40).try_for_each(|_| cmp_requeue(from, 0, 0, to, 2).map(drop)))
        })
        .collect::<Result<_, _>>()?;
    for _ in 0..3 {
        let victim = nemesis.below(waiters.len());
        waiters.remove(victim).kill()?;
    }
    for mover in movers {
        expect_eq!(mover.join()?, Ok(()));
    }
    expect_eq!(awake(&waiters)?.len(), 0);
    let found = (wake(a, ALL), wake(b, ALL));
    expect!(matches!(found, (Ok(first), Ok(second)) if first + second == 2), "{found:?}");
    expect_eq!(awake(&waiters)?, [0, 1]);
    Ok(())
}

/// A lock with priority inheritance keeps all but one out: what they count under it comes out right, and it is free at the end.
#[conformance::test(man = "futex(2)")]
fn a_lock_keeps_others_out() -> Outcome {
    const EACH: u32 = 60;
    let words = words()?;
    let (lock, counter) = (words.word(0), words.word(1));
    let mut crowd = Vec::new();
    for number in 0..4 {
        crowd.push(Participant::spawn(&format!("counter {number}"), (), |(), _| {
            (0..EACH).try_for_each(|turn| {
                // In user space where that is possible, as it is meant to be.
                if lock.compare_exchange(0, own_id(), SeqCst, SeqCst).is_err() {
                    lock_pi(lock)?;
                }
                let counted = counter.load(SeqCst);
                if turn % 8 == 0 {
                    std::thread::yield_now();
                }
                counter.store(counted + 1, SeqCst);
                if lock.load(SeqCst) & TID != own_id() {
                    return Err(EPERM);
                }
                give_up(lock)
            })
        })?);
    }
    for one in crowd {
        expect_eq!(one.join()?, Ok(()));
    }
    expect_eq!((counter.load(SeqCst), lock.load(SeqCst)), (4 * EACH, 0));
    Ok(())
}

/// A lock that many want for a short time only, and often give up waiting for, is owned by exactly those who were told so, and is free
/// at the end.
#[conformance::test(man = "futex(2)")]
fn a_lock_is_not_left_to_who_gave_up() -> Outcome {
    let words = words()?;
    let (lock, counter) = (words.word(0), words.word(1));
    let mut crowd = Vec::new();
    for number in 0..4_u32 {
        crowd.push(Participant::spawn(&format!("counter {number}"), (), |(), _| {
            let mut owned = 0;
            for turn in 0..60 {
                let end = Time::now(Clock::Realtime)?.plus_microseconds(i64::from(turn % 7 * 20));
                match futex(lock, op::LOCK_PI, 0, Fourth::Timeout(end), Place::NULL, 0) {
                    Err(ETIMEDOUT) => continue,
                    other => other?,
                };
                if lock.load(SeqCst) & TID != own_id() {
                    return Err(EPERM);
                }
                let counted = counter.load(SeqCst);
                std::thread::yield_now();
                counter.store(counted + 1, SeqCst);
                owned += 1;
                give_up(lock)?;
            }
            Ok(owned)
        })?);
    }
    let mut owned = 0;
    for one in crowd {
        let seen = one.join()?;
        expect!(seen.is_ok(), "{seen:?}");
        owned += seen.unwrap_or(0);
    }
    expect_eq!((counter.load(SeqCst), lock.load(SeqCst), lock_pi(lock)), (owned, 0, Ok(())));
    Ok(())
}

/// However many owners of a robust lock with priority inheritance are killed, wherever they are, those who wait get it one after the
/// other, and are told at most that an owner died.
#[conformance::test(man = "futex(2)", man = "set_robust_list(2)")]
fn a_lock_is_not_left_to_the_dead() -> Outcome {
    let list = RobustList::new(1)?;
    let lock = list.word(0);
    // The lock is always on the list: the kernel looks whom the word names.
    list.chain(&[Entry::PriorityEntry(0)], Entry::Head);
    let mut nemesis = Nemesis::of_this_case();
    let words = words()?;
    let (owned, wrong) = (words.word(0), words.word(1));
    let mut crowd = Crowd::gather(3, |number, generation| {
        Participant::spawn(&format!("owner {number}.{generation}"), (), |(), _| -> Result<(), Errno> {
            list.register()?;
            loop {
                let locked = lock_pi(lock);
                if locked.is_err() || lock.load(SeqCst) & TID != own_id() {
                    wrong.fetch_add(1, SeqCst);
                    return locked.and(Err(EPERM));
                }
                lock.fetch_and(!OWNER_DIED, SeqCst);
                owned.fetch_add(1, SeqCst);
                give_up(lock)?;
            }
        })
    })?;
    for _ in 0..8 {
        // So that somebody is in the middle of it, wherever that is.
        let before = owned.load(SeqCst);
        while owned.load(SeqCst).wrapping_sub(before) < 5 && wrong.load(SeqCst) == 0 {
            std::thread::yield_now();
        }
        expect_eq!(wrong.load(SeqCst), 0);
        crowd.strike(&mut nemesis)?;
    }
    crowd.kill_all()?;
    expect_eq!((wrong.load(SeqCst), lock_pi(lock), lock.load(SeqCst) & !OWNER_DIED), (0, Ok(()), own_id()));
    Ok(())
}

/// Waits again and again for a short time to be moved to the lock, and gives it back: how often it was had.
fn moved_in_time(plain: &AtomicU32, lock: &AtomicU32) -> Result<u32, Errno> {
    let mut owned = 0;
    for turn in 0..40 {
        let end = Time::now(Clock::Monotonic)?.plus_microseconds(turn % 8 * 25);
        let waited = wait_requeue_pi(plain, 0, Some((Clock::Monotonic, end)), lock);
        match (waited, lock.load(SeqCst) & TID == own_id()) {
            (Ok(()), true) => unlock_pi(lock).map(|()| owned += 1)?,
            (Ok(()), false) => return Err(EPERM),
            (Err(ETIMEDOUT | EAGAIN), false) => {}
            (Err(ETIMEDOUT | EAGAIN), true) => return Err(EBUSY),
            (Err(other), _) => return Err(other),
        }
    }
    Ok(owned)
}

/// Waiters that are moved to a lock while their time runs out own it exactly if they are told so, and leave it free.
#[conformance::test(man = "futex(2)")]
fn who_is_moved_in_time_owns_the_lock() -> Outcome {
    let words = words()?;
    let [plain, lock, done] = [0, 1, 2].map(|index| words.word(index));
    let mut crowd = Vec::new();
    for number in 0..3 {
        crowd.push(Participant::spawn(&format!("waiter {number}"), (), |(), _| {
            let outcome = moved_in_time(plain, lock);
            done.fetch_add(1, SeqCst);
            outcome
        })?);
    }
    let mut moved = 0;
    while done.load(SeqCst) < 3 {
        match cmp_requeue_pi(plain, 0, 1, lock, i32::MAX) {
            Ok(count) => moved += count,
            other => expect_eq!(other, Ok(0)),
        }
    }
    let seen = crowd.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
    let owned: Result<u32, Errno> = seen.into_iter().sum();
    expect!(owned.is_ok_and(|owned| owned <= moved), "{owned:?} of {moved}");
    expect_eq!((lock.load(SeqCst), cmp_requeue_pi(plain, 0, 1, lock, i32::MAX)), (0, Ok(0)));
    Ok(())
}

/// Who waits at several words at once misses no change of any: it sees as many as are made.
#[conformance::test(man = "futex_waitv(2)")]
fn no_wake_is_lost_between_several_words() -> Outcome {
    const EACH: u32 = 60;
    let words = words()?;
    if is_missing(&waitv(&[], 0, None)) {
        unsupported!("futex_waitv", ENOSYS);
    }
    let counters = [0, 1, 2].map(|index| words.word(index));
    let waiter = Participant::spawn("waiter", (), |(), _| {
        loop {
            let seen = counters.map(|counter| counter.load(SeqCst));
            if seen == [EACH; 3] {
                return Ok(());
            }
            let waiters = [0, 1, 2].map(|index| Waiter::new(counters[index], seen[index]));
            match waitv(&waiters, 0, None) {
                Ok(0..=2) | Err(EAGAIN) => {}
                Ok(_) => return Err(ERANGE),
                Err(other) => return Err(other),
            }
        }
    })?;
    let mut wakers = Vec::new();
    for counter in counters {
        wakers.push(Participant::spawn("waker", (), |(), _| {
            (0..EACH).try_for_each(|_| {
                counter.fetch_add(1, SeqCst);
                wake(counter, 1).map(drop)
            })
        })?);
    }
    for waker in wakers {
        expect_eq!(waker.join()?, Ok(()));
    }
    expect_eq!((waiter.join()?, counters.map(|counter| wake(counter, ALL))), (Ok(()), [Ok(0); 3]));
    Ok(())
}
