//! Futexes under load: semaphores and locks that the cases build from futexes, used by several processes at the same time, some
//! of which are killed or time out at random instants.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::fault::storm::{Crowd, Nemesis};
use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::futex::robust_list::{Link as Entry, RobustList};
use conformance::sys::futex::{
    Fourth, OWNER_DIED, Place, TID, Waiter, cmp_requeue, cmp_requeue_pi, futex, is_missing, lock_pi, op, own_id, unlock_pi, wait,
    wait_requeue_pi, waitv, wake,
};
use conformance::sys::time::{Clock, Time};

use super::fixture::{ALL, woken_indexes, words};

/// What is added to the semaphore's word for each token taken. The lower half of the word counts the available tokens, the upper
/// half the taken ones.
const TAKEN: u32 = 0x1_0000;

fn available(semaphore: u32) -> u32 {
    semaphore % TAKEN
}

/// Adds one token and wakes one waiter.
fn post(semaphore: &AtomicU32) -> Result<u32, Errno> {
    semaphore.fetch_add(1, SeqCst);
    wake(semaphore, 1)
}

/// Releases a PI lock, in user space if `FUTEX_WAITERS` is not set, as the protocol says. `FUTEX_UNLOCK_PI` may fail with
/// `EAGAIN` if a waiter appears and leaves during the call.
fn release(lock: &AtomicU32) -> Result<(), Errno> {
    if lock.compare_exchange(own_id(), 0, SeqCst, SeqCst).is_ok() { Ok(()) } else { unlock_pi(lock) }
}

/// Takes one token, and waits in `FUTEX_WAIT` while none is available.
fn take(semaphore: &AtomicU32) -> Result<(), Errno> {
    loop {
        let seen = semaphore.load(SeqCst);
        if available(seen) > 0 {
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

/// If three processes each increment a futex word 60 times and call `FUTEX_WAKE` with a limit of 1 each time, and three others
/// each decrement it 60 times and call `FUTEX_WAIT` while it is 0, all six finish. The count is then 0 and `FUTEX_WAKE` returns
/// 0.
#[conformance::test(man = "futex(2)")]
fn concurrent_wait_and_wake_lose_no_wake() -> Outcome {
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

/// While a process increments a futex word and calls `FUTEX_WAKE` with a limit of 1 each time, three processes that decrement it,
/// and call `FUTEX_WAIT` while it is 0, are killed and replaced at random instants. After a last `FUTEX_WAKE` with a limit of
/// `INT_MAX` the word falls to 0, and the next such `FUTEX_WAKE` returns 3, the number of living processes.
#[conformance::test(man = "futex(2)")]
fn killed_waiters_lose_no_wake() -> Outcome {
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
    let mut pause = Pause::default();
    while available(semaphore.load(SeqCst)) > 0 {
        pause.sleep();
    }
    living.iter().try_for_each(|participant| participant.until_blocked())?;
    expect_eq!((wake(semaphore, ALL), available(semaphore.load(SeqCst))), (Ok(3), 0));
    Ok(())
}

/// Five processes are blocked in `FUTEX_WAIT`, four others call `FUTEX_CMP_REQUEUE` with `val` 0 and `val2` 2 between two words,
/// 40 times each, two of them in each direction, and three of the five are killed meanwhile. The other two stay blocked, and
/// `FUTEX_WAKE` with a limit of `INT_MAX` on both words then wakes these two and returns 2 in total.
#[conformance::test(man = "futex(2)")]
fn concurrent_requeue_keeps_every_waiter() -> Outcome {
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
    expect_eq!(woken_indexes(&waiters)?.len(), 0);
    let woken = (wake(a, ALL), wake(b, ALL));
    expect_matches!(woken, (Ok(first), Ok(second)) if first + second == 2);
    expect_eq!(woken_indexes(&waiters)?, [0, 1]);
    Ok(())
}

/// If four processes each increment a counter 60 times, by load and store, while they own a lock acquired with `FUTEX_LOCK_PI`,
/// the counter is 240 at the end. The word of the lock is then 0.
#[conformance::test(man = "futex(2)")]
fn pi_lock_excludes_other_processes() -> Outcome {
    const EACH: u32 = 60;
    let words = words()?;
    let (lock, counter) = (words.word(0), words.word(1));
    let mut crowd = Vec::new();
    for number in 0..4 {
        crowd.push(Participant::spawn(&format!("counter {number}"), (), |(), _| {
            (0..EACH).try_for_each(|turn| {
                // In user space if the lock is free, as the protocol says.
                if lock.compare_exchange(0, own_id(), SeqCst, SeqCst).is_err() {
                    lock_pi(lock)?;
                }
                let counted = counter.load(SeqCst);
                // Lets another process run between load and store.
                if turn % 8 == 0 {
                    std::thread::yield_now();
                }
                counter.store(counted + 1, SeqCst);
                if lock.load(SeqCst) & TID != own_id() {
                    return Err(EPERM);
                }
                release(lock)
            })
        })?);
    }
    for one in crowd {
        expect_eq!(one.join()?, Ok(()));
    }
    expect_eq!((counter.load(SeqCst), lock.load(SeqCst)), (4 * EACH, 0));
    Ok(())
}

/// While four processes call `FUTEX_LOCK_PI` with timeouts of 0 to 120 µs, 60 times each, each call returns 0 and stores its
/// caller's thread id in the word, or fails with `ETIMEDOUT`. A counter incremented by load and store after each call that
/// returned 0 is at the end the number of these calls, and the word is 0.
#[conformance::test(man = "futex(2)")]
fn timed_out_waiters_do_not_own_the_lock() -> Outcome {
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
                // Lets another process run between load and store.
                std::thread::yield_now();
                counter.store(counted + 1, SeqCst);
                owned += 1;
                release(lock)?;
            }
            Ok(owned)
        })?);
    }
    let mut owned = 0;
    for one in crowd {
        let seen = one.join()?;
        expect_matches!(seen, Ok(_));
        owned += seen.unwrap_or(0);
    }
    expect_eq!((counter.load(SeqCst), lock.load(SeqCst), lock_pi(lock)), (owned, 0, Ok(())));
    Ok(())
}

/// Three processes, each with the lock as a PI entry on its robust list, call `FUTEX_LOCK_PI` and release the lock again and
/// again, and are killed and replaced at random instants. Each `FUTEX_LOCK_PI` returns 0 and the word then holds its caller's
/// thread id. After all these processes were killed, `FUTEX_LOCK_PI` by another process returns 0.
#[conformance::test(man = "futex(2)", man = "set_robust_list(2)")]
fn killed_owners_pass_on_a_robust_pi_lock() -> Outcome {
    let list = RobustList::new(1)?;
    let lock = list.word(0);
    // The entry is on the list all the time. The kernel acts on it only if the word names the ended thread.
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
                release(lock)?;
            }
        })
    })?;
    for _ in 0..8 {
        // So that a process is somewhere between `FUTEX_LOCK_PI` and its release.
        let before = owned.load(SeqCst);
        let mut pause = Pause::default();
        while owned.load(SeqCst).wrapping_sub(before) < 5 && wrong.load(SeqCst) == 0 {
            pause.sleep();
        }
        expect_eq!(wrong.load(SeqCst), 0);
        crowd.strike(&mut nemesis)?;
    }
    crowd.kill_all()?;
    expect_eq!((wrong.load(SeqCst), lock_pi(lock), lock.load(SeqCst) & !OWNER_DIED), (0, Ok(()), own_id()));
    Ok(())
}

/// Calls `FUTEX_WAIT_REQUEUE_PI` 40 times with a short timeout, and releases the lock each time it was acquired: how often it
/// was.
fn acquired_by_requeue(plain: &AtomicU32, lock: &AtomicU32) -> Result<u32, Errno> {
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

/// Three processes call `FUTEX_WAIT_REQUEUE_PI` with timeouts of 0 to 175 µs, 40 times each, while another process repeats
/// `FUTEX_CMP_REQUEUE_PI` with `val2` `INT_MAX`. The word of the lock holds the waiter's thread id if its call returns 0, and not
/// if the call fails with `ETIMEDOUT` or `EAGAIN`. At the end the word of the lock is 0.
#[conformance::test(man = "futex(2)")]
fn requeue_pi_races_with_timeouts() -> Outcome {
    let words = words()?;
    let [plain, lock, done] = [0, 1, 2].map(|index| words.word(index));
    let mut crowd = Vec::new();
    for number in 0..3 {
        crowd.push(Participant::spawn(&format!("waiter {number}"), (), |(), _| {
            let outcome = acquired_by_requeue(plain, lock);
            done.fetch_add(1, SeqCst);
            outcome
        })?);
    }
    let mut moved = 0;
    // A busy loop on purpose: the requeue is to happen at every instant of the waits.
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

/// If three processes each increment a futex word of their own 60 times and call `FUTEX_WAKE` each time, a process that calls
/// `futex_waitv` on the three words, with the values it has read, until all three are 60, finishes. `FUTEX_WAKE` on each word
/// then returns 0.
#[conformance::test(man = "futex_waitv(2)")]
fn waitv_loses_no_wake() -> Outcome {
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
