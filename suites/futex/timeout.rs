//! Timeouts of `FUTEX_WAIT`, which are relative, and of `FUTEX_WAIT_BITSET`, `FUTEX_LOCK_PI` and `FUTEX_LOCK_PI2`, which are
//! absolute; their clocks, and invalid timeouts of all operations.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{ANY, Fourth, OWNER_DIED, Place, futex, lock_pi, op, own_id, wait_bitset, wait_for, wake};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, FAR_FUTURE, NONE, blocked_in, check_supported, returned, woken_indexes, words};

/// `FUTEX_WAIT_BITSET` with a timeout on `CLOCK_REALTIME`.
const WAIT_BITSET_REALTIME: u32 = op::WAIT_BITSET | op::CLOCK_REALTIME;

/// `FUTEX_WAIT` with a timeout of 5 ms fails with `ETIMEDOUT`, and not before `CLOCK_MONOTONIC` has advanced by 5 ms. A later
/// `FUTEX_WAKE` on the word returns 0.
#[conformance::test(man = "futex(2)")]
fn wait_timeout_is_relative() -> Outcome {
    let words = words()?;
    let end = Time::now(Clock::Monotonic)?.plus_milliseconds(5);
    expect_eq!(wait_for(words.word(0), 0, Time::new(0, 5_000_000)), Err(ETIMEDOUT));
    expect!(Time::now(Clock::Monotonic)?.has_come(end), "the call returned before its timeout expired");
    expect_eq!((wake(words.word(0), ALL), words.word(0).load(SeqCst)), (Ok(0), 0));
    Ok(())
}

/// `FUTEX_WAIT_BITSET` with an absolute timeout 5 ms in the future on `CLOCK_MONOTONIC` or, with `FUTEX_CLOCK_REALTIME`, on
/// `CLOCK_REALTIME` fails with `ETIMEDOUT`, and not before that clock reaches the timeout. A later `FUTEX_WAKE` on the word
/// returns 0.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn wait_bitset_timeout_is_absolute(#[values(Clock::Monotonic, Clock::Realtime)] clock: Clock) -> Outcome {
    let words = words()?;
    let end = Time::now(clock)?.plus_milliseconds(5);
    expect_eq!(wait_bitset(words.word(0), 0, ANY, Some((clock, end))), Err(ETIMEDOUT));
    expect!(Time::now(clock)?.has_come(end), "the call returned before its timeout expired");
    expect_eq!(wake(words.word(0), ALL), Ok(0));
    Ok(())
}

/// `FUTEX_WAIT_BITSET` on a word with the expected value fails with `ETIMEDOUT` if its absolute timeout on `CLOCK_MONOTONIC` or
/// `CLOCK_REALTIME` has already passed at the call, also if the timeout is 0 seconds and 0 nanoseconds.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn past_timeout_expires_immediately(#[values(Clock::Monotonic, Clock::Realtime)] clock: Clock) -> Outcome {
    let words = words()?;
    for past in [Time::now(clock)?, Time::now(clock)?.earlier(), Time::new(0, 1), Time::new(0, 0)] {
        expect_eq!(wait_bitset(words.word(0), 0, ANY, Some((clock, past))), Err(ETIMEDOUT), "{past:?}");
    }
    Ok(())
}

/// `FUTEX_WAIT` with a relative timeout of 0 fails with `ETIMEDOUT` if the word has the expected value. If the word has another
/// value, `FUTEX_WAIT`, and `FUTEX_WAIT_BITSET` with an absolute timeout of 0, fail with `EAGAIN`.
#[conformance::test(man = "futex(2)")]
fn zero_timeout_compares_the_word_first() -> Outcome {
    let words = words()?;
    expect_eq!(wait_for(words.word(0), 0, Time::new(0, 0)), Err(ETIMEDOUT));
    expect_eq!(wait_for(words.word(0), 1, Time::new(0, 0)), Err(EAGAIN));
    expect_eq!(wait_bitset(words.word(0), 1, ANY, Some((Clock::Realtime, Time::new(0, 0)))), Err(EAGAIN));
    Ok(())
}

/// `FUTEX_WAIT` with a relative timeout of an hour or more, and `FUTEX_WAIT_BITSET` with an absolute timeout years ahead on
/// `CLOCK_MONOTONIC` and on `CLOCK_REALTIME`, stay blocked, also if the timeout is the largest valid timespec. `FUTEX_WAKE` then
/// returns 3 and each of the three calls returns 0.
#[rstest]
#[case::hour_or_years(false)]
#[case::largest_valid_time(true)]
#[conformance::test(man = "futex(2)")]
fn distant_timeout_leaves_waiters_blocked(#[case] largest: bool) -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let later = |clock| Time::now(clock).map(|now| Some((clock, if largest { Time::LAST } else { now.plus(FAR_FUTURE) })));
    let interval = if largest { Time::LAST } else { Time::new(3600, 999_999_999) };
    let all = [
        blocked_in("interval", || wait_for(word, 0, interval))?,
        blocked_in("monotonic", || wait_bitset(word, 0, ANY, later(Clock::Monotonic)?))?,
        blocked_in("real", || wait_bitset(word, 0, ANY, later(Clock::Realtime)?))?,
    ];
    expect_eq!((woken_indexes(&all)?, wake(word, ALL)), (vec![], Ok(3)));
    expect_eq!(returned(all.into())?, vec![Ok(()); 3]);
    Ok(())
}

/// Each of `FUTEX_WAIT`, `FUTEX_WAIT_BITSET` (with `FUTEX_CLOCK_REALTIME` or without), `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI2` and
/// `FUTEX_WAIT_REQUEUE_PI` fails with `EINVAL` if the `tv_sec` of its timeout is negative or the `tv_nsec` is outside of 0 to
/// 999,999,999, whether or not the word has the expected value. Both words passed to the call stay 0.
#[rstest]
#[case::nanoseconds_of_a_second(Time::new(0, 1_000_000_000))]
#[case::negative_nanoseconds(Time::new(1, -1))]
#[case::negative_seconds(Time::new(-1, 0))]
#[conformance::test(man = "futex(2)")]
fn invalid_timespec_fails(
    #[case] time: Time,
    #[values(op::WAIT, op::WAIT_BITSET, WAIT_BITSET_REALTIME, op::LOCK_PI, op::LOCK_PI2, op::WAIT_REQUEUE_PI)] operation: u32,
) -> Outcome {
    check_supported(operation)?;
    let words = words()?;
    for value in [0, 1] {
        expect_eq!(futex(words.word(0), operation, value, Fourth::Timeout(time), words.word(1), ANY), Err(EINVAL));
    }
    expect_eq!((words.word(0).load(SeqCst), words.word(1).load(SeqCst)), (0, 0));
    Ok(())
}

/// Each of `FUTEX_WAIT`, `FUTEX_WAIT_BITSET`, `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI2` and `FUTEX_WAIT_REQUEUE_PI` fails with `EFAULT`
/// if its timeout pointer is inaccessible (`PROT_NONE`) or outside of the user address space, and the word stays 0.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn invalid_timeout_pointer_fails(
    #[values(op::WAIT, op::WAIT_BITSET, op::LOCK_PI, op::LOCK_PI2, op::WAIT_REQUEUE_PI)] operation: u32,
) -> Outcome {
    check_supported(operation)?;
    let words = words()?;
    let guarded = Guarded::new()?;
    for bad in [Place::forbidden(&guarded), Place::outside()] {
        expect_eq!(futex(words.word(0), operation, 0, Fourth::BadTimeout(bad), words.word(1), ANY), Err(EFAULT));
    }
    expect_eq!(words.word(0).load(SeqCst), 0);
    Ok(())
}

/// `FUTEX_WAIT` with `FUTEX_CLOCK_REALTIME` and a relative timeout of 1 µs fails with `ETIMEDOUT`.
#[conformance::test(man = "futex(2)")]
fn wait_accepts_clock_realtime() -> Outcome {
    let words = words()?;
    let waited = futex(words.word(0), op::WAIT | op::CLOCK_REALTIME, 0, Fourth::Timeout(Time::new(0, 1000)), Place::NULL, 0);
    expect_eq!(waited, Err(ETIMEDOUT));
    Ok(())
}

/// Each of `FUTEX_WAKE`, `FUTEX_WAKE_BITSET`, `FUTEX_WAKE_OP`, `FUTEX_REQUEUE`, `FUTEX_CMP_REQUEUE`, `FUTEX_CMP_REQUEUE_PI`,
/// `FUTEX_LOCK_PI`, `FUTEX_TRYLOCK_PI` and `FUTEX_UNLOCK_PI` with `FUTEX_CLOCK_REALTIME` fails with `ENOSYS`. Both words of the
/// call stay 0, and a process blocked in `FUTEX_WAIT` on the first word stays blocked.
#[rstest]
#[case::wake(op::WAKE)]
#[case::wake_bitset(op::WAKE_BITSET)]
#[case::requeue(op::REQUEUE)]
#[case::cmp_requeue(op::CMP_REQUEUE)]
#[case::wake_op(op::WAKE_OP)]
#[case::lock_pi(op::LOCK_PI)]
#[case::trylock_pi(op::TRYLOCK_PI)]
#[case::unlock_pi(op::UNLOCK_PI)]
#[case::cmp_requeue_pi(op::CMP_REQUEUE_PI)]
#[conformance::test(man = "futex(2)")]
fn clock_realtime_with_other_operations_fails(#[case] operation: u32) -> Outcome {
    let words = words()?;
    let waiter = blocked_in("waiter", || wait_for(words.word(0), 0, Time::new(3600, 0)))?;
    for operation in [operation | op::CLOCK_REALTIME, operation | op::CLOCK_REALTIME | op::PRIVATE] {
        expect_eq!(futex(words.word(0), operation, 1, Fourth::None, words.word(1), 0), Err(ENOSYS));
    }
    waiter.expect_still_blocked()?;
    expect_eq!((words.word(0).load(SeqCst), words.word(1).load(SeqCst)), (0, 0));
    Ok(())
}

/// On a lock that another process owns, `FUTEX_LOCK_PI` with an absolute timeout on `CLOCK_REALTIME`, and `FUTEX_LOCK_PI2` with
/// one on `CLOCK_MONOTONIC` or, with `FUTEX_CLOCK_REALTIME`, on `CLOCK_REALTIME`, fail with `ETIMEDOUT`. They fail so for a
/// timeout in the past and, not before the clock reaches it, for one in the future.
#[rstest]
#[case::lock_pi(op::LOCK_PI, Clock::Realtime)]
#[case::lock_pi2_monotonic(op::LOCK_PI2, Clock::Monotonic)]
#[case::lock_pi2_realtime(op::LOCK_PI2 | op::CLOCK_REALTIME, Clock::Realtime)]
#[conformance::test(man = "futex(2)")]
fn lock_timeout_is_absolute(#[case] operation: u32, #[case] clock: Clock) -> Outcome {
    check_supported(operation)?;
    let words = words()?;
    let word = words.word(0);
    let lock_until = |end| futex(word, operation, 0, Fourth::Timeout(end), Place::NULL, 0).map(drop);
    expect_eq!(lock_pi(word), Ok(()));
    let waiter = Participant::spawn("waiter", (), |(), _| {
        let past = lock_until(Time::now(clock)?.earlier());
        let end = Time::now(clock)?.plus_milliseconds(5);
        let future = lock_until(end);
        Ok::<_, Errno>((past, future, Time::now(clock)?.has_come(end)))
    })?;
    expect_eq!(waiter.join()?, Ok((Err(ETIMEDOUT), Err(ETIMEDOUT), true)));
    let unlocked = conformance::sys::futex::unlock_pi(word);
    expect_eq!((unlocked, word.load(SeqCst)), (Ok(()), 0));
    Ok(())
}

/// `FUTEX_LOCK_PI` and `FUTEX_LOCK_PI2` with an absolute timeout that has already passed at the call return 0 if the word is 0 or
/// `FUTEX_OWNER_DIED`, and add the caller's thread id to the word.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn past_timeout_acquires_a_free_lock(
    #[values(op::LOCK_PI, op::LOCK_PI2)] operation: u32,
    #[values(NONE, OWNER_DIED)] flag: u32,
) -> Outcome {
    check_supported(operation)?;
    let words = words()?;
    words.word(0).store(flag, SeqCst);
    expect_eq!(futex(words.word(0), operation, 0, Fourth::Timeout(Time::new(0, 0)), Place::NULL, 0), Ok(0));
    expect_eq!(words.word(0).load(SeqCst), flag | own_id());
    Ok(())
}

/// If `FUTEX_WAKE` ends a `FUTEX_WAIT` with a timeout, that call returns 0, and the next `FUTEX_WAIT` of the process blocks until
/// the next `FUTEX_WAKE`, which returns 1.
#[conformance::test(man = "futex(2)")]
fn woken_waiter_can_wait_again() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let waiter = blocked_in("waiter", || {
        wait_for(word, 0, Time::new(3600, 0))?;
        wait_for(word, 0, Time::new(7200, 0))
    })?;
    expect_eq!(wake(word, 1), Ok(1));
    waiter.expect_still_blocked()?;
    expect_eq!((wake(word, 1), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}
