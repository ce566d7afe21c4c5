//! `sem_clockwait`: deadlines on `CLOCK_REALTIME` and `CLOCK_MONOTONIC`, other clocks, and invalid times.

use std::time::Duration;

use conformance::prelude::*;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, Waiters, named_and_unnamed};

const REALTIME: ClockId = ClockId::CLOCK_REALTIME;
const MONOTONIC: ClockId = ClockId::CLOCK_MONOTONIC;

fn from_now(clock: ClockId, duration: Duration) -> Result<TimeSpec, Errno> {
    Ok(clock_gettime(clock)? + TimeSpec::from(duration))
}

/// `sem_clockwait` with a deadline that had passed on the clock of its argument before the call returns 0 and decrements a value
/// above 0. At value 0, `sem_clockwait` with such a deadline fails with `ETIMEDOUT`, and the value stays 0.
#[apply(named_and_unnamed)]
#[case::realtime(REALTIME)]
#[case::monotonic(MONOTONIC)]
#[conformance::test(posix = "sem_clockwait")]
fn past_deadline_decrements_or_times_out(#[case] clock: ClockId, kind: Kind) -> Outcome {
    let semaphore = kind.create(1)?;
    let now = clock_gettime(clock)?;
    expect_eq!([(); 2].map(|()| semaphore.clock_wait(clock, now)), [Ok(()), Err(ETIMEDOUT)]);
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// At value 0, `sem_clockwait` with a future deadline on `CLOCK_REALTIME` or `CLOCK_MONOTONIC` fails with `ETIMEDOUT` when this
/// clock has reached the deadline, and not earlier.
#[apply(named_and_unnamed)]
#[case::realtime(REALTIME)]
#[case::monotonic(MONOTONIC)]
#[conformance::test(posix = "sem_clockwait")]
fn expires_on_the_given_clock(#[case] clock: ClockId, kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = from_now(clock, Duration::from_millis(10))?;
    expect_eq!(semaphore.clock_wait(clock, deadline), Err(ETIMEDOUT));
    let now = clock_gettime(clock)?;
    expect!(now >= deadline, "returned at {now}, before the deadline {deadline}");
    expect_eq!((semaphore.post(), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// At value 0 and with the current time of `CLOCK_REALTIME` as the deadline, `sem_clockwait` with `CLOCK_REALTIME` fails with
/// `ETIMEDOUT`. With `CLOCK_MONOTONIC` and the same deadline, `sem_clockwait` stays blocked until a `sem_post`, and returns 0
/// then.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_clockwait")]
fn realtime_and_monotonic_deadlines_differ(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let now = clock_gettime(REALTIME)?;
    // No machine has run since 1970, so that the same number is far ahead on the other clock.
    expect_eq!(semaphore.clock_wait(REALTIME, now), Err(ETIMEDOUT));
    let waiters = Waiters::blocked_in(1, || semaphore.clock_wait(MONOTONIC, now))?;
    expect_eq!((waiters.still_blocked(), semaphore.post(), waiters.next_woken(1)), (Ok(1), Ok(()), Ok(vec![0])));
    expect_eq!(semaphore.drain(), Ok(0));
    Ok(())
}

/// If two processes are blocked in `sem_clockwait` with a deadline far ahead on `CLOCK_REALTIME` or `CLOCK_MONOTONIC`, each of
/// two `sem_post` calls makes `sem_clockwait` return 0 in exactly one of them.
#[apply(named_and_unnamed)]
#[case::realtime(REALTIME)]
#[case::monotonic(MONOTONIC)]
#[conformance::test(posix = "sem_clockwait", posix = "sem_post")]
fn each_post_wakes_one_waiter(#[case] clock: ClockId, kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = from_now(clock, Duration::from_secs(100_000))?;
    let waiters = Waiters::blocked_in(2, || semaphore.clock_wait(clock, deadline))?;
    expect_eq!((semaphore.post(), waiters.next_woken(1).map(|woken| woken.len()), waiters.still_blocked()), (Ok(()), Ok(1), Ok(1)));
    expect_eq!((semaphore.post(), waiters.next_woken(1).map(|woken| woken.len()), semaphore.drain()), (Ok(()), Ok(1), Ok(0)));
    Ok(())
}

/// At value 0, `sem_clockwait` with the unknown clock 1000 or -1 fails with `EINVAL`, and the value stays 0.
#[apply(named_and_unnamed)]
#[case::large(ClockId::from_raw(1000))]
#[case::negative(ClockId::from_raw(-1))]
#[conformance::test(posix = "sem_clockwait")]
fn rejects_an_unknown_clock(#[case] clock: ClockId, kind: Kind) -> Outcome {
    fails_with_einval(clock, kind)
}

/// At value 0, `sem_clockwait` with `CLOCK_PROCESS_CPUTIME_ID`, `CLOCK_THREAD_CPUTIME_ID` or `CLOCK_BOOTTIME` fails with
/// `EINVAL`, and the value stays 0.
#[apply(named_and_unnamed)]
#[case::process_cpu_time(ClockId::CLOCK_PROCESS_CPUTIME_ID)]
#[case::thread_cpu_time(ClockId::CLOCK_THREAD_CPUTIME_ID)]
#[case::boot_time(ClockId::CLOCK_BOOTTIME)]
#[conformance::test(posix = "sem_clockwait", level = customary)]
fn rejects_cpu_time_and_boot_time_clocks(#[case] clock: ClockId, kind: Kind) -> Outcome {
    fails_with_einval(clock, kind)
}

fn fails_with_einval(clock: ClockId, kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    expect_eq!(semaphore.clock_wait(clock, TimeSpec::new(1, 0)), Err(EINVAL));
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

const NEGATIVE: i64 = -1;
const ONE_SECOND: i64 = 1_000_000_000;

/// At value 0, `sem_clockwait` with a deadline whose `tv_nsec` is -1 or 1000000000 fails with `EINVAL`, for `CLOCK_REALTIME` and
/// for `CLOCK_MONOTONIC`. The value stays 0.
#[rstest]
#[case::realtime(REALTIME)]
#[case::monotonic(MONOTONIC)]
#[conformance::test(posix = "sem_clockwait")]
fn rejects_invalid_nanoseconds(#[case] clock: ClockId, #[values(NEGATIVE, ONE_SECOND)] nanoseconds: i64) -> Outcome {
    let semaphore = Kind::Unnamed.create(0)?;
    let deadline = TimeSpec::new(clock_gettime(clock)?.tv_sec() + 1000, nanoseconds);
    expect_eq!((semaphore.clock_wait(clock, deadline), semaphore.drain()), (Err(EINVAL), Ok(0)));
    Ok(())
}
