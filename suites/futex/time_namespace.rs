//! Time namespaces: timeouts of a process whose `CLOCK_MONOTONIC` is ahead of the initial namespace's.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{ANY, Fourth, Place, Waiter, futex, lock_pi, op, wait_bitset, wait_for, wait_requeue_pi, waitv};
use conformance::sys::time::{Clock, Time};
use nix::sched::{CloneFlags, unshare};
use rstest::rstest;

use super::fixture::{check_supported, words};

/// How far the clock of the namespace is ahead of the initial namespace's, in seconds.
const AHEAD: i64 = 1_000_000;

/// Runs `body` in a process of a time namespace whose `CLOCK_MONOTONIC` is ahead.
fn ahead(body: impl FnOnce() -> Outcome) -> Outcome {
    let (report, report_writer) = pipe()?;
    let before = Time::now(Clock::Monotonic)?;
    let creator = Participant::spawn("creator of the namespace", report_writer, |report_writer, _| {
        if let Err(errno) = unshare(CloneFlags::from_bits_retain(0x80)) {
            return Err(Errno::from(errno));
        }
        std::fs::write("/proc/self/timens_offsets", format!("monotonic {AHEAD} 0"))?;
        let member = Participant::spawn("member of the namespace", (), |(), _| {
            let ahead = Time::now(Clock::Monotonic)?.has_come(before.plus(AHEAD));
            if ahead { Ok::<_, Errno>(body().map_err(|failure| failure.finding.message)) } else { Err(ENOSYS) }
        })?;
        let failure = member.join().map_err(|_| EIO)??;
        write_all(report_writer, failure.err().unwrap_or_default().as_bytes())
    })?;
    expect_eq!(creator.join()?, Ok(()));
    expect_eq!(String::from_utf8_lossy(&read_to_end(&report)?), "");
    Ok(())
}

/// In a time namespace whose `CLOCK_MONOTONIC` is ahead of the initial one, `FUTEX_WAIT_BITSET` and `FUTEX_WAIT_REQUEUE_PI` with
/// an absolute timeout on `CLOCK_MONOTONIC`, already passed at the call or 5 ms in the future, fail with `ETIMEDOUT`, and not
/// before that clock, as read in the namespace, reaches the timeout.
#[conformance::test(man = "futex(2)", man = "time_namespaces(7)", needs(CAP_SYS_ADMIN, file("/proc/self/ns/time_for_children")))]
fn absolute_timeout_uses_the_namespace_clock() -> Outcome {
    ahead(|| {
        let words = words()?;
        let now = Time::now(Clock::Monotonic)?;
        for end in [now.earlier(), now.plus_milliseconds(5)] {
            expect_eq!(wait_bitset(words.word(0), 0, ANY, Some((Clock::Monotonic, end))), Err(ETIMEDOUT));
            expect!(Time::now(Clock::Monotonic)?.has_come(end), "the call returned before its timeout expired");
            expect_eq!(wait_requeue_pi(words.word(0), 0, Some((Clock::Monotonic, end)), words.word(1)), Err(ETIMEDOUT));
            expect_eq!(wait_bitset(words.word(0), 0, ANY, Some((Clock::Realtime, Time::now(Clock::Realtime)?))), Err(ETIMEDOUT));
        }
        Ok(())
    })
}

/// In a time namespace whose `CLOCK_MONOTONIC` is ahead of the initial one, `futex_waitv` with an absolute timeout on
/// `CLOCK_MONOTONIC` 5 ms in the future fails with `ETIMEDOUT`, and not before that clock, as read in the namespace, reaches the
/// timeout.
#[conformance::test(
    man = "futex_waitv(2)",
    man = "time_namespaces(7)",
    needs(CAP_SYS_ADMIN, file("/proc/self/ns/time_for_children"))
)]
fn waitv_timeout_uses_the_namespace_clock() -> Outcome {
    if conformance::sys::futex::is_missing(&waitv(&[], 0, None)) {
        unsupported!("futex_waitv", ENOSYS);
    }
    ahead(|| {
        let words = words()?;
        let end = Time::now(Clock::Monotonic)?.plus_milliseconds(5);
        expect_eq!(waitv(&[Waiter::new(words.word(0), 0)], 0, Some((Clock::Monotonic, end))), Err(ETIMEDOUT));
        expect!(Time::now(Clock::Monotonic)?.has_come(end), "the call returned before its timeout expired");
        Ok(())
    })
}

/// In a time namespace whose `CLOCK_MONOTONIC` is ahead of the initial one, `FUTEX_WAIT` with a relative timeout of 5 ms fails
/// with `ETIMEDOUT`, and not before `CLOCK_MONOTONIC` has advanced by 5 ms.
#[conformance::test(man = "futex(2)", man = "time_namespaces(7)", needs(CAP_SYS_ADMIN, file("/proc/self/ns/time_for_children")))]
fn relative_timeout_ignores_the_clock_offset() -> Outcome {
    ahead(|| {
        let words = words()?;
        let end = Time::now(Clock::Monotonic)?.plus_milliseconds(5);
        expect_eq!(wait_for(words.word(0), 0, Time::new(0, 5_000_000)), Err(ETIMEDOUT));
        expect!(Time::now(Clock::Monotonic)?.has_come(end), "the call returned before its timeout expired");
        Ok(())
    })
}

/// In a time namespace whose `CLOCK_MONOTONIC` is ahead of the initial one, `FUTEX_LOCK_PI` with an absolute timeout 5 ms in the
/// future on `CLOCK_REALTIME`, and `FUTEX_LOCK_PI2` with one on `CLOCK_MONOTONIC` or `CLOCK_REALTIME`, fail with `ETIMEDOUT` on a
/// lock that another process owns, and not before the clock, as read in the namespace, reaches the timeout.
#[rstest]
#[case::lock_pi(op::LOCK_PI, Clock::Realtime)]
#[case::lock_pi2_monotonic(op::LOCK_PI2, Clock::Monotonic)]
#[case::lock_pi2_realtime(op::LOCK_PI2 | op::CLOCK_REALTIME, Clock::Realtime)]
#[conformance::test(man = "futex(2)", man = "time_namespaces(7)", needs(CAP_SYS_ADMIN, file("/proc/self/ns/time_for_children")))]
fn lock_timeout_uses_its_clock(#[case] operation: u32, #[case] clock: Clock) -> Outcome {
    check_supported(operation)?;
    let words = words()?;
    expect_eq!(lock_pi(words.word(0)), Ok(()));
    ahead(|| {
        let end = Time::now(clock)?.plus_milliseconds(5);
        expect_eq!(futex(words.word(0), operation, 0, Fourth::Timeout(end), Place::NULL, 0), Err(ETIMEDOUT));
        expect!(Time::now(clock)?.has_come(end), "the call returned before its timeout expired");
        Ok(())
    })?;
    expect_eq!(words.word(0).load(SeqCst) & conformance::sys::futex::TID, conformance::sys::futex::own_id());
    Ok(())
}
