//! Condition variables with deadlines (`pthread_cond_timedwait`, `pthread_cond_clockwait`): clocks, invalid times, and the mutex after
//! a timeout.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread::SharedMutex;
use conformance::sys::pthread::condition::SharedCondition;
use conformance::sys::time::{Clock, Time};
use rstest::rstest;
use rstest_reuse::apply;

use super::condition_fixture::Scene;
use super::fixture::{BOTH_OK, Kind, PAST, every_kind, far_deadline, lock_unlock, normal_and_prio_inherit};

/// What another process gets that tries to lock the mutex.
fn tried_by_another(mutex: &SharedMutex) -> Result<Result<(), Errno>, Failure> {
    Participant::spawn("other", (), |(), _| mutex.try_lock().and_then(|()| mutex.unlock()))?.join()
}

/// `pthread_cond_timedwait` with a deadline that has already passed at the call fails with `ETIMEDOUT`. Afterwards
/// `pthread_mutex_trylock` by another process fails with `EBUSY`, and `pthread_mutex_unlock` by the caller returns 0.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_cond_timedwait", man = "pthread_cond_timedwait(3)")]
fn fails_with_etimedout_for_a_past_deadline(kind: Kind) -> Outcome {
    let Scene { mutex, condition } = Scene::new(kind)?;
    expect_eq!([mutex.lock(), condition.timed_wait(&mutex, PAST)], [Ok(()), Err(ETIMEDOUT)]);
    expect_eq!(
        (tried_by_another(&mutex)?, condition.timed_wait(&mutex, PAST), mutex.unlock()),
        (Err(EBUSY), Err(ETIMEDOUT), Ok(()))
    );
    expect_eq!((tried_by_another(&mutex)?, condition.signal()), (Ok(()), Ok(())));
    Ok(())
}

/// `pthread_cond_timedwait` with `tv_nsec` below 0 or above 999999999 fails with `EINVAL`. Afterwards `pthread_mutex_trylock` by
/// another process fails with `EBUSY`, and `pthread_mutex_unlock` by the caller returns 0.
#[rstest]
#[case::negative(-1)]
#[case::one_second(1_000_000_000)]
#[case::largest_int(i64::from(i32::MAX))]
#[conformance::test(posix = "pthread_cond_timedwait", man = "pthread_cond_timedwait(3)")]
fn rejects_invalid_nanoseconds(#[case] nanoseconds: i64) -> Outcome {
    let Scene { mutex, condition } = Scene::new(Kind::Errorcheck)?;
    let invalid = Time { nanoseconds, ..far_deadline()? };
    expect_eq!([mutex.lock(), condition.timed_wait(&mutex, invalid)], [Ok(()), Err(EINVAL)]);
    expect_eq!((tried_by_another(&mutex)?, mutex.unlock(), tried_by_another(&mutex)?), (Err(EBUSY), Ok(()), Ok(())));
    Ok(())
}

/// If no process signals the condition variable, `pthread_cond_timedwait` with a deadline 2 ms in the future fails with
/// `ETIMEDOUT`, and not before the clock that `pthread_condattr_setclock` has set, `CLOCK_REALTIME` or `CLOCK_MONOTONIC`, reaches
/// the deadline.
#[cfg(has_timed_locks)]
#[rstest]
#[conformance::test(posix = "pthread_condattr_setclock", man = "pthread_cond_timedwait(3)")]
fn expires_on_the_clock_attribute(#[values(Clock::Realtime, Clock::Monotonic)] clock: Clock) -> Outcome {
    let mutex = Kind::Errorcheck.mutex()?;
    let condition = SharedCondition::create_with(Mapping::anonymous(page_size())?, |attributes| attributes.set_clock(clock.id()))?;
    let until = clock.after(Duration::from_millis(2))?;
    expect_eq!(mutex.lock(), Ok(()));
    let mut waited = Ok(());
    while waited.is_ok() {
        waited = condition.timed_wait(&mutex, until);
    }
    let now = Time::now(clock)?;
    expect_eq!((waited, mutex.unlock()), (Err(ETIMEDOUT), Ok(())));
    expect!(now >= until, "returned at {now:?}, before the deadline {until:?}");
    Ok(())
}

/// If no process signals the condition variable, `pthread_cond_clockwait` with `CLOCK_REALTIME` or `CLOCK_MONOTONIC` and a
/// deadline 2 ms in the future on that clock fails with `ETIMEDOUT`, and not before that clock reaches the deadline, whichever
/// clock `pthread_condattr_setclock` has set.
#[cfg(has_clock_locks)]
#[rstest]
#[conformance::test(posix = "pthread_cond_clockwait")]
fn clockwait_expires_on_the_given_clock(
    #[values(Clock::Realtime, Clock::Monotonic)] attribute: Clock,
    #[values(Clock::Realtime, Clock::Monotonic)] argument: Clock,
) -> Outcome {
    let mutex = Kind::Errorcheck.mutex()?;
    let condition =
        SharedCondition::create_with(Mapping::anonymous(page_size())?, |attributes| attributes.set_clock(attribute.id()))?;
    let until = argument.after(Duration::from_millis(2))?;
    expect_eq!(mutex.lock(), Ok(()));
    let mut waited = Ok(());
    while waited.is_ok() {
        waited = condition.clock_wait(&mutex, argument.id(), until);
    }
    let now = Time::now(argument)?;
    expect_eq!(waited, Err(ETIMEDOUT));
    expect!(now >= until, "returned at {now:?}, before the deadline {until:?}");
    expect_eq!([mutex.unlock(), mutex.unlock()], [Ok(()), Err(EPERM)]);
    Ok(())
}

/// `pthread_cond_clockwait` with `CLOCK_PROCESS_CPUTIME_ID` or with the unknown clock 4711 fails with `EINVAL`, and
/// `pthread_mutex_unlock` by the caller then returns 0.
#[cfg(has_clock_locks)]
#[conformance::test(posix = "pthread_cond_clockwait", level = customary)]
fn clockwait_rejects_cpu_time_and_unknown_clocks() -> Outcome {
    let Scene { mutex, condition } = Scene::new(Kind::Errorcheck)?;
    let until = far_deadline()?;
    expect_eq!(mutex.lock(), Ok(()));
    let clocks = [conformance::sys::time::PROCESSOR_TIME, 4711];
    expect_eq!(clocks.map(|clock| condition.clock_wait(&mutex, clock, until)), [Err(EINVAL); 2]);
    expect_eq!([mutex.unlock(), mutex.unlock()], [Ok(()), Err(EPERM)]);
    Ok(())
}

/// A participant that waits until word 0 is set or the deadline passes; what the last wait and the unlock returned. Word 1 tells that
/// it owns the mutex or waits.
fn waiter(mutex: &SharedMutex, condition: &SharedCondition, until: Time) -> Result<Participant<[Result<(), Errno>; 2]>, Failure> {
    let waiter = Participant::spawn("waiter", (), |(), _| {
        mutex.lock().expect("the mutex is unlocked in the end");
        mutex.word(1).store(1, SeqCst);
        let mut waited = Ok(());
        while mutex.word(0).load(SeqCst) == 0 && waited.is_ok() {
            waited = condition.timed_wait(mutex, until);
        }
        [waited, mutex.unlock()]
    })?;
    let mut pause = Pause::default();
    while mutex.word(1).load(SeqCst) == 0 {
        pause.sleep();
    }
    Ok(waiter)
}

/// If a process is blocked in `pthread_cond_timedwait` with a deadline years ahead, the call returns 0 after
/// `pthread_cond_signal` or `pthread_cond_broadcast` by another process.
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_cond_timedwait", man = "pthread_cond_timedwait(3)")]
fn returns_when_signalled_before_the_deadline(
    #[values(SharedCondition::signal, SharedCondition::broadcast)] notify: fn(&SharedCondition) -> Result<(), Errno>,
    kind: Kind,
) -> Outcome {
    let Scene { mutex, condition } = Scene::new(kind)?;
    let waiter = waiter(&mutex, &condition, far_deadline()?)?;
    waiter.until_blocked()?;
    expect_eq!(mutex.lock(), Ok(()));
    mutex.word(0).store(1, SeqCst);
    expect_eq!([mutex.unlock(), notify(&condition)], [Ok(()); 2]);
    expect_eq!((waiter.join()?, lock_unlock(&mutex)), ([Ok(()); 2], BOTH_OK));
    Ok(())
}

/// If another process owns the mutex when the deadline of `pthread_cond_timedwait` passes, the waiter stays blocked. After
/// `pthread_mutex_unlock` by that process, `pthread_cond_timedwait` fails with `ETIMEDOUT`, and `pthread_mutex_unlock` by the
/// waiter returns 0.
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_cond_timedwait", man = "pthread_cond_timedwait(3)")]
fn relocks_the_mutex_before_it_reports_etimedout(kind: Kind) -> Outcome {
    for milliseconds in [2, 20, 200, 2000] {
        let Scene { mutex, condition } = Scene::new(kind)?;
        let until = Clock::Realtime.after(Duration::from_millis(milliseconds))?;
        let waiter = waiter(&mutex, &condition, until)?;
        expect_eq!(mutex.lock(), Ok(()));
        if Time::now(Clock::Realtime)? >= until {
            // This process was too slow to lock the mutex before the deadline.
            continue;
        }
        let mut pause = Pause::default();
        while Time::now(Clock::Realtime)? <= until {
            pause.sleep();
        }
        expect_eq!(waiter.until_settled()?, Settled::Blocked);
        expect_eq!((mutex.unlock(), waiter.join()?), (Ok(()), [Err(ETIMEDOUT), Ok(())]));
        return Ok(());
    }
    Err(ETIMEDOUT.into())
}

/// If `pthread_cond_timedwait` has failed with `ETIMEDOUT` in one process while another is still blocked in it, the next
/// `pthread_cond_signal` makes `pthread_cond_timedwait` return 0 in the other.
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_timedwait(3)")]
fn timed_out_waiter_takes_no_signal() -> Outcome {
    let Scene { mutex, condition } = Scene::new(Kind::Normal)?;
    let expired = waiter(&mutex, &condition, PAST)?;
    expect_eq!(expired.join()?, [Err(ETIMEDOUT), Ok(())]);
    mutex.word(1).store(0, SeqCst);
    let remaining = waiter(&mutex, &condition, far_deadline()?)?;
    remaining.until_blocked()?;
    mutex.word(1).store(0, SeqCst);
    let expired = waiter(&mutex, &condition, Clock::Realtime.after(Duration::from_millis(1))?)?;
    expect_eq!(expired.join()?, [Err(ETIMEDOUT), Ok(())]);
    remaining.expect_still_blocked()?;
    expect_eq!(mutex.lock(), Ok(()));
    mutex.word(0).store(1, SeqCst);
    expect_eq!([mutex.unlock(), condition.signal()], [Ok(()); 2]);
    expect_eq!(remaining.join()?, [Ok(()); 2]);
    Ok(())
}
