//! Timeouts: an interval for `FUTEX_WAIT`, an instant of a clock for all others.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{ANY, Fourth, OWNER_DIED, Place, futex, lock_pi, op, own_id, wait_bitset, wait_for, wake};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, FAR_AWAY, awake, if_supported, returned, sleeper, words};

/// A wait whose interval has passed fails with `ETIMEDOUT`, not before the interval is over, and leaves no waiter.
#[conformance::test(man = "futex(2)")]
fn of_a_wait_is_an_interval() -> Outcome {
    let words = words()?;
    let end = Time::now(Clock::Monotonic)?.plus_milliseconds(5);
    expect_eq!(wait_for(words.word(0), 0, Time::new(0, 5_000_000)), Err(ETIMEDOUT));
    expect!(Time::now(Clock::Monotonic)?.has_come(end));
    expect_eq!((wake(words.word(0), ALL), words.word(0).load(SeqCst)), (Ok(0), 0));
    Ok(())
}

/// A wait with a bit set ends with `ETIMEDOUT` once its clock shows the instant, and not before.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn of_a_wait_with_bits_is_an_instant(#[values(Clock::Monotonic, Clock::Realtime)] clock: Clock) -> Outcome {
    let words = words()?;
    let end = Time::now(clock)?.plus_milliseconds(5);
    expect_eq!(wait_bitset(words.word(0), 0, ANY, Some((clock, end))), Err(ETIMEDOUT));
    expect!(Time::now(clock)?.has_come(end));
    expect_eq!(wake(words.word(0), ALL), Ok(0));
    Ok(())
}

/// An instant that has passed ends the wait at once with `ETIMEDOUT`, however long ago it was.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn in_the_past_has_come(#[values(Clock::Monotonic, Clock::Realtime)] clock: Clock) -> Outcome {
    let words = words()?;
    for past in [Time::now(clock)?, Time::now(clock)?.earlier(), Time::new(0, 1), Time::new(0, 0)] {
        expect_eq!(wait_bitset(words.word(0), 0, ANY, Some((clock, past))), Err(ETIMEDOUT), "{past:?}");
    }
    Ok(())
}

/// An interval of nothing ends the wait at once with `ETIMEDOUT`, but the word is looked at first.
#[conformance::test(man = "futex(2)")]
fn of_nothing_ends_the_wait_at_once() -> Outcome {
    let words = words()?;
    expect_eq!(wait_for(words.word(0), 0, Time::new(0, 0)), Err(ETIMEDOUT));
    expect_eq!(wait_for(words.word(0), 1, Time::new(0, 0)), Err(EAGAIN));
    expect_eq!(wait_bitset(words.word(0), 1, ANY, Some((Clock::Realtime, Time::new(0, 0)))), Err(EAGAIN));
    Ok(())
}

/// A time that is far away keeps nobody from being woken, and ends nothing: an hour, and the end of all time.
#[rstest]
#[case::an_hour(false)]
#[case::longer_than_any_clock_goes(true)]
#[conformance::test(man = "futex(2)")]
fn far_away_does_not_come(#[case] last: bool) -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let later = |clock| Time::now(clock).map(|now| Some((clock, if last { Time::LAST } else { now.plus(FAR_AWAY) })));
    let interval = if last { Time::LAST } else { Time::new(3600, 999_999_999) };
    let all = [
        sleeper("interval", || wait_for(word, 0, interval))?,
        sleeper("monotonic", || wait_bitset(word, 0, ANY, later(Clock::Monotonic)?))?,
        sleeper("real", || wait_bitset(word, 0, ANY, later(Clock::Realtime)?))?,
    ];
    expect_eq!((awake(&all)?, wake(word, ALL)), (vec![], Ok(3)));
    expect_eq!(returned(all.into())?, vec![Ok(()); 3]);
    Ok(())
}

/// A time that is no time is refused with `EINVAL` by every operation that takes one, before the word is looked at or changed.
#[rstest]
#[case::a_whole_second_of_nanoseconds(Time::new(0, 1_000_000_000))]
#[case::negative_nanoseconds(Time::new(1, -1))]
#[case::negative_seconds(Time::new(-1, 0))]
#[conformance::test(man = "futex(2)")]
fn that_is_no_time_is_refused(
    #[case] time: Time,
    #[values(op::WAIT, op::WAIT_BITSET, op::WAIT_BITSET | op::CLOCK_REALTIME, op::LOCK_PI, op::LOCK_PI2, op::WAIT_REQUEUE_PI)]
    operation: u32,
) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    for value in [0, 1] {
        expect_eq!(futex(words.word(0), operation, value, Fourth::Timeout(time), words.word(1), ANY), Err(EINVAL));
    }
    expect_eq!((words.word(0).load(SeqCst), words.word(1).load(SeqCst)), (0, 0));
    Ok(())
}

/// A timeout that cannot be read is refused with `EFAULT` by every operation that takes one.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn that_cannot_be_read_is_refused(
    #[values(op::WAIT, op::WAIT_BITSET, op::LOCK_PI, op::LOCK_PI2, op::WAIT_REQUEUE_PI)] operation: u32,
) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    let guarded = Guarded::new()?;
    for bad in [Place::forbidden(&guarded), Place::outside()] {
        expect_eq!(futex(words.word(0), operation, 0, Fourth::BadTimeout(bad), words.word(1), ANY), Err(EFAULT));
    }
    expect_eq!(words.word(0).load(SeqCst), 0);
    Ok(())
}

/// The clock of a plain wait can be chosen too: an interval of the real-time clock.
#[conformance::test(man = "futex(2)")]
fn of_a_wait_can_be_on_the_real_clock() -> Outcome {
    let words = words()?;
    let waited = futex(words.word(0), op::WAIT | op::CLOCK_REALTIME, 0, Fourth::Timeout(Time::new(0, 1000)), Place::NULL, 0);
    expect_eq!(waited, Err(ETIMEDOUT));
    Ok(())
}

/// Choosing the real-time clock for an operation that knows no choice is refused with `ENOSYS`, and does nothing.
#[rstest]
#[case::wake(op::WAKE)]
#[case::wake_with_bits(op::WAKE_BITSET)]
#[case::requeue(op::REQUEUE)]
#[case::compare_and_requeue(op::CMP_REQUEUE)]
#[case::wake_and_operate(op::WAKE_OP)]
#[case::lock(op::LOCK_PI)]
#[case::try_to_lock(op::TRYLOCK_PI)]
#[case::unlock(op::UNLOCK_PI)]
#[case::requeue_to_a_lock(op::CMP_REQUEUE_PI)]
#[conformance::test(man = "futex(2)")]
fn has_no_clock_elsewhere(#[case] operation: u32) -> Outcome {
    let words = words()?;
    let sleeper = sleeper("sleeper", || wait_for(words.word(0), 0, Time::new(3600, 0)))?;
    for operation in [operation | op::CLOCK_REALTIME, operation | op::CLOCK_REALTIME | op::PRIVATE] {
        expect_eq!(futex(words.word(0), operation, 1, Fourth::None, words.word(1), 0), Err(ENOSYS));
    }
    sleeper.expect_still_blocked()?;
    expect_eq!((words.word(0).load(SeqCst), words.word(1).load(SeqCst)), (0, 0));
    Ok(())
}

/// The timeout of a lock is an instant of the real-time clock; the younger operation takes the clock that it is told, by default the
/// monotonic one. A waiter whose time has come is told `ETIMEDOUT`, not earlier, and the lock is as if it had never come.
#[rstest]
#[case::lock(op::LOCK_PI, Clock::Realtime)]
#[case::lock_on_a_clock(op::LOCK_PI2, Clock::Monotonic)]
#[case::lock_on_the_real_clock(op::LOCK_PI2 | op::CLOCK_REALTIME, Clock::Realtime)]
#[conformance::test(man = "futex(2)")]
fn of_a_lock_is_an_instant(#[case] operation: u32, #[case] clock: Clock) -> Outcome {
    if_supported(operation)?;
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

/// A lock that is free is taken though the time for it has passed; so is one whose owner died.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn in_the_past_does_not_keep_a_free_lock(
    #[values(op::LOCK_PI, op::LOCK_PI2)] operation: u32,
    #[values(0, OWNER_DIED)] before: u32,
) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    words.word(0).store(before, SeqCst);
    expect_eq!(futex(words.word(0), operation, 0, Fourth::Timeout(Time::new(0, 0)), Place::NULL, 0), Ok(0));
    expect_eq!(words.word(0).load(SeqCst), before | own_id());
    Ok(())
}

/// Who was woken in time is not told of the timeout that it no longer needs, and neither is its next wait.
#[conformance::test(man = "futex(2)")]
fn is_forgotten_by_who_was_woken() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let sleeper = sleeper("sleeper", || {
        wait_for(word, 0, Time::new(3600, 0))?;
        wait_for(word, 0, Time::new(7200, 0))
    })?;
    expect_eq!(wake(word, 1), Ok(1));
    sleeper.expect_still_blocked()?;
    expect_eq!((wake(word, 1), sleeper.join()?), (Ok(1), Ok(())));
    Ok(())
}
