//! `sem_timedwait`: past, far and invalid deadlines, posts, and waiters that are interrupted, stopped or killed. Other clocks are in
//! `clockwait`.

use std::time::Duration;

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, Waiters, named_and_unnamed};

/// The time on `CLOCK_REALTIME` so far from now.
fn from_now(duration: Duration) -> Result<TimeSpec, Errno> {
    Ok(clock_gettime(ClockId::CLOCK_REALTIME)? + TimeSpec::from(duration))
}

/// A deadline that does not come while a case runs.
fn far() -> Result<TimeSpec, Errno> {
    from_now(Duration::from_secs(100_000))
}

/// A deadline that comes soon.
fn soon() -> Result<TimeSpec, Errno> {
    from_now(Duration::from_millis(15))
}

/// A process that catches `SIGUSR1` and is blocked in `sem_timedwait` with a far deadline.
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

/// At value 0, `sem_timedwait` with a deadline that had passed before the call fails with `ETIMEDOUT`, and the value stays 0.
#[apply(named_and_unnamed)]
#[case::after_the_epoch(TimeSpec::new(1, 0))]
#[case::at_the_epoch(TimeSpec::new(0, 0))]
#[case::before_the_epoch(TimeSpec::new(-1, 0))]
#[case::largest_nanoseconds(TimeSpec::new(1_000, 999_999_999))]
#[conformance::test(posix = "sem_timedwait", man = "sem_wait(3)")]
fn past_deadline_fails_with_etimedout(#[case] deadline: TimeSpec, kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    expect_eq!([(); 2].map(|()| semaphore.timed_wait(deadline)), [Err(ETIMEDOUT); 2]);
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// At a value above 0, `sem_timedwait` with a deadline that had passed before the call returns 0 and decrements the value by 1.
#[apply(named_and_unnamed)]
#[case::after_the_epoch(TimeSpec::new(1, 0))]
#[case::at_the_epoch(TimeSpec::new(0, 0))]
#[case::before_the_epoch(TimeSpec::new(-1, 0))]
#[conformance::test(posix = "sem_timedwait", man = "sem_wait(3)")]
fn past_deadline_decrements_a_positive_value(#[case] deadline: TimeSpec, kind: Kind) -> Outcome {
    let semaphore = kind.create(2)?;
    expect_eq!((semaphore.timed_wait(deadline), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// At value 0, `sem_timedwait` with a deadline whose `tv_nsec` is -1 or 1000000000 fails with `EINVAL`, and the value stays 0.
#[apply(named_and_unnamed)]
#[case::one_second(1_000_000_000)]
#[case::negative(-1)]
#[conformance::test(posix = "sem_timedwait", man = "sem_wait(3)")]
fn invalid_nanoseconds_fail_with_einval(#[case] nanoseconds: i64, #[values(0, 4_000_000_000)] seconds: i64, kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    expect_eq!(semaphore.timed_wait(TimeSpec::new(seconds, nanoseconds)), Err(EINVAL));
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// At a value above 0, `sem_timedwait` with a deadline whose `tv_nsec` is -1 or 1000000000 returns 0 and decrements the value.
/// `sem_wait(3)` says that the deadline is not checked in this case; POSIX leaves the check open.
#[apply(named_and_unnamed)]
#[case::one_second(1_000_000_000)]
#[case::negative(-1)]
#[conformance::test(man = "sem_wait(3)")]
fn invalid_nanoseconds_decrement_a_positive_value(#[case] nanoseconds: i64, kind: Kind) -> Outcome {
    let semaphore = kind.create(2)?;
    expect_eq!((semaphore.timed_wait(TimeSpec::new(0, nanoseconds)), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// At value 0, `sem_timedwait` with a future deadline fails with `ETIMEDOUT` when `CLOCK_REALTIME` has reached the deadline, and
/// not earlier. The value stays 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_timedwait", man = "sem_wait(3)")]
fn expires_at_the_deadline(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = soon()?;
    expect_eq!(semaphore.timed_wait(deadline), Err(ETIMEDOUT));
    let now = clock_gettime(ClockId::CLOCK_REALTIME)?;
    expect!(now >= deadline, "returned at {now}, before the deadline {deadline}");
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// If a process is blocked in `sem_timedwait` with a deadline far ahead, `sem_timedwait` returns 0 after a `sem_post` by another
/// process, and the value is 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_timedwait", posix = "sem_post")]
fn post_wakes_a_waiter_before_its_deadline(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = blocked(&semaphore, Restart::No)?;
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// At value 0, `sem_timedwait` with the largest `tv_sec` and `tv_nsec` 999999999 as its deadline blocks until a `sem_post`, and
/// returns 0 then.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_timedwait")]
fn largest_deadline_blocks(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked_in(1, || semaphore.timed_wait(TimeSpec::new(i64::MAX, 999_999_999)))?;
    expect_eq!((waiters.still_blocked(), semaphore.post(), waiters.next_woken(1)), (Ok(1), Ok(()), Ok(vec![0])));
    let [waiter] = <[_; 1]>::try_from(waiters.participants).expect("one waiter");
    expect_eq!((waiter.join()?, semaphore.drain()), (Ok(()), Ok(0)));
    Ok(())
}

/// If three processes are blocked in `sem_timedwait` with a deadline far ahead, each `sem_post` wakes exactly one of them, and
/// `sem_trywait` fails with `EAGAIN` after each.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_timedwait", posix = "sem_post")]
fn each_post_wakes_one_waiter(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = far()?;
    let waiters = Waiters::blocked_in(3, || semaphore.timed_wait(deadline))?;
    for left in [2, 1, 0] {
        expect_eq!((semaphore.post(), waiters.next_woken(1).map(|woken| woken.len())), (Ok(()), Ok(1)));
        expect_eq!((waiters.still_blocked(), semaphore.try_wait()), (Ok(left), Err(EAGAIN)));
    }
    Ok(())
}

/// If two processes are blocked in `sem_timedwait` and two in `sem_wait` on one semaphore, each of four `sem_post` calls wakes
/// exactly one of the four processes.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_timedwait", posix = "sem_wait")]
fn posts_wake_timed_and_untimed_waiters(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = far()?;
    let timed = Waiters::blocked_in(2, || semaphore.timed_wait(deadline))?;
    let others = Waiters::blocked(&semaphore, 2)?;
    for posts in 1..=4 {
        expect_eq!(semaphore.post(), Ok(()));
        expect_eq!((timed.still_blocked()? + others.still_blocked()?, semaphore.try_wait()), (4 - posts, Err(EAGAIN)));
    }
    expect_eq!((timed.next_woken(2), others.next_woken(2)), (Ok(vec![0, 1]), Ok(vec![0, 1])));
    Ok(())
}

/// If one process is blocked in `sem_wait`, and `sem_timedwait` of a second process has failed with `ETIMEDOUT`, the next
/// `sem_post` wakes the first process, and a second `sem_post` makes the value 1.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_timedwait", posix = "sem_post")]
fn timed_out_waiter_takes_no_post(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let deadline = soon()?;
    let expired = Participant::spawn_inheriting("expired waiter", |_| semaphore.timed_wait(deadline))?;
    let waiters = Waiters::blocked(&semaphore, 1)?;
    expect_eq!(expired.join()?, Err(ETIMEDOUT));
    expect_eq!((waiters.still_blocked(), semaphore.post(), waiters.next_woken(1)), (Ok(1), Ok(()), Ok(vec![0])));
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// If one process is blocked in `sem_wait`, and a second process is killed while it is blocked in `sem_timedwait`, the next
/// `sem_post` wakes the first process, and a second `sem_post` makes the value 1.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_timedwait", posix = "_Exit")]
fn killed_waiter_takes_no_post(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let victim = blocked(&semaphore, Restart::No)?;
    let waiters = Waiters::blocked(&semaphore, 1)?;
    victim.kill()?;
    expect_eq!((semaphore.post(), waiters.next_woken(1)), (Ok(()), Ok(vec![0])));
    expect_eq!((semaphore.post(), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// If a process blocked in `sem_timedwait` runs a signal handler installed without `SA_RESTART`, `sem_timedwait` fails with
/// `EINTR`. A later `sem_post` makes the value 1.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_timedwait", man = "signal(7)", level = documented)]
fn handler_ends_the_wait_with_eintr(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = blocked(&semaphore, Restart::No)?;
    waiter.signal(Signal::SIGUSR1)?;
    expect_eq!((waiter.join()?, semaphore.post(), semaphore.drain()), (Err(EINTR), Ok(()), Ok(1)));
    Ok(())
}

/// After a process blocked in `sem_timedwait` has run a signal handler installed with `SA_RESTART`, the process is blocked in
/// `sem_timedwait` again. After a `sem_post`, `sem_timedwait` returns 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_timedwait", posix = "sigaction", man = "signal(7)")]
fn sa_restart_continues_the_wait(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = blocked(&semaphore, Restart::Yes)?;
    waiter.signal(Signal::SIGUSR1)?;
    let settled = waiter.until_settled()?;
    expect_eq!(semaphore.post(), Ok(()));
    expect_eq!((settled, waiter.join()?, semaphore.drain()), (Settled::Blocked, Ok(()), Ok(0)));
    Ok(())
}

/// A process that is blocked in `sem_timedwait` is blocked in `sem_timedwait` again after `SIGSTOP` and `SIGCONT`, and after a
/// second `SIGSTOP` and `SIGCONT`. After a `sem_post` before the deadline, `sem_timedwait` returns 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_timedwait", man = "signal(7)")]
fn stopped_and_continued_waiter_stays_blocked(kind: Kind) -> Outcome {
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

/// If a process blocked in `sem_timedwait` is stopped and its deadline passes before `SIGCONT`, `sem_timedwait` fails with
/// `ETIMEDOUT` after `SIGCONT`. A later `sem_post` makes the value 1.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_timedwait")]
fn deadline_passes_while_stopped(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let (deadline, waiter) = stopped_in_time(&semaphore)?;
    // Waits for nothing but the deadline itself, on its own clock.
    expect_eq!(kind.create(0)?.timed_wait(deadline), Err(ETIMEDOUT));
    waiter.resume()?;
    expect_eq!((waiter.join()?, semaphore.post(), semaphore.drain()), (Err(ETIMEDOUT), Ok(()), Ok(1)));
    Ok(())
}

/// A waiter that was stopped before its deadline. Where the machine is too busy for a near deadline, a later one is tried.
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
