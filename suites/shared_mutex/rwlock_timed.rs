//! Read-write locks with deadlines (`pthread_rwlock_timedrdlock`, `pthread_rwlock_clockrdlock` and those for writing): past and far
//! deadlines, invalid times, clocks, and the lock after a timeout.

use std::time::Duration;

use conformance::prelude::*;
use conformance::sys::pthread::rwlock::Wish;
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

#[cfg(has_clock_locks)]
use super::fixture::FAR_AHEAD;
use super::fixture::{PAST, far_deadline};
#[cfg(has_lock_preference)]
use super::fixture::{is_ahead, with_deadline};
#[cfg(has_lock_preference)]
use super::rwlock_fixture::rwlock_that_prefers_writers;
use super::rwlock_fixture::{holder, rwlock, tried_by_another};

/// `pthread_rwlock_timedrdlock` and `pthread_rwlock_timedwrlock` with a deadline that has already passed at the call return 0 if
/// no process holds the lock. `pthread_rwlock_timedrdlock` also returns 0 if only a reader holds the lock.
#[conformance::test(posix = "pthread_rwlock_timedrdlock", man = "pthread_rwlock_timedrdlock(3posix)")]
fn past_deadline_locks_a_free_lock() -> Outcome {
    let lock = rwlock()?;
    expect_eq!([lock.timed_lock(Wish::Write, PAST), lock.unlock()], [Ok(()); 2]);
    expect_eq!([lock.timed_lock(Wish::Read, PAST), lock.timed_lock(Wish::Read, PAST)], [Ok(()); 2]);
    expect_eq!((tried_by_another(&lock)?, [lock.unlock(), lock.unlock()]), ([Ok(()), Err(EBUSY)], [Ok(()); 2]));
    expect_eq!(tried_by_another(&lock)?, [Ok(()); 2]);
    Ok(())
}

/// While another process holds the lock for writing, `pthread_rwlock_timedrdlock` and `pthread_rwlock_timedwrlock` fail with
/// `ETIMEDOUT` for a deadline that has already passed at the call, and with `EINVAL` for a deadline with `tv_nsec` outside of 0
/// to 999999999. While it holds the lock for reading, `pthread_rwlock_timedwrlock` fails with `ETIMEDOUT` and `EINVAL` for the
/// same deadlines.
#[rstest]
#[case::reader_waits_for_writer(Wish::Write, Wish::Read)]
#[case::writer_waits_for_writer(Wish::Write, Wish::Write)]
#[case::writer_waits_for_reader(Wish::Read, Wish::Write)]
#[conformance::test(posix = "pthread_rwlock_timedwrlock", man = "pthread_rwlock_timedwrlock(3posix)")]
fn fails_with_etimedout_for_a_past_deadline(#[case] held: Wish, #[case] mode: Wish) -> Outcome {
    let lock = rwlock()?;
    let holder = holder(&lock, held)?;
    let later = far_deadline()?;
    expect_eq!([0; 3].map(|_| lock.timed_lock(mode, PAST)), [Err(ETIMEDOUT); 3]);
    let invalid = [-1, 1_000_000_000, i64::from(i32::MAX)].map(|nanoseconds| Time { nanoseconds, ..later });
    expect_eq!(invalid.map(|until| lock.timed_lock(mode, until)), [Err(EINVAL); 3]);
    holder.open("unlock")?;
    expect_eq!((holder.join()?, tried_by_another(&lock)?), (Ok(()), [Ok(()); 2]));
    Ok(())
}

/// If the lock stays held, `pthread_rwlock_timedrdlock` and `pthread_rwlock_timedwrlock` with a deadline 2 ms in the future fail
/// with `ETIMEDOUT`, and not before `CLOCK_REALTIME` reaches the deadline. If `pthread_rwlock_timedwrlock` has failed so while a
/// reader holds the lock, `pthread_rwlock_tryrdlock` by another process returns 0.
#[rstest]
#[case::reader_waits_for_writer(Wish::Write, Wish::Read)]
#[case::writer_waits_for_writer(Wish::Write, Wish::Write)]
#[case::writer_waits_for_reader(Wish::Read, Wish::Write)]
#[conformance::test(posix = "pthread_rwlock_timedwrlock", man = "pthread_rwlock_timedwrlock(3posix)")]
fn expires_at_the_deadline(#[case] held: Wish, #[case] mode: Wish) -> Outcome {
    let lock = rwlock()?;
    let holder = holder(&lock, held)?;
    let until = Clock::Realtime.after(Duration::from_millis(2))?;
    let returned = lock.timed_lock(mode, until);
    let now = Time::now(Clock::Realtime)?;
    expect_eq!(returned, Err(ETIMEDOUT));
    expect!(now >= until, "returned at {now:?}, before the deadline {until:?}");
    // The writer whose deadline has passed no longer holds back readers.
    expect_eq!(tried_by_another(&lock)?, [if held == Wish::Read { Ok(()) } else { Err(EBUSY) }, Err(EBUSY)]);
    holder.open("unlock")?;
    expect_eq!((holder.join()?, tried_by_another(&lock)?), (Ok(()), [Ok(()); 2]));
    Ok(())
}

/// While another process holds the lock for writing, `pthread_rwlock_timedrdlock` and `pthread_rwlock_timedwrlock` with a
/// deadline years ahead block, and so does `pthread_rwlock_timedwrlock` while it holds the lock for reading. After
/// `pthread_rwlock_unlock` by that process, the blocked call returns 0.
#[rstest]
#[case::reader_waits_for_writer(Wish::Write, Wish::Read)]
#[case::writer_waits_for_writer(Wish::Write, Wish::Write)]
#[case::writer_waits_for_reader(Wish::Read, Wish::Write)]
#[conformance::test(posix = "pthread_rwlock_timedwrlock", man = "pthread_rwlock_timedwrlock(3posix)")]
fn gets_the_lock_before_the_deadline(#[case] held: Wish, #[case] mode: Wish) -> Outcome {
    let lock = rwlock()?;
    let (holder, later) = (holder(&lock, held)?, far_deadline()?);
    let waiter = Participant::spawn("waiter", (), |(), _| [lock.timed_lock(mode, later), lock.unlock()])?;
    waiter.until_blocked()?;
    expect_eq!(lock.timed_lock(mode, PAST), Err(ETIMEDOUT));
    waiter.expect_still_blocked()?;
    holder.open("unlock")?;
    expect_eq!((holder.join()?, waiter.join()?, tried_by_another(&lock)?), (Ok(()), [Ok(()); 2], [Ok(()); 2]));
    Ok(())
}

/// A reader holds a lock of the kind `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP`, a writer is blocked in
/// `pthread_rwlock_timedwrlock`, and a second reader in `pthread_rwlock_rdlock`. When the writer's call fails with `ETIMEDOUT`,
/// that of the second reader returns 0, although the first reader still holds the lock.
#[cfg(has_lock_preference)]
#[conformance::test(man = "pthread_rwlockattr_setkind_np(3)")]
fn timed_out_writer_releases_blocked_readers() -> Outcome {
    with_deadline(|until| {
        let lock = rwlock_that_prefers_writers()?;
        let reader = holder(&lock, Wish::Read)?;
        let writer = Participant::spawn("writer", (), |(), _| lock.timed_lock(Wish::Write, until))?;
        let writer_is = writer.until_settled()?;
        let second = Participant::spawn("second reader", (), |(), _| [lock.lock(Wish::Read), lock.unlock()])?;
        let second_is = second.until_settled()?;
        if !is_ahead(until)? {
            return Ok(false);
        }
        expect_eq!((writer_is, second_is), (Settled::Blocked, Settled::Blocked));
        expect_eq!((writer.join()?, second.join()?), (Err(ETIMEDOUT), [Ok(()); 2]));
        reader.open("unlock")?;
        expect_eq!((reader.join()?, tried_by_another(&lock)?), (Ok(()), [Ok(()); 2]));
        Ok(true)
    })
}

/// If a writer holds the lock, `pthread_rwlock_clockrdlock` and `pthread_rwlock_clockwrlock` with a deadline 2 ms in the future
/// on `CLOCK_REALTIME` or `CLOCK_MONOTONIC` fail with `ETIMEDOUT`, and not before the clock passed reaches the deadline. With a
/// deadline years ahead, both return 0 after `pthread_rwlock_unlock` by the writer.
#[cfg(has_clock_locks)]
#[rstest]
#[conformance::test(posix = "pthread_rwlock_clockrdlock", posix = "pthread_rwlock_clockwrlock")]
fn clocklock_expires_on_the_given_clock(
    #[values(Clock::Realtime, Clock::Monotonic)] clock: Clock,
    #[values(Wish::Read, Wish::Write)] mode: Wish,
) -> Outcome {
    let lock = rwlock()?;
    let holder = holder(&lock, Wish::Write)?;
    let until = clock.after(Duration::from_millis(2))?;
    let returned = lock.clock_lock(mode, clock.id(), until);
    let now = Time::now(clock)?;
    expect_eq!(returned, Err(ETIMEDOUT));
    expect!(now >= until, "returned at {now:?}, before the deadline {until:?}");
    let later = clock.after(FAR_AHEAD)?;
    let waiter = Participant::spawn("waiter", (), |(), _| [lock.clock_lock(mode, clock.id(), later), lock.unlock()])?;
    waiter.until_blocked()?;
    holder.open("unlock")?;
    expect_eq!((holder.join()?, waiter.join()?, tried_by_another(&lock)?), (Ok(()), [Ok(()); 2], [Ok(()); 2]));
    Ok(())
}

/// If a writer holds the lock, `pthread_rwlock_clockrdlock` and `pthread_rwlock_clockwrlock` with the unknown clock 4711 fail
/// with `EINVAL`.
#[cfg(has_clock_locks)]
#[rstest]
#[conformance::test(posix = "pthread_rwlock_clockrdlock", posix = "pthread_rwlock_clockwrlock", level = customary)]
fn clocklock_rejects_an_unknown_clock(#[values(Wish::Read, Wish::Write)] mode: Wish) -> Outcome {
    let lock = rwlock()?;
    let holder = holder(&lock, Wish::Write)?;
    expect_eq!(lock.clock_lock(mode, 4711, far_deadline()?), Err(EINVAL));
    holder.open("unlock")?;
    expect_eq!((holder.join()?, tried_by_another(&lock)?), (Ok(()), [Ok(()); 2]));
    Ok(())
}
