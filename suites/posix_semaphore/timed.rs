//! Waiting with a deadline: it takes one that is there whatever the time, and gives up at the time and not before, having taken
//! nothing.

use std::time::Duration;

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use rstest::rstest;

use super::fixture::Kind;
use super::waiters::Waiters;

/// A time so far from now on the system's clock.
fn from_now(duration: Duration) -> Result<TimeSpec, Errno> {
    Ok(clock_gettime(ClockId::CLOCK_REALTIME)? + TimeSpec::from(duration))
}

/// A time that no case lives to see.
fn far() -> Result<TimeSpec, Errno> {
    from_now(Duration::from_secs(100_000))
}

/// A time that is soon.
fn soon() -> Result<TimeSpec, Errno> {
    from_now(Duration::from_millis(15))
}

/// A process that waits until a far time, blocked; it catches `SIGUSR1` first.
#[track_caller]
fn blocked(semaphore: &Semaphore, restart: Restart) -> Result<Participant<Result<(), Errno>>, Failure> {
    let deadline = far()?;
    let waiter = Participant::spawn_inheriting("waiter", |_| {
        signal::catch(Signal::SIGUSR1, restart)?;
        semaphore.timed_wait(deadline)
    })?;
    waiter.until_blocked()?;
    Ok(waiter)
}

/// With nothing to take, a deadline that is past fails at once with `ETIMEDOUT`, and what is posted later is there whole.
#[rstest]
#[case::of_last_century(TimeSpec::new(1, 0))]
#[case::at_the_epoch(TimeSpec::new(0, 0))]
#[case::before_the_epoch(TimeSpec::new(-1, 0))]
#[case::in_its_last_nanosecond(TimeSpec::new(1_000, 999_999_999))]
#[conformance::test(posix = "sem_timedwait", man = "sem_wait(3)")]
fn waits_are_over_at_a_past_time(#[case] deadline: TimeSpec, #[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    expect_eq!([(); 2].map(|()| semaphore.timed_wait(deadline)), [Err(ETIMEDOUT); 2]);
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// What can be taken at once is taken, however long the deadline is past.
#[rstest]
#[case::of_last_century(TimeSpec::new(1, 0))]
#[case::at_the_epoch(TimeSpec::new(0, 0))]
#[case::before_the_epoch(TimeSpec::new(-1, 0))]
#[conformance::test(posix = "sem_timedwait", man = "sem_wait(3)")]
fn waits_take_what_is_there_at_a_past_time(
    #[case] deadline: TimeSpec,
    #[values(Kind::Named, Kind::Unnamed)] kind: Kind,
) -> Outcome {
    let semaphore = kind.create(2)?;
    expect_eq!((semaphore.timed_wait(deadline), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// Nanoseconds outside of a second are refused where the call would have to wait; nothing is taken then or later.
#[rstest]
#[case::one_too_many(1_000_000_000)]
#[case::negative(-1)]
#[conformance::test(posix = "sem_timedwait", man = "sem_wait(3)")]
fn waits_refuse_a_time_that_is_none(
    #[case] nanoseconds: i64,
    #[values(0, 4_000_000_000)] seconds: i64,
    #[values(Kind::Named, Kind::Unnamed)] kind: Kind,
) -> Outcome {
    let semaphore = kind.create(0)?;
    expect_eq!(semaphore.timed_wait(TimeSpec::new(seconds, nanoseconds)), Err(EINVAL));
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// What can be taken at once is taken even if the time is none: the call never fails for the time then.
#[rstest]
#[case::one_too_many(1_000_000_000)]
#[case::negative(-1)]
#[conformance::test(posix = "sem_timedwait")]
fn waits_take_what_is_there_whatever_the_time(
    #[case] nanoseconds: i64,
    #[values(Kind::Named, Kind::Unnamed)] kind: Kind,
) -> Outcome {
    let semaphore = kind.create(2)?;
    expect_eq!((semaphore.timed_wait(TimeSpec::new(0, nanoseconds)), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// Whoever waits in vain gives up when the clock has reached the deadline, and not before, and takes nothing later.
#[rstest]
#[conformance::test(posix = "sem_timedwait", man = "sem_wait(3)")]
fn waits_end_at_their_time(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = soon()?;
    expect_eq!(semaphore.timed_wait(deadline), Err(ETIMEDOUT));
    expect!(clock_gettime(ClockId::CLOCK_REALTIME)? >= deadline);
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// A post lets a waiter go long before its deadline.
#[rstest]
#[conformance::test(posix = "sem_timedwait", posix = "sem_post")]
fn waits_end_with_a_post(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = blocked(&semaphore, Restart::No)?;
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// The largest time that can be expressed is a deadline like any other: the call waits.
#[rstest]
#[conformance::test(posix = "sem_timedwait")]
fn waits_last_to_the_end_of_time(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked_in(1, || semaphore.timed_wait(TimeSpec::new(i64::MAX, 999_999_999)))?;
    expect_eq!((waiters.asleep(), semaphore.post(), waiters.next(1)), (Ok(1), Ok(()), Ok(vec![0])));
    let [waiter] = <[_; 1]>::try_from(waiters.participants).expect("one waiter");
    expect_eq!((waiter.join()?, semaphore.drain()), (Ok(()), Ok(0)));
    Ok(())
}

/// Waiters with a deadline are let go one by one, like others.
#[rstest]
#[conformance::test(posix = "sem_timedwait", posix = "sem_post")]
fn waits_end_one_at_a_time(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = far()?;
    let waiters = Waiters::blocked_in(3, || semaphore.timed_wait(deadline))?;
    for left in [2, 1, 0] {
        expect_eq!((semaphore.post(), waiters.next(1).map(|woken| woken.len())), (Ok(()), Ok(1)));
        expect_eq!((waiters.asleep(), semaphore.try_wait()), (Ok(left), Err(EAGAIN)));
    }
    Ok(())
}

/// Waiters with a deadline and waiters without are all owed one post each.
#[rstest]
#[conformance::test(posix = "sem_timedwait", posix = "sem_wait")]
fn waits_are_let_go_beside_others(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = far()?;
    let timed = Waiters::blocked_in(2, || semaphore.timed_wait(deadline))?;
    let others = Waiters::blocked(&semaphore, 2)?;
    for posts in 1..=4 {
        expect_eq!(semaphore.post(), Ok(()));
        expect_eq!((timed.asleep()? + others.asleep()?, semaphore.try_wait()), (4 - posts, Err(EAGAIN)));
    }
    expect_eq!((timed.next(2), others.next(2)), (Ok(vec![0, 1]), Ok(vec![0, 1])));
    Ok(())
}

/// A waiter whose time is over is owed nothing: the next post goes to the one that waits still, and a second one is counted.
#[rstest]
#[conformance::test(posix = "sem_timedwait", posix = "sem_post")]
fn waits_that_are_over_take_no_post(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = soon()?;
    let early = Participant::spawn_inheriting("early", |_| semaphore.timed_wait(deadline))?;
    let waiters = Waiters::blocked(&semaphore, 1)?;
    expect_eq!(early.join()?, Err(ETIMEDOUT));
    expect_eq!((waiters.asleep(), semaphore.post(), waiters.next(1)), (Ok(1), Ok(()), Ok(vec![0])));
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// A waiter with a deadline that is killed takes nothing with it.
#[rstest]
#[conformance::test(posix = "sem_timedwait", posix = "_Exit")]
fn waits_of_the_dead_take_no_post(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let dead = blocked(&semaphore, Restart::No)?;
    let waiters = Waiters::blocked(&semaphore, 1)?;
    dead.kill()?;
    expect_eq!((semaphore.post(), waiters.next(1)), (Ok(()), Ok(vec![0])));
    expect_eq!((semaphore.post(), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// A handler without `SA_RESTART` ends the wait with `EINTR`; nothing is taken.
#[rstest]
#[conformance::test(posix = "sem_timedwait", man = "signal(7)")]
fn waits_are_ended_by_a_handler(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = blocked(&semaphore, Restart::No)?;
    waiter.signal(Signal::SIGUSR1)?;
    expect_eq!((waiter.join()?, semaphore.post(), semaphore.drain()), (Err(EINTR), Ok(()), Ok(1)));
    Ok(())
}

/// After a handler with `SA_RESTART` the wait goes on to the same deadline.
#[rstest]
#[conformance::test(posix = "sem_timedwait", posix = "sigaction", man = "signal(7)")]
fn waits_go_on_after_a_restarting_handler(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = blocked(&semaphore, Restart::Yes)?;
    waiter.signal(Signal::SIGUSR1)?;
    let settled = waiter.until_settled()?;
    expect_eq!(semaphore.post(), Ok(()));
    expect_eq!((settled, waiter.join()?, semaphore.drain()), (Settled::Blocked, Ok(()), Ok(0)));
    Ok(())
}

/// Stopped and continued, a waiter with a deadline sleeps on, and takes the next post.
#[rstest]
#[conformance::test(posix = "sem_timedwait", man = "signal(7)")]
fn waits_go_on_after_a_stop(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = blocked(&semaphore, Restart::No)?;
    for _ in 0..2 {
        waiter.stop()?;
        waiter.resume()?;
        expect_eq!(waiter.until_settled(), Ok(Settled::Blocked));
    }
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// A waiter whose deadline passes while it is stopped gives up when it is continued; a stop puts nothing off.
#[rstest]
#[conformance::test(posix = "sem_timedwait")]
fn waits_are_not_put_off_by_a_stop(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let (deadline, waiter) = stopped_in_time(&semaphore)?;
    // Only the passing of the time itself is waited for, on the clock that the deadline is on.
    expect_eq!(kind.create(0)?.timed_wait(deadline), Err(ETIMEDOUT));
    waiter.resume()?;
    expect_eq!((waiter.join()?, semaphore.post(), semaphore.drain()), (Err(ETIMEDOUT), Ok(()), Ok(1)));
    Ok(())
}

/// A deadline that a waiter was stopped before: one that is too near for a busy machine is followed by one that is less near.
fn stopped_in_time(semaphore: &Semaphore) -> Result<(TimeSpec, Participant<Result<(), Errno>>), Errno> {
    let mut ahead = Duration::from_millis(20);
    loop {
        let deadline = from_now(ahead)?;
        let waiter = Participant::spawn_inheriting("waiter", |_| semaphore.timed_wait(deadline))?;
        match waiter.stop() {
            Ok(()) => return Ok((deadline, waiter)),
            Err(ECHILD) => ahead *= 2,
            Err(other) => return Err(other),
        }
    }
}
