//! Signals during `FUTEX_WAIT`, `FUTEX_WAIT_BITSET` and `FUTEX_LOCK_PI`: handlers with and without `SA_RESTART`, ignored and
//! blocked signals, stop and continue. `futex_waitv` and `FUTEX_WAIT_REQUEUE_PI` have topics of their own.

use std::sync::atomic::Ordering::SeqCst;

use conformance::outcome::{CaseResult, Cause};
use conformance::prelude::*;
use conformance::sys::futex::{ANY, cmp_requeue, lock_pi, own_id, unlock_pi, wait, wait_bitset, wait_for, wake};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, FAR_FUTURE, blocked_in};

const SIGNAL: Signal = Signal::SIGUSR1;

/// What the call returned, and how often the signal handler ran.
type Catcher = Participant<(Result<(), Errno>, u32)>;

/// A participant that has a handler for the signal and is blocked in the call.
#[track_caller]
fn catcher(restart: Restart, call: impl FnOnce() -> Result<(), Errno>) -> Result<Catcher, Failure> {
    let catcher = Participant::spawn("catcher", (), |(), _| match signal::catch(SIGNAL, restart) {
        Ok(()) => (call(), signal::caught(SIGNAL)),
        Err(errno) => (Err(errno), 0),
    })?;
    catcher.until_blocked()?;
    Ok(catcher)
}

/// The value of the word, which no argument of 0 could be mistaken for.
const VALUE: u32 = 7;

/// The words, the first of which has the value that the waiters expect.
fn words() -> Result<Mapping, Errno> {
    let words = super::fixture::words()?;
    words.word(0).store(VALUE, SeqCst);
    Ok(words)
}

/// Operations that wait on the first word.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Wait,
    WaitBitset,
    /// With a relative timeout.
    WaitTimeout,
    /// With an absolute timeout.
    WaitBitsetTimeout,
}

impl Operation {
    fn wait(self, words: &Mapping) -> Result<(), Errno> {
        match self {
            Operation::Wait => wait(words.word(0), VALUE),
            Operation::WaitBitset => wait_bitset(words.word(0), VALUE, ANY, None),
            Operation::WaitTimeout => wait_for(words.word(0), VALUE, Time::new(3600, 0)),
            Operation::WaitBitsetTimeout => {
                wait_bitset(words.word(0), VALUE, ANY, Some((Clock::Realtime, Time::now(Clock::Realtime)?.plus(FAR_FUTURE))))
            }
        }
    }
}

/// If a signal handler without `SA_RESTART` runs while `FUTEX_WAIT` or `FUTEX_WAIT_BITSET` is blocked, the call fails with
/// `EINTR`. A later `FUTEX_WAKE` on the word returns 0.
#[rstest]
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn handler_without_restart_ends_the_wait(
    #[values(Operation::Wait, Operation::WaitBitset, Operation::WaitTimeout, Operation::WaitBitsetTimeout)] operation: Operation,
) -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::No, || operation.wait(&words))?;
    catcher.signal(SIGNAL)?;
    expect_eq!(catcher.join()?, (Err(EINTR), 1));
    expect_eq!((wake(words.word(0), ALL), words.word(0).load(SeqCst)), (Ok(0), VALUE));
    Ok(())
}

/// After a signal handler with `SA_RESTART` has run in a process blocked in `FUTEX_WAIT` or `FUTEX_WAIT_BITSET` without a
/// timeout, the process stays blocked. A later `FUTEX_WAKE` returns 1, and the interrupted call returns 0.
#[rstest]
#[conformance::test(man = "signal(7)")]
fn handler_with_restart_leaves_the_waiter_blocked(
    #[values(Operation::Wait, Operation::WaitBitset)] operation: Operation,
    #[values(1, 3)] signals: u32,
) -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::Yes, || operation.wait(&words))?;
    for _ in 0..signals {
        catcher.signal(SIGNAL)?;
        catcher.expect_still_blocked()?;
    }
    expect_eq!((wake(words.word(0), ALL), catcher.join()?), (Ok(1), (Ok(()), signals)));
    Ok(())
}

/// After a signal handler with `SA_RESTART` has run in a process blocked in `FUTEX_WAIT` or `FUTEX_WAIT_BITSET` with a timeout
/// far ahead, the process stays blocked. A later `FUTEX_WAKE` returns 1, and the interrupted call returns 0.
#[rstest]
#[conformance::test(man = "signal(7)")]
fn handler_with_restart_leaves_a_timed_waiter_blocked(
    #[values(Operation::WaitTimeout, Operation::WaitBitsetTimeout)] operation: Operation,
) -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::Yes, || operation.wait(&words))?;
    catcher.signal(SIGNAL)?;
    expect_eq!(catcher.until_settled()?, Settled::Blocked);
    expect_eq!((wake(words.word(0), ALL), catcher.join()?), (Ok(1), (Ok(()), 1)));
    Ok(())
}

/// If the futex word changes while `FUTEX_WAIT` is blocked and then a signal handler with `SA_RESTART` runs, the call fails with
/// `EAGAIN`.
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn restarted_wait_compares_the_word_again() -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::Yes, || wait(words.word(0), VALUE))?;
    words.word(0).store(1, SeqCst);
    catcher.signal(SIGNAL)?;
    expect_eq!(catcher.join()?, (Err(EAGAIN), 1));
    Ok(())
}

/// A process blocked in `FUTEX_WAIT` or `FUTEX_WAIT_BITSET` stays blocked after it was sent a signal that it ignores and a signal
/// that it has blocked. A later `FUTEX_WAKE` returns 1, and the blocked call returns 0.
#[rstest]
#[conformance::test(man = "signal(7)")]
fn ignored_and_blocked_signals_leave_the_waiter_blocked(
    #[values(Operation::Wait, Operation::WaitBitset, Operation::WaitTimeout, Operation::WaitBitsetTimeout)] operation: Operation,
) -> Outcome {
    let words = words()?;
    let waiter = blocked_in("waiter", || {
        signal::ignore(SIGNAL)?;
        signal::block(Signal::SIGUSR2)?;
        operation.wait(&words)
    })?;
    waiter.signal(SIGNAL)?;
    waiter.signal(Signal::SIGUSR2)?;
    waiter.expect_still_blocked()?;
    expect_eq!((wake(words.word(0), ALL), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// After `SIGSTOP` and `SIGCONT`, a process blocked in `FUTEX_WAIT` or `FUTEX_WAIT_BITSET`, without a timeout or with one far
/// ahead, stays blocked. A later `FUTEX_WAKE` returns 1, and the blocked call returns 0.
#[rstest]
#[conformance::test(man = "signal(7)")]
fn stop_leaves_the_waiter_blocked(
    #[values(Operation::Wait, Operation::WaitBitset, Operation::WaitTimeout, Operation::WaitBitsetTimeout)] operation: Operation,
) -> Outcome {
    let words = words()?;
    let waiter = blocked_in("waiter", || operation.wait(&words))?;
    for _ in 0..2 {
        waiter.stop()?;
        waiter.resume()?;
        waiter.expect_still_blocked()?;
    }
    expect_eq!((wake(words.word(0), ALL), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// While a process blocked in `FUTEX_WAIT` or `FUTEX_WAIT_BITSET` is stopped, the futex word changes and another process calls
/// `FUTEX_WAKE`, which may return 1 or 0. After `SIGCONT`, the stopped process's call returns 0 if `FUTEX_WAKE` returned 1, and
/// fails with `EAGAIN` if `FUTEX_WAKE` returned 0.
#[rstest]
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn stopped_waiter_notices_a_changed_word(
    #[values(Operation::Wait, Operation::WaitBitset, Operation::WaitTimeout, Operation::WaitBitsetTimeout)] operation: Operation,
) -> Outcome {
    let words = words()?;
    let waiter = blocked_in("waiter", || operation.wait(&words))?;
    waiter.stop()?;
    words.word(0).store(1, SeqCst);
    let woken = wake(words.word(0), ALL);
    expect_matches!(woken, Ok(0 | 1));
    observe!("futex.stopped-waiter-is-woken", woken == Ok(1));
    waiter.resume()?;
    expect_eq!(waiter.join()?, if woken == Ok(1) { Ok(()) } else { Err(EAGAIN) });
    Ok(())
}

/// If a process is stopped with `SIGSTOP` and continued with `SIGCONT` while it is blocked in `FUTEX_WAIT` or `FUTEX_WAIT_BITSET`
/// with a timeout, the call fails with `ETIMEDOUT`, and not before the timeout passed to the call expires.
#[rstest]
#[case::wait_relative(None)]
#[case::wait_bitset_monotonic(Some(Clock::Monotonic))]
#[case::wait_bitset_realtime(Some(Clock::Realtime))]
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn stop_keeps_the_timeout(#[case] clock: Option<Clock>) -> Outcome {
    let words = words()?;
    // If the timeout expires before the waiter is stopped, the case tries again with a longer one.
    for milliseconds in [20, 80, 320, 1280, 5120] {
        let waiter = Participant::spawn("waiter", (), |(), link| {
            link.reached("waiting");
            let measured = clock.unwrap_or(Clock::Monotonic);
            let end = Time::now(measured)?.plus_milliseconds(milliseconds);
            let waited = match clock {
                Some(clock) => wait_bitset(words.word(0), VALUE, ANY, Some((clock, end))),
                None => wait_for(words.word(0), VALUE, Time::new(milliseconds / 1000, milliseconds % 1000 * 1_000_000)),
            };
            Ok::<_, Errno>((waited, Time::now(measured)?.has_come(end)))
        })?;
        waiter.until_reached("waiting")?;
        let stopped = waiter.until_settled()? == Settled::Blocked && waiter.stop().is_ok();
        if stopped {
            waiter.resume()?;
        }
        expect_eq!((waiter.join()?, wake(words.word(0), ALL)), (Ok((Err(ETIMEDOUT), true)), Ok(0)));
        if stopped {
            return Ok(());
        }
    }
    Err(Failure::new(CaseResult::Unresolved, Cause::Setup, "the timeout expired each time before the waiter could be stopped"))
}

/// If a signal handler without `SA_RESTART` runs in a waiter that `FUTEX_CMP_REQUEUE` has moved to another word, its `FUTEX_WAIT`
/// fails with `EINTR`. A later `FUTEX_WAKE` on either word returns 0.
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn handler_without_restart_ends_a_requeued_wait() -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::No, || wait(words.word(0), VALUE))?;
    expect_eq!(cmp_requeue(words.word(0), VALUE, 0, words.word(1), 1), Ok(1));
    catcher.signal(SIGNAL)?;
    expect_eq!(catcher.join()?, (Err(EINTR), 1));
    expect_eq!((wake(words.word(0), ALL), wake(words.word(1), ALL)), (Ok(0), Ok(0)));
    Ok(())
}

/// If a signal handler with `SA_RESTART` runs in a process blocked in `FUTEX_WAIT` that `FUTEX_CMP_REQUEUE` has moved to another
/// word, the process stays blocked. `FUTEX_WAKE` then returns 1 on one of the two words and 0 on the other, and the case records
/// on which.
#[conformance::test(man = "futex(2)", man = "signal(7)", level = observed)]
fn handler_with_restart_keeps_a_requeued_waiter() -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::Yes, || wait(words.word(0), VALUE))?;
    expect_eq!(cmp_requeue(words.word(0), VALUE, 0, words.word(1), 1), Ok(1));
    catcher.signal(SIGNAL)?;
    catcher.expect_still_blocked()?;
    let woken = (wake(words.word(0), ALL), wake(words.word(1), ALL));
    expect_matches!(woken, (Ok(1), Ok(0)) | (Ok(0), Ok(1)));
    observe!("futex.requeued-waiter-restarts-at", if woken.0 == Ok(1) { "source word" } else { "target word" });
    expect_eq!(catcher.join()?, (Ok(()), 1));
    Ok(())
}

/// If a signal handler, with `SA_RESTART` or without, runs in a process blocked in `FUTEX_LOCK_PI`, the process stays blocked.
/// After `FUTEX_UNLOCK_PI` by the owner, `FUTEX_LOCK_PI` returns 0 in that process and the word holds its thread id.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn handler_leaves_a_pi_lock_waiter_blocked(#[values(Restart::No, Restart::Yes)] sa_restart: Restart) -> Outcome {
    let words = super::fixture::words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let catcher = catcher(sa_restart, || {
        lock_pi(word)?;
        if word.load(SeqCst) & conformance::sys::futex::TID == own_id() { unlock_pi(word) } else { Err(EPERM) }
    })?;
    for _ in 0..2 {
        catcher.signal(SIGNAL)?;
        catcher.expect_still_blocked()?;
    }
    catcher.stop()?;
    catcher.resume()?;
    catcher.expect_still_blocked()?;
    expect_eq!((unlock_pi(word), catcher.join()?), (Ok(()), (Ok(()), 2)));
    expect_eq!(word.load(SeqCst), 0);
    Ok(())
}
