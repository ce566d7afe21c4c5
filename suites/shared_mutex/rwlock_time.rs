//! Timed read-write locks: a time is looked at only where one has to wait, and giving up leaves no trace.

use std::time::Duration;

use conformance::prelude::*;
use conformance::sys::pthread::rwlock::{SharedLock, Wish};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::FAR_AWAY;
use super::rwlock::{for_another, holder};

const LONG_AGO: Time = Time { seconds: 0, nanoseconds: 0 };

fn lock() -> Result<SharedLock, Errno> {
    SharedLock::create(Mapping::anonymous(page_size())?)
}

/// What is free is locked whatever the time is, and a reader is let in to readers.
#[conformance::test(posix = "pthread_rwlock_timedrdlock", man = "pthread_rwlock_timedrdlock(3posix)")]
fn locks_what_is_free_however_late_it_is() -> Outcome {
    let lock = lock()?;
    expect_eq!([lock.timed_lock(Wish::Write, LONG_AGO), lock.unlock()], [Ok(()); 2]);
    expect_eq!([lock.timed_lock(Wish::Read, LONG_AGO), lock.timed_lock(Wish::Read, LONG_AGO)], [Ok(()); 2]);
    expect_eq!((for_another(&lock)?, [lock.unlock(), lock.unlock()]), ([Ok(()), Err(EBUSY)], [Ok(()); 2]));
    expect_eq!(for_another(&lock)?, [Ok(()); 2]);
    Ok(())
}

/// A time that is past ends an attempt at once where one would have to wait, a time that there is not is refused there, and neither
/// changes the lock.
#[rstest]
#[case::reader_behind_a_writer(Wish::Write, Wish::Read)]
#[case::writer_behind_a_writer(Wish::Write, Wish::Write)]
#[case::writer_behind_a_reader(Wish::Read, Wish::Write)]
#[conformance::test(posix = "pthread_rwlock_timedwrlock", man = "pthread_rwlock_timedwrlock(3posix)")]
fn gives_up_at_once(#[case] held: Wish, #[case] wish: Wish) -> Outcome {
    let lock = lock()?;
    let holder = holder(&lock, held)?;
    let later = Clock::Realtime.after(FAR_AWAY)?;
    expect_eq!([0; 3].map(|_| lock.timed_lock(wish, LONG_AGO)), [Err(ETIMEDOUT); 3]);
    let never = [-1, 1_000_000_000, i64::from(i32::MAX)].map(|nanoseconds| Time { nanoseconds, ..later });
    expect_eq!(never.map(|never| lock.timed_lock(wish, never)), [Err(EINVAL); 3]);
    holder.open("unlock")?;
    expect_eq!((holder.join()?, for_another(&lock)?), (Ok(()), [Ok(()); 2]));
    Ok(())
}

/// An attempt gives up not before its time, and lets others in as if it had never been made.
#[rstest]
#[case::reader_behind_a_writer(Wish::Write, Wish::Read)]
#[case::writer_behind_a_writer(Wish::Write, Wish::Write)]
#[case::writer_behind_a_reader(Wish::Read, Wish::Write)]
#[conformance::test(posix = "pthread_rwlock_timedwrlock", man = "pthread_rwlock_timedwrlock(3posix)")]
fn waits_until_its_time(#[case] held: Wish, #[case] wish: Wish) -> Outcome {
    let lock = lock()?;
    let holder = holder(&lock, held)?;
    let until = Clock::Realtime.after(Duration::from_millis(2))?;
    let late = lock.timed_lock(wish, until);
    let now = Time::now(Clock::Realtime)?;
    expect_eq!(late, Err(ETIMEDOUT));
    expect!(now >= until, "it gave up at {now:?}, before {until:?}");
    // The writer that has given up no longer holds readers back.
    expect_eq!(for_another(&lock)?, [if held == Wish::Read { Ok(()) } else { Err(EBUSY) }, Err(EBUSY)]);
    holder.open("unlock")?;
    expect_eq!((holder.join()?, for_another(&lock)?), (Ok(()), [Ok(()); 2]));
    Ok(())
}

/// An attempt with time left gets the lock when it can be had.
#[rstest]
#[case::reader_behind_a_writer(Wish::Write, Wish::Read)]
#[case::writer_behind_a_writer(Wish::Write, Wish::Write)]
#[case::writer_behind_a_reader(Wish::Read, Wish::Write)]
#[conformance::test(posix = "pthread_rwlock_timedwrlock", man = "pthread_rwlock_timedwrlock(3posix)")]
fn gets_the_lock_in_time(#[case] held: Wish, #[case] wish: Wish) -> Outcome {
    let lock = lock()?;
    let (holder, later) = (holder(&lock, held)?, Clock::Realtime.after(FAR_AWAY)?);
    let waiter = Participant::spawn("waiter", (), |(), _| [lock.timed_lock(wish, later), lock.unlock()])?;
    waiter.until_blocked()?;
    expect_eq!(lock.timed_lock(wish, LONG_AGO), Err(ETIMEDOUT));
    waiter.expect_still_blocked()?;
    holder.open("unlock")?;
    expect_eq!((holder.join()?, waiter.join()?, for_another(&lock)?), (Ok(()), [Ok(()); 2], [Ok(()); 2]));
    Ok(())
}

/// A reader that was held back by a writer which gives up is let in to the other readers.
#[cfg(has_lock_preference)]
#[conformance::test(man = "pthread_rwlockattr_setkind_np(3)")]
fn lets_readers_in_after_a_writer_that_gave_up() -> Outcome {
    use conformance::sys::pthread::attributes::PREFER_WRITERS;
    let lock = SharedLock::create_with(Mapping::anonymous(page_size())?, |attributes| attributes.set_preference(PREFER_WRITERS))?;
    let reader = holder(&lock, Wish::Read)?;
    let until = Clock::Realtime.after(Duration::from_millis(4))?;
    let writer = Participant::spawn("writer", (), |(), _| lock.timed_lock(Wish::Write, until))?;
    let late = Participant::spawn("late reader", (), |(), _| [lock.lock(Wish::Read), lock.unlock()])?;
    expect_eq!((writer.join()?, late.join()?), (Err(ETIMEDOUT), [Ok(()); 2]));
    reader.open("unlock")?;
    expect_eq!((reader.join()?, for_another(&lock)?), (Ok(()), [Ok(()); 2]));
    Ok(())
}

/// An attempt goes by the clock that it names, and refuses one that it does not know.
#[cfg(has_clock_locks)]
#[rstest]
#[conformance::test(man = "pthread_rwlock_clockrdlock(3)")]
fn goes_by_the_clock_it_names(
    #[values(Clock::Realtime, Clock::Monotonic)] clock: Clock,
    #[values(Wish::Read, Wish::Write)] wish: Wish,
) -> Outcome {
    let lock = lock()?;
    let holder = holder(&lock, Wish::Write)?;
    let until = clock.after(Duration::from_millis(2))?;
    let late = lock.clock_lock(wish, clock.id(), until);
    let now = Time::now(clock)?;
    expect_eq!((late, lock.clock_lock(wish, 4711, until)), (Err(ETIMEDOUT), Err(EINVAL)));
    expect!(now >= until, "it gave up at {now:?}, before {until:?}");
    let later = clock.after(FAR_AWAY)?;
    let waiter = Participant::spawn("waiter", (), |(), _| [lock.clock_lock(wish, clock.id(), later), lock.unlock()])?;
    waiter.until_blocked()?;
    holder.open("unlock")?;
    expect_eq!((holder.join()?, waiter.join()?, for_another(&lock)?), (Ok(()), [Ok(()); 2], [Ok(()); 2]));
    Ok(())
}
