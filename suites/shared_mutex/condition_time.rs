//! Timed waiting: on the clock that was chosen, not a moment less, and with the mutex held whatever comes of it.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread::SharedMutex;
use conformance::sys::pthread_condition::SharedCondition;
use conformance::sys::pthread_time::{Clock, Time};
use rstest::rstest;

use super::fixture::{FAR_AWAY, Kind, WELL, turn};

const LONG_AGO: Time = Time { seconds: 0, nanoseconds: 0 };

fn scene(kind: Kind) -> Result<(SharedMutex, SharedCondition), Errno> {
    Ok((kind.mutex()?, SharedCondition::create(Mapping::anonymous(page_size())?)?))
}

/// Another process's attempt to lock.
fn for_another(mutex: &SharedMutex) -> Result<Result<(), Errno>, Failure> {
    Participant::spawn("other", (), |(), _| mutex.try_lock().and_then(|()| mutex.unlock()))?.join()
}

/// Waiting until a time that is past ends with that, and with the mutex held.
#[rstest]
#[conformance::test(posix = "pthread_cond_timedwait", man = "pthread_cond_timedwait(3)")]
fn gives_up_at_once_when_the_time_is_past(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let (mutex, condition) = scene(kind)?;
    expect_eq!([mutex.lock(), condition.timed_wait(&mutex, LONG_AGO)], [Ok(()), Err(ETIMEDOUT)]);
    expect_eq!(
        (for_another(&mutex)?, condition.timed_wait(&mutex, LONG_AGO), mutex.unlock()),
        (Err(EBUSY), Err(ETIMEDOUT), Ok(()))
    );
    expect_eq!((for_another(&mutex)?, condition.signal()), (Ok(()), Ok(())));
    Ok(())
}

/// A time that there is not is refused, and the mutex was never given up.
#[rstest]
#[case::negative(-1)]
#[case::a_whole_second(1_000_000_000)]
#[case::far_too_many(i64::from(i32::MAX))]
#[conformance::test(posix = "pthread_cond_timedwait", man = "pthread_cond_timedwait(3)")]
fn refuses_a_time_that_there_is_not(#[case] nanoseconds: i64) -> Outcome {
    let (mutex, condition) = scene(Kind::ErrorChecking)?;
    let never = Time { nanoseconds, ..Clock::Realtime.after(FAR_AWAY)? };
    expect_eq!([mutex.lock(), condition.timed_wait(&mutex, never)], [Ok(()), Err(EINVAL)]);
    expect_eq!((for_another(&mutex)?, mutex.unlock(), for_another(&mutex)?), (Err(EBUSY), Ok(()), Ok(())));
    Ok(())
}

/// A wait that nobody ends is over when its time has come on the condition variable's clock, and not before.
#[cfg(has_timed_locks)]
#[rstest]
#[conformance::test(posix = "pthread_condattr_setclock", man = "pthread_cond_timedwait(3)")]
fn goes_by_the_clock_of_the_condition(#[values(Clock::Realtime, Clock::Monotonic)] clock: Clock) -> Outcome {
    let mutex = Kind::ErrorChecking.mutex()?;
    let condition = SharedCondition::create_with(Mapping::anonymous(page_size())?, |attributes| attributes.set_clock(clock.id()))?;
    let until = clock.after(Duration::from_millis(2))?;
    expect_eq!(mutex.lock(), Ok(()));
    let mut waited = Ok(());
    while waited.is_ok() {
        waited = condition.timed_wait(&mutex, until);
    }
    let now = clock.now()?;
    expect_eq!((waited, mutex.unlock()), (Err(ETIMEDOUT), Ok(())));
    expect!(now >= until, "it gave up at {now:?}, before {until:?}");
    Ok(())
}

/// A wait on the clock that it names is over at that clock's time, whichever clock the condition variable has.
#[cfg(has_clock_locks)]
#[rstest]
#[conformance::test(man = "pthread_cond_clockwait(3)")]
fn goes_by_the_clock_it_names(
    #[values(Clock::Realtime, Clock::Monotonic)] own: Clock,
    #[values(Clock::Realtime, Clock::Monotonic)] named: Clock,
) -> Outcome {
    let mutex = Kind::ErrorChecking.mutex()?;
    let condition = SharedCondition::create_with(Mapping::anonymous(page_size())?, |attributes| attributes.set_clock(own.id()))?;
    let until = named.after(Duration::from_millis(2))?;
    expect_eq!(mutex.lock(), Ok(()));
    let mut waited = Ok(());
    while waited.is_ok() {
        waited = condition.clock_wait(&mutex, named.id(), until);
    }
    let now = named.now()?;
    expect_eq!(waited, Err(ETIMEDOUT));
    expect!(now >= until, "it gave up at {now:?}, before {until:?}");
    let clocks = [conformance::sys::pthread_time::PROCESSOR_TIME, 4711];
    expect_eq!(clocks.map(|clock| condition.clock_wait(&mutex, clock, until)), [Err(EINVAL); 2]);
    expect_eq!([mutex.unlock(), mutex.unlock()], [Ok(()), Err(EPERM)]);
    Ok(())
}

/// A participant that waits until there is something in the word, or the time has come; whether it was in time.
fn waiter(mutex: &SharedMutex, condition: &SharedCondition, until: Time) -> Result<Participant<[Result<(), Errno>; 2]>, Failure> {
    let waiter = Participant::spawn("waiter", (), |(), _| {
        mutex.lock().expect("nobody holds the mutex for ever");
        mutex.word(1).store(1, SeqCst);
        let mut waited = Ok(());
        while mutex.word(0).load(SeqCst) == 0 && waited.is_ok() {
            waited = condition.timed_wait(mutex, until);
        }
        [waited, mutex.unlock()]
    })?;
    while mutex.word(1).load(SeqCst) == 0 {
        Pause::default().sleep();
    }
    Ok(waiter)
}

/// A wait with time left is ended by a signal, and by a broadcast.
#[rstest]
#[conformance::test(posix = "pthread_cond_timedwait", man = "pthread_cond_timedwait(3)")]
fn ends_in_time(
    #[values(SharedCondition::signal, SharedCondition::broadcast)] notify: fn(&SharedCondition) -> Result<(), Errno>,
    #[values(Kind::Normal, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let (mutex, condition) = scene(kind)?;
    let waiter = waiter(&mutex, &condition, Clock::Realtime.after(FAR_AWAY)?)?;
    waiter.until_blocked()?;
    expect_eq!(mutex.lock(), Ok(()));
    mutex.word(0).store(1, SeqCst);
    expect_eq!([mutex.unlock(), notify(&condition)], [Ok(()); 2]);
    expect_eq!((waiter.join()?, turn(&mutex)), ([Ok(()); 2], WELL));
    Ok(())
}

/// One whose time has come takes the mutex again before it returns, however long another holds it.
#[rstest]
#[conformance::test(posix = "pthread_cond_timedwait", man = "pthread_cond_timedwait(3)")]
fn waits_for_the_mutex_after_its_time(#[values(Kind::Normal, Kind::Inheriting)] kind: Kind) -> Outcome {
    for milliseconds in [2, 20, 200, 2000] {
        let (mutex, condition) = scene(kind)?;
        let until = Clock::Realtime.after(Duration::from_millis(milliseconds))?;
        let waiter = waiter(&mutex, &condition, until)?;
        expect_eq!(mutex.lock(), Ok(()));
        if Clock::Realtime.now()? >= until {
            // This process was not fast enough to hold the mutex in time.
            continue;
        }
        while Clock::Realtime.now()? <= until {
            Pause::default().sleep();
        }
        expect_eq!(waiter.until_settled()?, Settled::Blocked);
        expect_eq!((mutex.unlock(), waiter.join()?), (Ok(()), [Err(ETIMEDOUT), Ok(())]));
        return Ok(());
    }
    Err(ETIMEDOUT.into())
}

/// One who has given up is not counted any more: the next signal is for one who still waits.
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_timedwait(3)")]
fn is_followed_by_signals_for_the_others() -> Outcome {
    let (mutex, condition) = scene(Kind::Normal)?;
    let late = waiter(&mutex, &condition, LONG_AGO)?;
    expect_eq!(late.join()?, [Err(ETIMEDOUT), Ok(())]);
    mutex.word(1).store(0, SeqCst);
    let patient = waiter(&mutex, &condition, Clock::Realtime.after(FAR_AWAY)?)?;
    patient.until_blocked()?;
    mutex.word(1).store(0, SeqCst);
    let late = waiter(&mutex, &condition, Clock::Realtime.after(Duration::from_millis(1))?)?;
    expect_eq!(late.join()?, [Err(ETIMEDOUT), Ok(())]);
    patient.expect_still_blocked()?;
    expect_eq!(mutex.lock(), Ok(()));
    mutex.word(0).store(1, SeqCst);
    expect_eq!([mutex.unlock(), condition.signal()], [Ok(()); 2]);
    expect_eq!(patient.join()?, [Ok(()); 2]);
    Ok(())
}
