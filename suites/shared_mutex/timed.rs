//! Mutexes with deadlines (`pthread_mutex_timedlock`, `pthread_mutex_clocklock`): past and far deadlines, invalid times, clocks, and
//! robust mutexes.

use std::time::Duration;

use conformance::prelude::*;
use conformance::sys::pthread::SharedMutex;
use conformance::sys::time::{Clock, Time};
use rstest::rstest;
use rstest_reuse::apply;

#[cfg(has_clock_locks)]
use super::fixture::FAR_AHEAD;
use super::fixture::{
    BOTH_OK, Kind, PAST, disturb, every_kind, far_deadline, is_ahead, lock_unlock, normal_and_prio_inherit, owner, with_deadline,
};

/// `pthread_mutex_timedlock` on an unlocked mutex returns 0, whether its deadline has already passed at the call or is years
/// ahead. `pthread_mutex_trylock` by another process then fails with `EBUSY`.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn past_deadline_locks_a_free_mutex(kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let other = || Participant::spawn("other", (), |(), _| mutex.try_lock());
    expect_eq!((mutex.timed_lock(PAST), other()?.join()?, mutex.unlock()), (Ok(()), Err(EBUSY), Ok(())));
    expect_eq!((mutex.timed_lock(far_deadline()?), other()?.join()?, mutex.unlock()), (Ok(()), Err(EBUSY), Ok(())));
    Ok(())
}

/// While another process owns the mutex, `pthread_mutex_timedlock` with a deadline that has already passed at the call fails with
/// `ETIMEDOUT`. `pthread_mutex_trylock` then still fails with `EBUSY`, and `pthread_mutex_unlock` by the owner returns 0.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn fails_with_etimedout_for_a_past_deadline(kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = owner(&mutex)?;
    expect_eq!([PAST; 2].map(|past| mutex.timed_lock(past)), [Err(ETIMEDOUT); 2]);
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, lock_unlock(&mutex)), (Ok(()), BOTH_OK));
    Ok(())
}

/// While another process owns the mutex, `pthread_mutex_timedlock` with `tv_sec` -1 fails with `ETIMEDOUT`, as this time is
/// before the beginning of `CLOCK_REALTIME`.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn fails_with_etimedout_for_negative_seconds(kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = owner(&mutex)?;
    expect_eq!(mutex.timed_lock(Time { seconds: -1, nanoseconds: 999_999_999 }), Err(ETIMEDOUT));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, lock_unlock(&mutex)), (Ok(()), BOTH_OK));
    Ok(())
}

/// While another process owns the mutex, `pthread_mutex_timedlock` with a deadline 2 ms in the future fails with `ETIMEDOUT`, and
/// not before `CLOCK_REALTIME` reaches the deadline.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn expires_at_the_deadline(kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = owner(&mutex)?;
    let until = Clock::Realtime.after(Duration::from_millis(2))?;
    let returned = mutex.timed_lock(until);
    let now = Time::now(Clock::Realtime)?;
    expect_eq!(returned, Err(ETIMEDOUT));
    expect!(now >= until, "returned at {now:?}, before the deadline {until:?}");
    owner.open("unlock")?;
    expect_eq!((owner.join()?, lock_unlock(&mutex)), (Ok(()), BOTH_OK));
    Ok(())
}

/// While another process owns the mutex, `pthread_mutex_timedlock` with `tv_nsec` below 0 or above 999999999 fails with `EINVAL`.
/// `pthread_mutex_trylock` then still fails with `EBUSY`, and `pthread_mutex_unlock` by the owner returns 0.
#[apply(every_kind)]
#[case::negative(-1)]
#[case::one_second(1_000_000_000)]
#[case::largest_int(i64::from(i32::MAX))]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn rejects_invalid_nanoseconds(#[case] nanoseconds: i64, kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = owner(&mutex)?;
    let invalid = Time { nanoseconds, ..far_deadline()? };
    expect_eq!((mutex.timed_lock(invalid), mutex.try_lock()), (Err(EINVAL), Err(EBUSY)));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, lock_unlock(&mutex)), (Ok(()), BOTH_OK));
    Ok(())
}

/// While another process owns the mutex, `pthread_mutex_timedlock` with a deadline years ahead blocks, also after
/// `pthread_mutex_timedlock` by a third process with a deadline in the past has failed with `ETIMEDOUT`. It returns 0 after
/// `pthread_mutex_unlock` by the owner.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn locks_when_unlocked_before_the_deadline(kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let (owner, until) = (owner(&mutex)?, far_deadline()?);
    let waiter = Participant::spawn("waiter", (), |(), _| (mutex.timed_lock(until), mutex.unlock()))?;
    waiter.until_blocked()?;
    expect_eq!(mutex.timed_lock(PAST), Err(ETIMEDOUT));
    waiter.expect_still_blocked()?;
    owner.open("unlock")?;
    expect_eq!((owner.join()?, waiter.join()?, lock_unlock(&mutex)), (Ok(()), BOTH_OK, BOTH_OK));
    Ok(())
}

/// `pthread_mutex_timedlock` by the owner, with a deadline in the past or years ahead, fails with `EDEADLK` for an errorcheck
/// mutex and returns 0 for a recursive mutex. After one `pthread_mutex_lock` and two such calls, three `pthread_mutex_unlock`
/// calls of the recursive mutex return 0 and a fourth one fails with `EPERM`.
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn relock_by_the_owner_follows_the_mutex_type() -> Outcome {
    let (checking, recursive) = (Kind::Errorcheck.mutex()?, Kind::Recursive.mutex()?);
    expect_eq!([checking.lock(), recursive.lock()], [Ok(()); 2]);
    for until in [PAST, far_deadline()?] {
        expect_eq!((checking.timed_lock(until), recursive.timed_lock(until)), (Err(EDEADLK), Ok(())));
    }
    expect_eq!([checking.unlock(), checking.unlock()], [Ok(()), Err(EPERM)]);
    expect_eq!([0; 4].map(|_| recursive.unlock()), [Ok(()), Ok(()), Ok(()), Err(EPERM)]);
    Ok(())
}

/// `pthread_mutex_timedlock` by the owner of a normal mutex, with a deadline 1 ms in the future on `CLOCK_REALTIME`, blocks and
/// then fails with `ETIMEDOUT`. One `pthread_mutex_unlock` by the owner then returns 0, after which `pthread_mutex_lock` by
/// another process returns 0.
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn relock_of_a_normal_mutex_times_out(#[values(Kind::Normal)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let until = Clock::Realtime.after(Duration::from_millis(1))?;
    expect_eq!([mutex.lock(), mutex.timed_lock(until), mutex.unlock()], [Ok(()), Err(ETIMEDOUT), Ok(())]);
    let next = Participant::spawn("next owner", (), |(), _| lock_unlock(&mutex))?;
    expect_eq!(next.join()?, BOTH_OK);
    Ok(())
}

/// A process that is blocked in `pthread_mutex_timedlock` stays blocked after a signal handler has run, installed with or without
/// `SA_RESTART`, and after `SIGSTOP` and `SIGCONT`. The call returns 0 after `pthread_mutex_unlock` by the owner.
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "signal(7)")]
fn wait_goes_on_after_a_signal_handler(kind: Kind, #[values(Restart::Yes, Restart::No)] restart: Restart) -> Outcome {
    let mutex = kind.mutex()?;
    let (owner, until) = (owner(&mutex)?, far_deadline()?);
    let waiter = Participant::spawn("waiter", (), |(), _| {
        signal::catch(Signal::SIGUSR1, restart)?;
        Ok::<_, Errno>((mutex.timed_lock(until), mutex.unlock(), signal::caught(Signal::SIGUSR1)))
    })?;
    disturb(&waiter)?;
    owner.open("unlock")?;
    expect_eq!((owner.join()?, waiter.join()?), (Ok(()), Ok((Ok(()), Ok(()), 1))));
    Ok(())
}

/// If one of three processes blocked on a mutex is killed and `pthread_mutex_timedlock` of another one fails with `ETIMEDOUT`,
/// the third stays blocked in `pthread_mutex_lock`, which returns 0 after `pthread_mutex_unlock` by the owner.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_timedlock(3)")]
fn expired_and_killed_waiters_do_not_stop_others(kind: Kind) -> Outcome {
    let later = far_deadline()?;
    with_deadline(|soon| {
        let mutex = kind.mutex()?;
        let owner = owner(&mutex)?;
        let spawn = |name, until| Participant::spawn(name, (), |(), _| (lock_until(&mutex, until), mutex.unlock()));
        let expired = Participant::spawn("expired waiter", (), |(), _| mutex.timed_lock(soon))?;
        let expired_is = expired.until_settled()?;
        let killed = spawn("victim", Some(later))?;
        killed.until_blocked()?;
        let remaining = spawn("waiter", None)?;
        remaining.until_blocked()?;
        if !is_ahead(soon)? {
            return Ok(false);
        }
        expect_eq!(expired_is, Settled::Blocked);
        killed.kill()?;
        expect_eq!(expired.join()?, Err(ETIMEDOUT));
        remaining.expect_still_blocked()?;
        owner.open("unlock")?;
        expect_eq!((owner.join()?, remaining.join()?, lock_unlock(&mutex)), (Ok(()), BOTH_OK, BOTH_OK));
        Ok(true)
    })
}

fn lock_until(mutex: &SharedMutex, until: Option<Time>) -> Result<(), Errno> {
    until.map_or_else(|| mutex.lock(), |until| mutex.timed_lock(until))
}

/// If the owner of a robust mutex is killed while another process is blocked in `pthread_mutex_timedlock`, or before a
/// `pthread_mutex_timedlock` with a deadline in the past, the call returns `EOWNERDEAD`. `pthread_mutex_trylock` by a third
/// process then fails with `EBUSY`.
#[cfg(has_robust_mutexes)]
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutexattr_setrobust(3)")]
fn returns_eownerdead_when_the_owner_is_killed(kind: Kind, #[values(false, true)] killed_while_waiting: bool) -> Outcome {
    let mutex = kind.robust()?;
    let (owner, until) = (owner(&mutex)?, if killed_while_waiting { far_deadline()? } else { PAST });
    if !killed_while_waiting {
        owner.kill()?;
    }
    let next = Participant::spawn("new owner", (), |(), link| {
        let locked = mutex.timed_lock(until);
        link.meet("unlock");
        (locked, mutex.consistent(), mutex.unlock())
    })?;
    if killed_while_waiting {
        next.until_blocked()?;
        owner.kill()?;
    }
    next.until_reached("unlock")?;
    expect_eq!((mutex.try_lock(), mutex.timed_lock(PAST)), (Err(EBUSY), Err(ETIMEDOUT)));
    next.open("unlock")?;
    expect_eq!((next.join()?, mutex.timed_lock(PAST)), ((Err(EOWNERDEAD), Ok(()), Ok(())), Ok(())));
    Ok(())
}

/// After a call returned `EOWNERDEAD` and its caller called `pthread_mutex_unlock` without `pthread_mutex_consistent`, each
/// `pthread_mutex_timedlock` with a deadline in the past fails with `ENOTRECOVERABLE`, in every process.
#[cfg(has_robust_mutexes)]
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutex_consistent(3)")]
fn returns_enotrecoverable_for_a_past_deadline(kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    owner(&mutex)?.kill()?;
    expect_eq!((mutex.timed_lock(PAST), mutex.unlock()), (Err(EOWNERDEAD), Ok(())));
    let next = Participant::spawn("next owner", (), |(), _| [PAST; 2].map(|until| mutex.timed_lock(until)))?;
    expect_eq!((next.join()?, mutex.timed_lock(PAST)), ([Err(ENOTRECOVERABLE); 2], Err(ENOTRECOVERABLE)));
    Ok(())
}

/// While another process owns the mutex, `pthread_mutex_clocklock` with a deadline 2 ms in the future on `CLOCK_REALTIME` or
/// `CLOCK_MONOTONIC` fails with `ETIMEDOUT`, and not before the clock passed reaches the deadline. With a deadline years ahead,
/// it returns 0 after `pthread_mutex_unlock` by the owner.
#[cfg(has_clock_locks)]
#[rstest]
#[conformance::test(posix = "pthread_mutex_clocklock")]
fn clocklock_expires_on_the_given_clock(
    #[values(Clock::Realtime, Clock::Monotonic)] clock: Clock,
    #[values(Kind::Normal, Kind::Errorcheck, Kind::Recursive)] kind: Kind,
) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = owner(&mutex)?;
    let until = clock.after(Duration::from_millis(2))?;
    let returned = mutex.clock_lock(clock.id(), until);
    let now = Time::now(clock)?;
    expect_eq!(returned, Err(ETIMEDOUT));
    expect!(now >= until, "returned at {now:?}, before the deadline {until:?}");
    let later = clock.after(FAR_AHEAD)?;
    let waiter = Participant::spawn("waiter", (), |(), _| (mutex.clock_lock(clock.id(), later), mutex.unlock()))?;
    waiter.until_blocked()?;
    owner.open("unlock")?;
    expect_eq!((owner.join()?, waiter.join()?, lock_unlock(&mutex)), (Ok(()), BOTH_OK, BOTH_OK));
    Ok(())
}

/// While another process owns a mutex with the protocol `PTHREAD_PRIO_INHERIT`, `pthread_mutex_clocklock` with a deadline 2 ms in
/// the future on `CLOCK_MONOTONIC` fails with `ETIMEDOUT`, not before that clock reaches the deadline, or with `EINVAL`, as Linux
/// has no such wait before 5.14. Both are allowed, and the case records which.
#[cfg(has_clock_locks)]
#[conformance::test(posix = "pthread_mutex_clocklock", level = observed)]
fn monotonic_clocklock_with_prio_inherit_is_recorded() -> Outcome {
    let mutex = Kind::PrioInherit.mutex()?;
    let _owner = owner(&mutex)?;
    let until = Clock::Monotonic.after(Duration::from_millis(2))?;
    let seen = mutex.clock_lock(Clock::Monotonic.id(), until);
    let now = Time::now(Clock::Monotonic)?;
    expect_matches!(seen, Err(ETIMEDOUT | EINVAL));
    observe!("mutex.prio-inherit-clocklock-on-monotonic-clock", format!("{seen:?}"));
    expect!(seen == Err(EINVAL) || now >= until, "returned at {now:?}, before the deadline {until:?}");
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    Ok(())
}

/// `pthread_mutex_clocklock` with `CLOCK_PROCESS_CPUTIME_ID` or the unknown clock 4711 fails with `EINVAL`, whether the mutex is
/// unlocked or another process owns it.
#[cfg(has_clock_locks)]
#[conformance::test(posix = "pthread_mutex_clocklock", level = customary)]
fn clocklock_rejects_cpu_time_and_unknown_clocks() -> Outcome {
    let mutex = Kind::Normal.mutex()?;
    let clocks = [conformance::sys::time::PROCESSOR_TIME, 4711];
    expect_eq!(clocks.map(|clock| mutex.clock_lock(clock, far_deadline().unwrap_or(PAST))), [Err(EINVAL); 2]);
    let owner = owner(&mutex)?;
    expect_eq!(clocks.map(|clock| mutex.clock_lock(clock, PAST)), [Err(EINVAL); 2]);
    owner.open("unlock")?;
    expect_eq!((owner.join()?, lock_unlock(&mutex)), (Ok(()), BOTH_OK));
    Ok(())
}
