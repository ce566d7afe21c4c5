//! `FUTEX_WAIT_REQUEUE_PI` and `FUTEX_CMP_REQUEUE_PI`: waiters of a plain word come to own a lock before they wake.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{
    Place, TID, WAITERS, cmp_requeue, cmp_requeue_pi, lock_pi, own_id, unlock_pi, wait_requeue_pi, wake,
};
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, NOBODY, Sleeper, awake, sleeper, sleepers, words};

const MANY: i32 = i32::MAX;

/// Which word is the plain one, and which the lock.
const PLAIN: usize = 0;
const LOCK: usize = 1;

/// A participant that waits at the plain word for the lock, and keeps it until it may pass `unlock`.
#[track_caller]
fn waiter(name: &str, words: &Mapping) -> Result<Sleeper, Failure> {
    let waiter = Participant::spawn(name, (), |(), link| {
        wait_requeue_pi(words.word(PLAIN), 0, None, words.word(LOCK))?;
        link.meet("unlock");
        unlock_pi(words.word(LOCK))
    })?;
    waiter.until_blocked()?;
    Ok(waiter)
}

#[track_caller]
fn waiters(count: usize, words: &Mapping) -> Result<Vec<Sleeper>, Failure> {
    (0..count).map(|number| waiter(&format!("waiter {number}"), words)).collect()
}

/// The number of the waiter that owns the lock.
fn owner(words: &Mapping, all: &[Sleeper]) -> Option<usize> {
    let id = words.word(LOCK).load(SeqCst) & TID;
    all.iter().position(|waiter| waiter.id().as_raw().unsigned_abs() == id)
}

/// Lets each of the waiters have the lock in its turn; the word is 0 when the last has given it back.
fn pass_through(words: &Mapping, all: Vec<Sleeper>) -> Outcome {
    for left in (0..all.len()).rev() {
        let Some(number) = owner(words, &all) else {
            expect_eq!(words.word(LOCK).load(SeqCst), u32::MAX, "nobody owns the lock, and {left} wait");
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

/// Where the lock is free one waiter gets it and wakes, and the others are moved to wait for it; the call returns the number of both.
#[conformance::test(man = "futex(2)")]
fn gives_a_free_lock_to_one() -> Outcome {
    let words = words()?;
    let all = waiters(3, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(3));
    let first = owner(&words, &all);
    expect!(first.is_some());
    expect_eq!(words.word(LOCK).load(SeqCst) & !TID, WAITERS);
    for (number, one) in all.iter().enumerate().filter(|(number, _)| Some(*number) != first) {
        one.expect_still_blocked()?;
        expect!(Some(number) != owner(&words, &all));
    }
    pass_through(&words, all)
}

/// Where another holds the lock nobody wakes: all that are to be woken or moved wait for it, and get it one by one.
#[conformance::test(man = "futex(2)")]
fn lets_all_wait_for_a_lock_that_is_held() -> Outcome {
    let words = words()?;
    expect_eq!(lock_pi(words.word(LOCK)), Ok(()));
    let all = waiters(3, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(3));
    expect_eq!((awake(&all)?, words.word(LOCK).load(SeqCst)), (vec![], WAITERS | own_id()));
    expect_eq!(unlock_pi(words.word(LOCK)), Ok(()));
    pass_through(&words, all)
}

/// Only so many are moved as are asked for beyond the one; the others stay at the plain word.
#[rstest]
#[case::none(0, 1)]
#[case::one(1, 2)]
#[case::two(2, 3)]
#[conformance::test(man = "futex(2)")]
fn moves_as_many_as_it_is_told(#[case] most: i32, #[case] expected: u32) -> Outcome {
    let words = words()?;
    let all = waiters(3, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), most), Ok(expected));
    expect!(owner(&words, &all).is_some());
    expect_eq!(words.word(LOCK).load(SeqCst) & WAITERS, if most == 0 { 0 } else { WAITERS });
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(3 - expected));
    pass_through(&words, all)
}

/// Where nobody waits nobody is moved, and the lock stays as it is.
#[conformance::test(man = "futex(2)")]
fn finds_nobody_where_nobody_waits() -> Outcome {
    let words = words()?;
    for lock in [0, own_id()] {
        words.word(LOCK).store(lock, SeqCst);
        expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(0));
        expect_eq!(words.word(LOCK).load(SeqCst), lock);
    }
    Ok(())
}

/// A plain word that is not as the caller believes is refused with `EAGAIN`, by waiting and by moving, and nobody is moved.
#[conformance::test(man = "futex(2)")]
fn refuses_a_value_that_is_out_of_date() -> Outcome {
    let words = words()?;
    expect_eq!(wait_requeue_pi(words.word(PLAIN), 1, None, words.word(LOCK)), Err(EAGAIN));
    let all = waiters(2, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 1, 1, words.word(LOCK), MANY), Err(EAGAIN));
    expect_eq!((awake(&all)?, words.word(LOCK).load(SeqCst)), (vec![], 0));
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(2));
    pass_through(&words, all)
}

/// Another number of waiters to be woken than one is refused with `EINVAL`, and so is a negative number of those to be moved.
#[rstest]
#[case::none(0, MANY)]
#[case::two(2, MANY)]
#[case::negative(u32::MAX, MANY)]
#[case::negative_number_to_be_moved(1, -1)]
#[conformance::test(man = "futex(2)")]
fn wakes_exactly_one(#[case] most: u32, #[case] moves: i32) -> Outcome {
    let words = words()?;
    let all = waiters(1, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, most, words.word(LOCK), moves), Err(EINVAL));
    expect_eq!((awake(&all)?, words.word(LOCK).load(SeqCst)), (vec![], 0));
    Ok(())
}

/// Plain word and lock have to be two words, also where one is mapped at two addresses: waiting and moving are refused with
/// `EINVAL`.
#[conformance::test(man = "futex(2)")]
fn needs_two_words() -> Outcome {
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

/// A waiter can be moved to the lock that it named and to no other: `EINVAL`, and it sleeps on.
#[conformance::test(man = "futex(2)")]
fn leads_only_to_the_lock_that_was_named() -> Outcome {
    let words = words()?;
    let all = waiters(2, &words)?;
    let other = words.word(2);
    expect_eq!((cmp_requeue_pi(words.word(PLAIN), 0, 1, other, MANY), other.load(SeqCst)), (Err(EINVAL), 0));
    expect_eq!(awake(&all)?, NOBODY);
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(2));
    pass_through(&words, all)
}

/// Who waits for a lock is not moved as a plain waiter, and a plain waiter not to a lock: `EINVAL`, and both sleep on.
#[conformance::test(man = "futex(2)")]
fn keeps_the_two_kinds_of_waiter_apart() -> Outcome {
    let words = words()?;
    let for_lock = waiters(1, &words)?;
    expect_eq!(cmp_requeue(words.word(PLAIN), 0, 1, words.word(LOCK), 1), Err(EINVAL));
    expect_eq!(cmp_requeue(words.word(PLAIN), 0, 0, words.word(LOCK), 1), Err(EINVAL));
    let plain = sleepers(1, words.word(2))?;
    expect_eq!(cmp_requeue_pi(words.word(2), 0, 1, words.word(LOCK), 1), Err(EINVAL));
    expect_eq!((awake(&for_lock)?, awake(&plain)?), (vec![], vec![]));
    expect_eq!((wake(words.word(2), ALL), words.word(LOCK).load(SeqCst)), (Ok(1), 0));
    Ok(())
}

/// A waiter that is woken by a plain wake instead of being moved is told so with `EAGAIN`, and does not own the lock.
#[conformance::test(man = "futex(2)")]
fn can_be_left_by_a_plain_wake() -> Outcome {
    let words = words()?;
    let all = waiters(1, &words)?;
    expect_eq!(wake(words.word(PLAIN), 1), Ok(1));
    for one in all {
        expect_eq!(one.join()?, Err(EAGAIN));
    }
    Ok(())
}

/// A lock whose owner is not there any more is refused with `ESRCH`, and the waiter sleeps on at the plain word.
#[conformance::test(man = "futex(2)")]
fn refuses_a_lock_of_the_dead() -> Outcome {
    let words = words()?;
    let dead = Participant::spawn("dead", (), |(), _| lock_pi(words.word(LOCK)))?;
    expect_eq!(dead.join()?, Ok(()));
    let all = waiters(1, &words)?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Err(ESRCH));
    expect_eq!(awake(&all)?, NOBODY);
    words.word(LOCK).store(0, SeqCst);
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(1));
    pass_through(&words, all)
}

/// A waiter that owns the lock already cannot be moved to it: `EDEADLK`, and it sleeps on.
#[conformance::test(man = "futex(2)")]
fn refuses_a_waiter_that_owns_the_lock() -> Outcome {
    let words = words()?;
    let owner = sleeper("owner", || {
        lock_pi(words.word(LOCK))?;
        wait_requeue_pi(words.word(PLAIN), 0, None, words.word(LOCK))
    })?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Err(EDEADLK));
    owner.expect_still_blocked()?;
    expect_eq!(words.word(LOCK).load(SeqCst) & TID, owner.id().as_raw().unsigned_abs());
    Ok(())
}

/// A waiter whose time has come is told `ETIMEDOUT`, not earlier; nobody is left to be moved.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn ends_with_its_time(#[values(Clock::Monotonic, Clock::Realtime)] clock: Clock) -> Outcome {
    let words = words()?;
    let past = Time::now(clock)?.earlier();
    expect_eq!(wait_requeue_pi(words.word(PLAIN), 0, Some((clock, past)), words.word(LOCK)), Err(ETIMEDOUT));
    let end = Time::now(clock)?.plus_milliseconds(5);
    expect_eq!(wait_requeue_pi(words.word(PLAIN), 0, Some((clock, end)), words.word(LOCK)), Err(ETIMEDOUT));
    expect!(Time::now(clock)?.has_come(end));
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(0));
    expect_eq!(words.word(LOCK).load(SeqCst), 0);
    Ok(())
}

/// The time of a waiter goes on after it was moved: it is told `ETIMEDOUT` while another holds the lock, who then gives it back as
/// if nobody had waited.
#[conformance::test(man = "futex(2)")]
fn ends_with_its_time_after_the_move_too() -> Outcome {
    let words = words()?;
    expect_eq!(lock_pi(words.word(LOCK)), Ok(()));
    // On a slow machine the time may be over before the move: then once more, with more time.
    for milliseconds in [10, 40, 160, 640, 2560] {
        let waiter = Participant::spawn("waiter", (), |(), _| {
            let end = Time::now(Clock::Monotonic)?.plus_milliseconds(milliseconds);
            wait_requeue_pi(words.word(PLAIN), 0, Some((Clock::Monotonic, end)), words.word(LOCK))
        })?;
        while waiter.until_settled()? == Settled::Blocked {
            if cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY)? == 1 {
                expect_eq!(waiter.join()?, Err(ETIMEDOUT));
                expect_eq!((unlock_pi(words.word(LOCK)), words.word(LOCK).load(SeqCst)), (Ok(()), 0));
                return Ok(());
            }
        }
    }
    Err(ETIMEDOUT)?
}

/// A handler does not end the wait, whatever `SA_RESTART` says: the waiter can be moved afterwards, and gets the lock.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn goes_on_after_a_handler(#[values(Restart::No, Restart::Yes)] restart: Restart) -> Outcome {
    let words = words()?;
    let waiter = sleeper("waiter", || {
        signal::catch(Signal::SIGUSR1, restart)?;
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

/// What a handler makes of a waiter that was moved is recorded; the lock is not left to a waiter that gave up.
#[conformance::test(man = "futex(2)", level = observed)]
fn may_end_by_a_handler_after_the_move() -> Outcome {
    let words = words()?;
    expect_eq!(lock_pi(words.word(LOCK)), Ok(()));
    let waiter = sleeper("waiter", || {
        signal::catch(Signal::SIGUSR1, Restart::No)?;
        wait_requeue_pi(words.word(PLAIN), 0, None, words.word(LOCK))
    })?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(1));
    waiter.signal(Signal::SIGUSR1)?;
    if waiter.until_settled()? == Settled::Blocked {
        observe!("futex.moved-waiter-after-a-handler", "goes on");
        expect_eq!((unlock_pi(words.word(LOCK)), waiter.join()?), (Ok(()), Ok(())));
    } else {
        let ended = waiter.join()?;
        expect!(ended.is_err());
        observe!("futex.moved-waiter-after-a-handler", format!("{ended:?}"));
        expect_eq!((unlock_pi(words.word(LOCK)), words.word(LOCK).load(SeqCst)), (Ok(()), 0));
    }
    Ok(())
}

/// A waiter that is killed, before the move or after it, leaves nobody: neither is it counted, nor is the lock given to it.
#[conformance::test(man = "futex(2)")]
fn leaves_nothing_of_who_is_killed() -> Outcome {
    let words = words()?;
    expect_eq!(lock_pi(words.word(LOCK)), Ok(()));
    let mut all = waiters(3, &words)?;
    all.remove(0).kill()?;
    expect_eq!(cmp_requeue_pi(words.word(PLAIN), 0, 1, words.word(LOCK), MANY), Ok(2));
    all.remove(0).kill()?;
    expect_eq!(awake(&all)?, NOBODY);
    expect_eq!((unlock_pi(words.word(LOCK)), owner(&words, &all)), (Ok(()), Some(0)));
    pass_through(&words, all)
}

/// A lock that is no word is refused by waiting and by moving, and the waiter sleeps on.
#[conformance::test(man = "futex(2)")]
fn refuses_a_lock_that_is_no_word() -> Outcome {
    let words = words()?;
    let plain = words.word(PLAIN);
    expect_eq!(wait_requeue_pi(plain, 0, None, Place::unaligned(words.word(LOCK), 1)), Err(EINVAL));
    expect_eq!(wait_requeue_pi(plain, 0, None, Place::NULL), Err(EFAULT));
    let all = waiters(1, &words)?;
    expect_eq!(cmp_requeue_pi(plain, 0, 1, Place::unaligned(words.word(LOCK), 1), 1), Err(EINVAL));
    expect_eq!(cmp_requeue_pi(plain, 0, 1, Place::NULL, 1), Err(EFAULT));
    expect_eq!(awake(&all)?, NOBODY);
    Ok(())
}
