//! Timed locking: a time is looked at only where one has to wait, and giving up leaves no trace.

use std::time::Duration;

use conformance::prelude::*;
use conformance::sys::pthread::SharedMutex;
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{FAR_AWAY, Kind, WELL, disturb, holder, turn};

/// The beginning of the real-time clock, long ago.
const LONG_AGO: Time = Time { seconds: 0, nanoseconds: 0 };

fn much_later() -> Result<Time, Errno> {
    Clock::Realtime.after(FAR_AWAY)
}

/// A mutex that is free is locked whatever the time is.
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn locks_a_free_mutex_however_late_it_is(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let mutex = kind.mutex()?;
    let other = || Participant::spawn("other", (), |(), _| mutex.try_lock());
    expect_eq!((mutex.timed_lock(LONG_AGO), other()?.join()?, mutex.unlock()), (Ok(()), Err(EBUSY), Ok(())));
    expect_eq!((mutex.timed_lock(much_later()?), other()?.join()?, mutex.unlock()), (Ok(()), Err(EBUSY), Ok(())));
    Ok(())
}

/// Where the mutex is locked a time that is past ends the attempt at once; the owner has the mutex still, and its unlock frees it.
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn gives_up_at_once_when_the_time_is_past(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let mutex = kind.mutex()?;
    let holder = holder(&mutex)?;
    expect_eq!([LONG_AGO; 2].map(|past| mutex.timed_lock(past)), [Err(ETIMEDOUT); 2]);
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    holder.open("unlock")?;
    expect_eq!((holder.join()?, turn(&mutex)), (Ok(()), WELL));
    Ok(())
}

/// A time before the beginning of the clock is past as any other.
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn gives_up_at_once_when_the_time_is_before_the_clock(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let mutex = kind.mutex()?;
    let holder = holder(&mutex)?;
    expect_eq!(mutex.timed_lock(Time { seconds: -1, nanoseconds: 999_999_999 }), Err(ETIMEDOUT));
    holder.open("unlock")?;
    expect_eq!((holder.join()?, turn(&mutex)), (Ok(()), WELL));
    Ok(())
}

/// An attempt gives up not before its time.
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn waits_until_its_time(#[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let holder = holder(&mutex)?;
    let until = Clock::Realtime.after(Duration::from_millis(2))?;
    let late = mutex.timed_lock(until);
    let now = Time::now(Clock::Realtime)?;
    expect_eq!(late, Err(ETIMEDOUT));
    expect!(now >= until, "it gave up at {now:?}, before {until:?}");
    holder.open("unlock")?;
    expect_eq!((holder.join()?, turn(&mutex)), (Ok(()), WELL));
    Ok(())
}

/// A time whose nanoseconds are none is refused where one would have to wait.
#[rstest]
#[case::negative(-1)]
#[case::a_whole_second(1_000_000_000)]
#[case::far_too_many(i64::from(i32::MAX))]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn refuses_a_time_that_there_is_not(
    #[case] nanoseconds: i64,
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let mutex = kind.mutex()?;
    let holder = holder(&mutex)?;
    let never = Time { nanoseconds, ..much_later()? };
    expect_eq!((mutex.timed_lock(never), mutex.try_lock()), (Err(EINVAL), Err(EBUSY)));
    holder.open("unlock")?;
    expect_eq!((holder.join()?, turn(&mutex)), (Ok(()), WELL));
    Ok(())
}

/// An attempt that has time left gets the mutex when it is unlocked.
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn gets_the_mutex_when_it_is_unlocked_in_time(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let mutex = kind.mutex()?;
    let (holder, until) = (holder(&mutex)?, much_later()?);
    let waiter = Participant::spawn("waiter", (), |(), _| (mutex.timed_lock(until), mutex.unlock()))?;
    waiter.until_blocked()?;
    expect_eq!(mutex.timed_lock(LONG_AGO), Err(ETIMEDOUT));
    waiter.expect_still_blocked()?;
    holder.open("unlock")?;
    expect_eq!((holder.join()?, waiter.join()?, turn(&mutex)), (Ok(()), WELL, WELL));
    Ok(())
}

/// The owner of a mutex that checks errors is told so by a timed attempt too, and that of a recursive one counted, even in the past.
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn knows_the_owner() -> Outcome {
    let (checking, recursive) = (Kind::ErrorChecking.mutex()?, Kind::Recursive.mutex()?);
    expect_eq!([checking.lock(), recursive.lock()], [Ok(()); 2]);
    for until in [LONG_AGO, much_later()?] {
        expect_eq!((checking.timed_lock(until), recursive.timed_lock(until)), (Err(EDEADLK), Ok(())));
    }
    expect_eq!([checking.unlock(), checking.unlock()], [Ok(()), Err(EPERM)]);
    expect_eq!([0; 4].map(|_| recursive.unlock()), [Ok(()), Ok(()), Ok(()), Err(EPERM)]);
    Ok(())
}

/// The owner of a normal mutex gives up on itself when the time has come.
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn frees_an_owner_from_its_own_deadlock(#[values(Kind::Normal)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let until = Clock::Realtime.after(Duration::from_millis(1))?;
    expect_eq!([mutex.lock(), mutex.timed_lock(until), mutex.unlock()], [Ok(()), Err(ETIMEDOUT), Ok(())]);
    let next = Participant::spawn("next", (), |(), _| turn(&mutex))?;
    expect_eq!(next.join()?, WELL);
    Ok(())
}

/// A signal is handled and does not end the wait, nor does a stop.
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "signal(7)")]
fn is_not_interrupted(
    #[values(Kind::Normal, Kind::Inheriting)] kind: Kind,
    #[values(Restart::Yes, Restart::No)] restart: Restart,
) -> Outcome {
    let mutex = kind.mutex()?;
    let (holder, until) = (holder(&mutex)?, much_later()?);
    let waiter = Participant::spawn("waiter", (), |(), _| {
        signal::catch(Signal::SIGUSR1, restart)?;
        Ok::<_, Errno>((mutex.timed_lock(until), mutex.unlock(), signal::caught(Signal::SIGUSR1)))
    })?;
    disturb(&waiter)?;
    holder.open("unlock")?;
    expect_eq!((holder.join()?, waiter.join()?), (Ok(()), Ok((Ok(()), Ok(()), 1))));
    Ok(())
}

/// One who gave up, and one who was killed before, are not waited for: those who wait on get the mutex.
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn leaves_the_others_their_turn(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let mutex = kind.mutex()?;
    let (holder, later, soon) = (holder(&mutex)?, much_later()?, Clock::Realtime.after(Duration::from_millis(3))?);
    let spawn = |name, until| Participant::spawn(name, (), |(), _| (lock_until(&mutex, until), mutex.unlock()));
    let killed = spawn("killed", Some(later))?;
    killed.until_blocked()?;
    let patient = spawn("patient", None)?;
    patient.until_blocked()?;
    let late = Participant::spawn("late", (), |(), _| mutex.timed_lock(soon))?;
    killed.kill()?;
    expect_eq!(late.join()?, Err(ETIMEDOUT));
    patient.expect_still_blocked()?;
    holder.open("unlock")?;
    expect_eq!((holder.join()?, patient.join()?, turn(&mutex)), (Ok(()), WELL, WELL));
    Ok(())
}

fn lock_until(mutex: &SharedMutex, until: Option<Time>) -> Result<(), Errno> {
    until.map_or_else(|| mutex.lock(), |until| mutex.timed_lock(until))
}

/// A timed attempt is told of an owner that was killed before it came, or while it waited, and holds the mutex then.
#[cfg(has_robust_mutexes)]
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutexattr_setrobust(3)")]
fn is_told_of_the_owners_death(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
    #[values(false, true)] waiting: bool,
) -> Outcome {
    let mutex = kind.robust()?;
    let (owner, until) = (holder(&mutex)?, if waiting { much_later()? } else { LONG_AGO });
    if !waiting {
        owner.kill()?;
    }
    let heir = Participant::spawn("heir", (), |(), link| {
        let locked = mutex.timed_lock(until);
        link.meet("unlock");
        (locked, mutex.consistent(), mutex.unlock())
    })?;
    if waiting {
        heir.until_blocked()?;
        owner.kill()?;
    }
    heir.until_reached("unlock")?;
    expect_eq!((mutex.try_lock(), mutex.timed_lock(LONG_AGO)), (Err(EBUSY), Err(ETIMEDOUT)));
    heir.open("unlock")?;
    expect_eq!((heir.join()?, mutex.timed_lock(LONG_AGO)), ((Err(EOWNERDEAD), Ok(()), Ok(())), Ok(())));
    Ok(())
}

/// A mutex that nobody repaired tells a timed attempt so, and not that time is up.
#[cfg(has_robust_mutexes)]
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_consistent(3)")]
fn is_told_that_the_mutex_is_lost(#[values(Kind::Normal, Kind::Inheriting)] kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    holder(&mutex)?.kill()?;
    expect_eq!((mutex.timed_lock(LONG_AGO), mutex.unlock()), (Err(EOWNERDEAD), Ok(())));
    let next = Participant::spawn("next", (), |(), _| [LONG_AGO; 2].map(|until| mutex.timed_lock(until)))?;
    expect_eq!((next.join()?, mutex.timed_lock(LONG_AGO)), ([Err(ENOTRECOVERABLE); 2], Err(ENOTRECOVERABLE)));
    Ok(())
}

/// An attempt goes by the clock that it names: it waits until that clock's time and no less, and has hours by it elsewhere.
#[cfg(has_clock_locks)]
#[rstest]
#[conformance::test(man = "pthread_mutex_clocklock(3)")]
fn goes_by_the_clock_it_names(
    #[values(Clock::Realtime, Clock::Monotonic)] clock: Clock,
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive)] kind: Kind,
) -> Outcome {
    let mutex = kind.mutex()?;
    let holder = holder(&mutex)?;
    let until = clock.after(Duration::from_millis(2))?;
    let late = mutex.clock_lock(clock.id(), until);
    let now = Time::now(clock)?;
    expect_eq!(late, Err(ETIMEDOUT));
    expect!(now >= until, "it gave up at {now:?}, before {until:?}");
    let later = clock.after(FAR_AWAY)?;
    let waiter = Participant::spawn("waiter", (), |(), _| (mutex.clock_lock(clock.id(), later), mutex.unlock()))?;
    waiter.until_blocked()?;
    holder.open("unlock")?;
    expect_eq!((holder.join()?, waiter.join()?, turn(&mutex)), (Ok(()), WELL, WELL));
    Ok(())
}

/// The kernel has no monotonic way to wait for a mutex with priority inheritance before 5.14; later it has, and goes by that clock.
#[cfg(has_clock_locks)]
#[conformance::test(man = "pthread_mutex_clocklock(3)", level = observed)]
fn of_an_inheriting_mutex_may_know_one_clock_only() -> Outcome {
    let mutex = Kind::Inheriting.mutex()?;
    let _holder = holder(&mutex)?;
    let until = Clock::Monotonic.after(Duration::from_millis(2))?;
    let seen = mutex.clock_lock(Clock::Monotonic.id(), until);
    let now = Time::now(Clock::Monotonic)?;
    expect_matches!(seen, Err(ETIMEDOUT | EINVAL));
    observe!("mutex.inheriting-with-monotonic-clock", format!("{seen:?}"));
    expect!(seen == Err(EINVAL) || now >= until, "it gave up at {now:?}, before {until:?}");
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    Ok(())
}

/// A clock that nobody can wait by is refused, whether the mutex is free or not.
#[cfg(has_clock_locks)]
#[conformance::test(man = "pthread_mutex_clocklock(3)")]
fn refuses_a_clock_that_it_does_not_know() -> Outcome {
    let mutex = Kind::Normal.mutex()?;
    let clocks = [conformance::sys::time::PROCESSOR_TIME, 4711];
    expect_eq!(clocks.map(|clock| mutex.clock_lock(clock, much_later().unwrap_or(LONG_AGO))), [Err(EINVAL); 2]);
    let holder = holder(&mutex)?;
    expect_eq!(clocks.map(|clock| mutex.clock_lock(clock, LONG_AGO)), [Err(EINVAL); 2]);
    holder.open("unlock")?;
    expect_eq!((holder.join()?, turn(&mutex)), (Ok(()), WELL));
    Ok(())
}
