//! Waiting with a deadline on a clock of one's choice (`sem_clockwait`): the two clocks are not taken for one another.

use std::time::Duration;

use conformance::prelude::*;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use rstest::rstest;

use super::fixture::Kind;
use super::waiters::Waiters;

const REALTIME: ClockId = ClockId::CLOCK_REALTIME;
const MONOTONIC: ClockId = ClockId::CLOCK_MONOTONIC;

fn from_now(clock: ClockId, duration: Duration) -> Result<TimeSpec, Errno> {
    Ok(clock_gettime(clock)? + TimeSpec::from(duration))
}

/// A deadline that is past on its clock is over at once, and takes what is there all the same.
#[rstest]
#[case::of_the_day(REALTIME)]
#[case::monotonic(MONOTONIC)]
#[conformance::test(posix = "sem_clockwait")]
fn is_over_at_a_past_time(#[case] clock: ClockId, #[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(1)?;
    let now = clock_gettime(clock)?;
    expect_eq!([(); 2].map(|()| semaphore.clock_wait(clock, now)), [Ok(()), Err(ETIMEDOUT)]);
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// A deadline on a clock is reached on that clock, and not before.
#[rstest]
#[case::of_the_day(REALTIME)]
#[case::monotonic(MONOTONIC)]
#[conformance::test(posix = "sem_clockwait")]
fn is_the_one_that_the_time_is_on(#[case] clock: ClockId, #[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = from_now(clock, Duration::from_millis(10))?;
    expect_eq!(semaphore.clock_wait(clock, deadline), Err(ETIMEDOUT));
    expect!(clock_gettime(clock)? >= deadline);
    expect_eq!((semaphore.post(), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// The same number is long past as a time of the day and far ahead since the start of the machine.
#[rstest]
#[conformance::test(posix = "sem_clockwait")]
fn decides_what_a_number_means(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let now = clock_gettime(REALTIME)?;
    // A machine that has run since 1970 does not exist.
    expect_eq!(semaphore.clock_wait(REALTIME, now), Err(ETIMEDOUT));
    let waiters = Waiters::blocked_in(1, || semaphore.clock_wait(MONOTONIC, now))?;
    expect_eq!((waiters.asleep(), semaphore.post(), waiters.next(1)), (Ok(1), Ok(()), Ok(vec![0])));
    expect_eq!(semaphore.drain(), Ok(0));
    Ok(())
}

/// A post lets a waiter go before a far deadline, on either clock.
#[rstest]
#[case::of_the_day(REALTIME)]
#[case::monotonic(MONOTONIC)]
#[conformance::test(posix = "sem_clockwait", posix = "sem_post")]
fn is_forgotten_with_a_post(#[case] clock: ClockId, #[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = from_now(clock, Duration::from_secs(100_000))?;
    let waiters = Waiters::blocked_in(2, || semaphore.clock_wait(clock, deadline))?;
    expect_eq!((semaphore.post(), waiters.next(1).map(|woken| woken.len()), waiters.asleep()), (Ok(()), Ok(1), Ok(1)));
    expect_eq!((semaphore.post(), waiters.next(1).map(|woken| woken.len()), semaphore.drain()), (Ok(()), Ok(1), Ok(0)));
    Ok(())
}

/// A clock that cannot be waited on is refused where the call would have to wait, and takes nothing.
#[rstest]
#[case::of_the_process(ClockId::CLOCK_PROCESS_CPUTIME_ID)]
#[case::of_the_thread(ClockId::CLOCK_THREAD_CPUTIME_ID)]
#[case::since_start_with_sleep(ClockId::CLOCK_BOOTTIME)]
#[case::unknown(ClockId::from_raw(1000))]
#[case::negative(ClockId::from_raw(-1))]
#[conformance::test(posix = "sem_clockwait")]
fn is_refused_where_it_is_no_clock_for_waiting(
    #[case] clock: ClockId,
    #[values(Kind::Named, Kind::Unnamed)] kind: Kind,
) -> Outcome {
    let semaphore = kind.create(0)?;
    expect_eq!(semaphore.clock_wait(clock, TimeSpec::new(1, 0)), Err(EINVAL));
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// Nanoseconds outside of a second are refused on either clock.
#[rstest]
#[case::of_the_day(REALTIME)]
#[case::monotonic(MONOTONIC)]
#[conformance::test(posix = "sem_clockwait")]
fn has_no_more_nanoseconds_than_a_second(#[case] clock: ClockId, #[values(-1, 1_000_000_000)] nanoseconds: i64) -> Outcome {
    let semaphore = Kind::Unnamed.create(0)?;
    let deadline = TimeSpec::new(clock_gettime(clock)?.tv_sec() + 1000, nanoseconds);
    expect_eq!((semaphore.clock_wait(clock, deadline), semaphore.drain()), (Err(EINVAL), Ok(0)));
    Ok(())
}
