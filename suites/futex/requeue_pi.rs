//! `FUTEX_WAIT_REQUEUE_PI` and `FUTEX_CMP_REQUEUE_PI`: waiters of a plain word are moved to a PI lock, and own the lock when they
//! wake.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::futex::{
    Place, TID, WAITERS, cmp_requeue, cmp_requeue_pi, lock_pi, own_id, unlock_pi, wait_requeue_pi, wake,
};
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, NONE_WOKEN, WaitingProcess, blocked_in, waiters, woken_indexes, words};

const MANY: i32 = i32::MAX;

/// The index of the plain word, and of the word of the lock.
const PLAIN: usize = 0;
const LOCK: usize = 1;

/// A participant that is blocked in `FUTEX_WAIT_REQUEUE_PI`, and afterwards owns the lock until the gate `unlock` is open.
#[track_caller]
fn lock_waiter(name: &str, words: &Mapping) -> Result<WaitingProcess, Failure> {
    let waiter = Participant::spawn(name, (), |(), link| {
        wait_requeue_pi(words.word(PLAIN), 0, None, words.word(LOCK))?;
        link.meet("unlock");
        unlock_pi(words.word(LOCK))
    })?;
    waiter.until_blocked()?;
    Ok(waiter)
}

#[track_caller]
fn lock_waiters(count: usize, words: &Mapping) -> Result<Vec<WaitingProcess>, Failure> {
    (0..count).map(|number| lock_waiter(&format!("waiter {number}"), words)).collect()
}

/// The index of the waiter that owns the lock.
fn owner(words: &Mapping, all: &[WaitingProcess]) -> Option<usize> {
    let id = words.word(LOCK).load(SeqCst) & TID;
    all.iter().position(|waiter| waiter.id().as_raw().unsigned_abs() == id)
}

/// Lets each waiter release the lock in turn, and expects the word to be 0 after the last.
fn release_in_turn(words: &Mapping, all: Vec<WaitingProcess>) -> Outcome {
    for left in (0..all.len()).rev() {
        let Some(number) = owner(words, &all) else {
            expect_eq!(
                words.word(LOCK).load(SeqCst),
                u32::MAX,
                "the word names none of the waiters, of which {left} more should follow"
            );
            break;
        };
        all[number].until_reached("unlock")?;
        all[number].open("unlock")?;
        expect_eq!(all[number].until_settled()?, Settled::Ended);
    }
    for one in all {
        expect_eq!(one.join()?, Ok(()));
    }
    expect_eq!(words.word(LOCK).load(SeqCst), 0);
    Ok(())
}

/// `FUTEX_CMP_REQUEUE_PI` with `val2` `INT_MAX` to a free lock returns 3 if three processes are blocked in
/// `FUTEX_WAIT_REQUEUE_PI`. The call of one of them returns 0, the other two stay blocked, and the word of the lock holds
/// `FUTEX_WAITERS` and the thread id of the first.
#[conformance::test(man = "futex(2)")]
fn free_lock_is_acquired_by_one_waiter() -> Outcome {
    let words = words()?;
    let all = lock_waiters(3, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(3));
    let first = owner(&words, &all);
    expect_matches!(first, Some(_));
    expect_eq!(words.word(LOCK).load(SeqCst) & !TID, WAITERS);
    for (number, one) in all.iter().enumerate().filter(|(number, _)| Some(*number) != first) {
        one.expect_still_blocked()?;
        expect!(Some(number) != owner(&words, &all));
    }
    release_in_turn(&words, all)
}

/// `FUTEX_CMP_REQUEUE_PI` with `val2` `INT_MAX` to a lock that the caller owns returns 3, and all three processes blocked in
/// `FUTEX_WAIT_REQUEUE_PI` stay blocked. After `FUTEX_UNLOCK_PI` by the caller, and then by each process in turn, the three
/// `FUTEX_WAIT_REQUEUE_PI` calls return 0.
#[conformance::test(man = "futex(2)")]
fn owned_lock_leaves_all_waiters_blocked() -> Outcome {
    let words = words()?;
    expect_eq!(lock_pi(words.word(LOCK)), Ok(()));
    let all = lock_waiters(3, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(3));
    expect_eq!((woken_indexes(&all)?, words.word(LOCK).load(SeqCst)), (vec![], WAITERS | own_id()));
    expect_eq!(unlock_pi(words.word(LOCK)), Ok(()));
    release_in_turn(&words, all)
}

/// `FUTEX_CMP_REQUEUE_PI` to a free lock with `val2` 0, 1 or 2 makes one of three processes blocked in `FUTEX_WAIT_REQUEUE_PI`
/// the owner, moves `val2` others to the lock, and returns `val2` + 1. A second call with `val2` `INT_MAX` moves the rest and
/// returns their number.
#[rstest]
#[case::none(0, 1)]
#[case::one(1, 2)]
#[case::two(2, 3)]
#[conformance::test(man = "futex(2)")]
fn moves_up_to_the_limit(#[case] limit: i32, #[case] expected: u32) -> Outcome {
    let words = words()?;
    let all = lock_waiters(3, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), limit), Ok(expected));
    expect_matches!(owner(&words, &all), Some(_));
    expect_eq!(words.word(LOCK).load(SeqCst) & WAITERS, if limit == 0 { 0 } else { WAITERS });
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(3 - expected));
    release_in_turn(&words, all)
}

/// `FUTEX_CMP_REQUEUE_PI` on a word without waiters returns 0, and the word of the lock stays as it was, whether the lock is free
/// or owned by the caller.
#[conformance::test(man = "futex(2)")]
fn returns_0_without_waiters() -> Outcome {
    let words = words()?;
    for lock in [0, own_id()] {
        words.word(LOCK).store(lock, SeqCst);
        expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(0));
        expect_eq!(words.word(LOCK).load(SeqCst), lock);
    }
    Ok(())
}

/// `FUTEX_WAIT_REQUEUE_PI` and `FUTEX_CMP_REQUEUE_PI` fail with `EAGAIN` if the plain word differs from the expected value. Two
/// processes blocked in `FUTEX_WAIT_REQUEUE_PI` stay blocked, and the word of the lock stays 0.
#[conformance::test(man = "futex(2)")]
fn changed_word_fails() -> Outcome {
    let words = words()?;
    expect_eq!(wait_requeue_pi(words.word(PLAIN), 1, None, words.word(LOCK)), Err(EAGAIN));
    let all = lock_waiters(2, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 1, 1, words.word(LOCK), MANY), Err(EAGAIN));
    expect_eq!((woken_indexes(&all)?, words.word(LOCK).load(SeqCst)), (vec![], 0));
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(2));
    release_in_turn(&words, all)
}

/// `FUTEX_CMP_REQUEUE_PI` fails with `EINVAL` if `val`, the number of waiters to wake, is not 1, or if `val2`, the number to
/// move, is negative. A process blocked in `FUTEX_WAIT_REQUEUE_PI` stays blocked, and the word of the lock stays 0.
#[rstest]
#[case::wake_0(0, MANY)]
#[case::wake_2(2, MANY)]
#[case::wake_negative(u32::MAX, MANY)]
#[case::move_negative(1, -1)]
#[conformance::test(man = "futex(2)")]
fn rejects_wake_counts_other_than_1(#[case] wakes: u32, #[case] moves: i32) -> Outcome {
    let words = words()?;
    let all = lock_waiters(1, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, wakes, words.word(LOCK), moves), Err(EINVAL));
    expect_eq!((woken_indexes(&all)?, words.word(LOCK).load(SeqCst)), (vec![], 0));
    Ok(())
}

/// `FUTEX_WAIT_REQUEUE_PI` and `FUTEX_CMP_REQUEUE_PI` fail with `EINVAL` if their second word, the lock, is the same as the
/// first, at the same address or at another address in a second mapping.
#[conformance::test(man = "futex(2)")]
fn plain_word_as_lock_fails() -> Outcome {
    let memory = SharedMemory::create(&unique_name("words"))?;
    memory.set_size(page_size())?;
    let words = memory.map(page_size(), Access::ReadWrite)?;
    let alias = memory.map(page_size(), Access::ReadWrite)?;
    for second in [words.word(0), alias.word(0)] {
        expect_eq!(wait_requeue_pi(words.word(0), 0, None, second), Err(EINVAL));
        expect_eq!(cmp_requeue_pi(words.word(0), 0, 1, second, MANY), Err(EINVAL));
    }
    expect_eq!(words.word(0).load(SeqCst), 0);
    Ok(())
}

/// `FUTEX_CMP_REQUEUE_PI` fails with `EINVAL` if its lock is not the lock that two blocked processes have passed to
/// `FUTEX_WAIT_REQUEUE_PI`. Both processes stay blocked, and the word of the lock passed to `FUTEX_CMP_REQUEUE_PI` stays 0.
#[conformance::test(man = "futex(2)")]
fn other_lock_than_the_waiters_fails() -> Outcome {
    let words = words()?;
    let all = lock_waiters(2, &words)?;
    let other = words.word(2);
    expect_eq!((cmp_requeue_pi(words.word(PLAIN), 0, 1, other, MANY), other.load(SeqCst)), (Err(EINVAL), 0));
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(2));
    release_in_turn(&words, all)
}

/// `FUTEX_CMP_REQUEUE` on a word with a process blocked in `FUTEX_WAIT_REQUEUE_PI`, and `FUTEX_CMP_REQUEUE_PI` on a word with a
/// process blocked in `FUTEX_WAIT`, fail with `EINVAL`. Both processes stay blocked.
#[conformance::test(man = "futex(2)")]
fn mixing_with_plain_operations_fails() -> Outcome {
    let words = words()?;
    let for_lock = lock_waiters(1, &words)?;
    expect_eq!(cmp_requeue(words.word(PLAIN), 0, 1, words.word(LOCK), 1), Err(EINVAL));
    expect_eq!(cmp_requeue(words.word(PLAIN), 0, 0, words.word(LOCK), 1), Err(EINVAL));
    let plain = waiters(1, words.word(2))?;
    expect_eq!(cmp_requeue_pi(words.word(2), 0, 1, words.word(LOCK), 1), Err(EINVAL));
    expect_eq!((woken_indexes(&for_lock)?, woken_indexes(&plain)?), (vec![], vec![]));
    expect_eq!((wake(words.word(2), ALL), words.word(LOCK).load(SeqCst)), (Ok(1), 0));
    Ok(())
}

/// `FUTEX_WAKE` on a word with a process blocked in `FUTEX_WAIT_REQUEUE_PI` returns 1, and that process's call fails with
/// `EAGAIN`.
#[conformance::test(man = "futex(2)")]
fn plain_wake_ends_the_wait() -> Outcome {
    let words = words()?;
    let all = lock_waiters(1, &words)?;
    expect_eq!(wake(words.word(PLAIN), 1), Ok(1));
    for one in all {
        expect_eq!(one.join()?, Err(EAGAIN));
    }
    Ok(())
}

/// `FUTEX_CMP_REQUEUE_PI` to a lock whose owner has exited without `FUTEX_UNLOCK_PI` fails with `ESRCH`, and a process blocked in
/// `FUTEX_WAIT_REQUEUE_PI` stays blocked. After 0 was stored in the word of the lock, `FUTEX_CMP_REQUEUE_PI` returns 1.
#[conformance::test(man = "futex(2)")]
fn lock_of_an_exited_owner_fails() -> Outcome {
    let words = words()?;
    let owner = Participant::spawn("owner", (), |(), _| lock_pi(words.word(LOCK)))?;
    expect_eq!(owner.join()?, Ok(()));
    let all = lock_waiters(1, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Err(ESRCH));
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    words.word(LOCK).store(0, SeqCst);
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(1));
    release_in_turn(&words, all)
}

/// `FUTEX_CMP_REQUEUE_PI` fails with `EDEADLK` if the process blocked in `FUTEX_WAIT_REQUEUE_PI` owns the lock already. That
/// process stays blocked and the word of the lock holds its thread id.
#[conformance::test(man = "futex(2)")]
fn waiter_that_owns_the_lock_fails() -> Outcome {
    let words = words()?;
    let owner = blocked_in("owner", || {
        lock_pi(words.word(LOCK))?;
        wait_requeue_pi(words.word(PLAIN), 0, None, words.word(LOCK))
    })?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Err(EDEADLK));
    owner.expect_still_blocked()?;
    expect_eq!(words.word(LOCK).load(SeqCst) & TID, owner.id().as_raw().unsigned_abs());
    Ok(())
}

/// `FUTEX_WAIT_REQUEUE_PI` with an absolute timeout on `CLOCK_MONOTONIC` or `CLOCK_REALTIME` fails with `ETIMEDOUT`, both for a
/// timeout in the past and, not before that clock reaches it, for a timeout in the future. A later `FUTEX_CMP_REQUEUE_PI` returns
/// 0.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn wait_fails_at_its_timeout(#[values(Clock::Monotonic, Clock::Realtime)] clock: Clock) -> Outcome {
    let words = words()?;
    let past = Time::now(clock)?.earlier();
    expect_eq!(wait_requeue_pi(words.word(PLAIN), 0, Some((clock, past)), words.word(LOCK)), Err(ETIMEDOUT));
    let end = Time::now(clock)?.plus_milliseconds(5);
    expect_eq!(wait_requeue_pi(words.word(PLAIN), 0, Some((clock, end)), words.word(LOCK)), Err(ETIMEDOUT));
    expect!(Time::now(clock)?.has_come(end), "the call returned before its timeout expired");
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(0));
    expect_eq!(words.word(LOCK).load(SeqCst), 0);
    Ok(())
}

/// `FUTEX_WAIT_REQUEUE_PI` fails with `ETIMEDOUT` if its timeout expires after `FUTEX_CMP_REQUEUE_PI` has moved the waiter to a
/// lock that another process owns. `FUTEX_UNLOCK_PI` by the owner then stores 0 in the word of the lock.
#[conformance::test(man = "futex(2)")]
fn moved_waiter_keeps_its_timeout() -> Outcome {
    let words = words()?;
    expect_eq!(lock_pi(words.word(LOCK)), Ok(()));
    // If the timeout expires before the move, the case tries again with a longer one.
    for milliseconds in [10, 40, 160, 640, 2560] {
        let waiter = Participant::spawn("waiter", (), |(), _| {
            let end = Time::now(Clock::Monotonic)?.plus_milliseconds(milliseconds);
            wait_requeue_pi(words.word(PLAIN), 0, Some((Clock::Monotonic, end)), words.word(LOCK))
        })?;
        let mut pause = Pause::default();
        while waiter.until_settled()? == Settled::Blocked {
            if cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY)? == 1 {
                expect_eq!(waiter.join()?, Err(ETIMEDOUT));
                expect_eq!((unlock_pi(words.word(LOCK)), words.word(LOCK).load(SeqCst)), (Ok(()), 0));
                return Ok(());
            }
            pause.sleep();
        }
    }
    Err(ETIMEDOUT)?
}

/// If a signal handler, with `SA_RESTART` or without, runs in a process blocked in `FUTEX_WAIT_REQUEUE_PI`, the process stays
/// blocked. A later `FUTEX_CMP_REQUEUE_PI` to a free lock returns 1, `FUTEX_WAIT_REQUEUE_PI` returns 0, and `FUTEX_UNLOCK_PI` by
/// that process returns 0.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn handler_leaves_the_waiter_blocked(#[values(Restart::No, Restart::Yes)] sa_restart: Restart) -> Outcome {
    let words = words()?;
    let waiter = blocked_in("waiter", || {
        signal::catch(Signal::SIGUSR1, sa_restart)?;
        wait_requeue_pi(words.word(PLAIN), 0, None, words.word(LOCK))?;
        if signal::caught(Signal::SIGUSR1) == 2 { unlock_pi(words.word(LOCK)) } else { Err(EIO) }
    })?;
    for _ in 0..2 {
        waiter.signal(Signal::SIGUSR1)?;
        waiter.expect_still_blocked()?;
    }
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(1));
    expect_eq!((waiter.join()?, words.word(LOCK).load(SeqCst)), (Ok(()), 0));
    Ok(())
}

/// If a signal handler without `SA_RESTART` runs in a process that `FUTEX_CMP_REQUEUE_PI` has moved to an owned lock, its
/// `FUTEX_WAIT_REQUEUE_PI` stays blocked or fails with `EAGAIN` or `EINTR`; all three are allowed and recorded. `FUTEX_UNLOCK_PI`
/// by the owner then returns 0; if `FUTEX_WAIT_REQUEUE_PI` had failed, the word of the lock is 0, and otherwise it returns 0.
#[conformance::test(man = "futex(2)", level = observed)]
fn handler_may_end_a_moved_wait() -> Outcome {
    let words = words()?;
    expect_eq!(lock_pi(words.word(LOCK)), Ok(()));
    let waiter = blocked_in("waiter", || {
        signal::catch(Signal::SIGUSR1, Restart::No)?;
        wait_requeue_pi(words.word(PLAIN), 0, None, words.word(LOCK))
    })?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(1));
    waiter.signal(Signal::SIGUSR1)?;
    if waiter.until_settled()? == Settled::Blocked {
        observe!("futex.requeued-pi-waiter-after-a-handler", "stays blocked");
        expect_eq!((unlock_pi(words.word(LOCK)), waiter.join()?), (Ok(()), Ok(())));
    } else {
        let ended = waiter.join()?;
        expect_matches!(ended, Err(EAGAIN | EINTR));
        observe!("futex.requeued-pi-waiter-after-a-handler", format!("{ended:?}"));
        expect_eq!((unlock_pi(words.word(LOCK)), words.word(LOCK).load(SeqCst)), (Ok(()), 0));
    }
    Ok(())
}

/// If one of three processes blocked in `FUTEX_WAIT_REQUEUE_PI` was killed, `FUTEX_CMP_REQUEUE_PI` to a lock that the caller owns
/// moves the other two and returns 2. If one of these is killed too, `FUTEX_UNLOCK_PI` by the caller returns 0 and stores the
/// thread id of the last one in the word of the lock.
#[conformance::test(man = "futex(2)")]
fn killed_waiters_are_skipped() -> Outcome {
    let words = words()?;
    expect_eq!(lock_pi(words.word(LOCK)), Ok(()));
    let mut all = lock_waiters(3, &words)?;
    all.remove(0).kill()?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(2));
    all.remove(0).kill()?;
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    expect_eq!((unlock_pi(words.word(LOCK)), owner(&words, &all)), (Ok(()), Some(0)));
    release_in_turn(&words, all)
}

/// `FUTEX_WAIT_REQUEUE_PI` and `FUTEX_CMP_REQUEUE_PI` fail with `EINVAL` if the address of the lock is not a multiple of 4, and
/// with `EFAULT` if it is NULL. A process blocked in `FUTEX_WAIT_REQUEUE_PI` with a valid lock stays blocked.
#[conformance::test(man = "futex(2)")]
fn invalid_lock_address_fails() -> Outcome {
    let words = words()?;
    let plain = words.word(PLAIN);
    expect_eq!(wait_requeue_pi(plain, 0, None, Place::unaligned(words.word(LOCK), 1)), Err(EINVAL));
    expect_eq!(wait_requeue_pi(plain, 0, None, Place::NULL), Err(EFAULT));
    let all = lock_waiters(1, &words)?;
    expect_eq!(cmp_requeue_pi(plain, 0, 1, Place::unaligned(words.word(LOCK), 1), 1), Err(EINVAL));
    expect_eq!(cmp_requeue_pi(plain, 0, 1, Place::NULL, 1), Err(EFAULT));
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    Ok(())
}
