//! Signals and stops in the middle of a wait: what the call returns, and that no waiter is left over or lost.

use std::sync::atomic::Ordering::SeqCst;

use conformance::outcome::{CaseResult, Cause};
use conformance::prelude::*;
use conformance::sys::futex::{ANY, cmp_requeue, lock_pi, own_id, unlock_pi, wait, wait_bitset, wait_for, wake};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, FAR_AWAY, sleeper};

const SIGNAL: Signal = Signal::SIGUSR1;

/// What the call returned, and how often the handler ran.
type Catcher = Participant<(Result<(), Errno>, u32)>;

/// A participant that catches the signal, makes the call and is asleep in it.
#[track_caller]
fn catcher(restart: Restart, call: impl FnOnce() -> Result<(), Errno>) -> Result<Catcher, Failure> {
    let catcher = Participant::spawn("catcher", (), |(), _| match signal::catch(SIGNAL, restart) {
        Ok(()) => (call(), signal::caught(SIGNAL)),
        Err(errno) => (Err(errno), 0),
    })?;
    catcher.until_blocked()?;
    Ok(catcher)
}

/// What the word is: a value that no zeroed argument could stand for.
const VALUE: u32 = 7;

/// The words, the first of which is as the waiters expect.
fn words() -> Result<Mapping, Errno> {
    let words = super::fixture::words()?;
    words.word(0).store(VALUE, SeqCst);
    Ok(words)
}

/// Ways to wait at the first word.
#[derive(Clone, Copy, Debug)]
enum Way {
    Plain,
    Bits,
    Interval,
    Instant,
}

impl Way {
    fn wait(self, words: &Mapping) -> Result<(), Errno> {
        match self {
            Way::Plain => wait(words.word(0), VALUE),
            Way::Bits => wait_bitset(words.word(0), VALUE, ANY, None),
            Way::Interval => wait_for(words.word(0), VALUE, Time::new(3600, 0)),
            Way::Instant => {
                wait_bitset(words.word(0), VALUE, ANY, Some((Clock::Realtime, Time::now(Clock::Realtime)?.plus(FAR_AWAY))))
            }
        }
    }
}

/// A handler ends a wait with `EINTR`, and the waiter is gone.
#[rstest]
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn ends_a_wait(#[values(Way::Plain, Way::Bits, Way::Interval, Way::Instant)] way: Way) -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::No, || way.wait(&words))?;
    catcher.signal(SIGNAL)?;
    expect_eq!(catcher.join()?, (Err(EINTR), 1));
    expect_eq!((wake(words.word(0), ALL), words.word(0).load(SeqCst)), (Ok(0), VALUE));
    Ok(())
}

/// With `SA_RESTART` a wait goes on after the handler, as often as it is interrupted, and is woken like any other.
#[rstest]
#[conformance::test(man = "signal(7)")]
fn with_restart_leaves_a_wait_waiting(#[values(Way::Plain, Way::Bits)] way: Way, #[values(1, 3)] times: u32) -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::Yes, || way.wait(&words))?;
    for _ in 0..times {
        catcher.signal(SIGNAL)?;
        catcher.expect_still_blocked()?;
    }
    expect_eq!((wake(words.word(0), ALL), catcher.join()?), (Ok(1), (Ok(()), times)));
    Ok(())
}

/// With `SA_RESTART` a wait with a timeout goes on after the handler too.
#[rstest]
#[conformance::test(man = "signal(7)")]
fn with_restart_leaves_a_wait_with_a_timeout_waiting(#[values(Way::Interval, Way::Instant)] way: Way) -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::Yes, || way.wait(&words))?;
    catcher.signal(SIGNAL)?;
    expect_eq!(catcher.until_settled()?, Settled::Blocked);
    expect_eq!((wake(words.word(0), ALL), catcher.join()?), (Ok(1), (Ok(()), 1)));
    Ok(())
}

/// A wait that starts again after a handler looks at the word again: what has changed in the meantime ends it with `EAGAIN`.
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn with_restart_compares_again() -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::Yes, || wait(words.word(0), VALUE))?;
    words.word(0).store(1, SeqCst);
    catcher.signal(SIGNAL)?;
    expect_eq!(catcher.join()?, (Err(EAGAIN), 1));
    Ok(())
}

/// Signals that are ignored or blocked do not disturb a wait.
#[rstest]
#[conformance::test(man = "signal(7)")]
fn needs_a_handler(#[values(Way::Plain, Way::Bits, Way::Interval, Way::Instant)] way: Way) -> Outcome {
    let words = words()?;
    let deaf = sleeper("deaf", || {
        signal::ignore(SIGNAL)?;
        signal::block(Signal::SIGUSR2)?;
        way.wait(&words)
    })?;
    deaf.signal(SIGNAL)?;
    deaf.signal(Signal::SIGUSR2)?;
    deaf.expect_still_blocked()?;
    expect_eq!((wake(words.word(0), ALL), deaf.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// A waiter that is stopped and goes on waits on, whichever way it waits, and is woken like any other.
#[rstest]
#[conformance::test(man = "signal(7)")]
fn by_a_stop_leaves_a_wait_waiting(#[values(Way::Plain, Way::Bits, Way::Interval, Way::Instant)] way: Way) -> Outcome {
    let words = words()?;
    let waiter = sleeper("waiter", || way.wait(&words))?;
    for _ in 0..2 {
        waiter.stop()?;
        waiter.resume()?;
        waiter.expect_still_blocked()?;
    }
    expect_eq!((wake(words.word(0), ALL), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// A waiter that is stopped while the word changes finds that out when it goes on, with or without a wake in between: no change is
/// missed.
#[rstest]
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn by_a_stop_hides_no_change(#[values(Way::Plain, Way::Bits, Way::Interval, Way::Instant)] way: Way) -> Outcome {
    let words = words()?;
    let waiter = sleeper("waiter", || way.wait(&words))?;
    waiter.stop()?;
    words.word(0).store(1, SeqCst);
    let woken = wake(words.word(0), ALL);
    expect!(matches!(woken, Ok(0 | 1)), "{woken:?}");
    observe!("futex.stopped-waiter-is-woken", woken == Ok(1));
    waiter.resume()?;
    expect_eq!(waiter.join()?, if woken == Ok(1) { Ok(()) } else { Err(EAGAIN) });
    Ok(())
}

/// A stop does not make a wait with a timeout endless: it ends with `ETIMEDOUT` though the waiter was stopped in it.
#[rstest]
#[case::interval(None)]
#[case::instant(Some(Clock::Monotonic))]
#[case::instant_of_the_real_clock(Some(Clock::Realtime))]
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn by_a_stop_keeps_the_timeout(#[case] clock: Option<Clock>) -> Outcome {
    let words = words()?;
    // If the wait is over before it could be stopped, then once more with more time.
    for milliseconds in [20, 80, 320, 1280, 5120] {
        let waiter = Participant::spawn("waiter", (), |(), link| {
            link.reached("waiting");
            let shown = clock.unwrap_or(Clock::Monotonic);
            let end = Time::now(shown)?.plus_milliseconds(milliseconds);
            let waited = match clock {
                Some(clock) => wait_bitset(words.word(0), VALUE, ANY, Some((clock, end))),
                None => wait_for(words.word(0), VALUE, Time::new(milliseconds / 1000, milliseconds % 1000 * 1_000_000)),
            };
            Ok::<_, Errno>((waited, Time::now(shown)?.has_come(end)))
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
    Err(Failure::new(CaseResult::Unresolved, Cause::Setup, "the waiter's time was over each time before it could be stopped"))
}

/// A handler ends the wait of who was requeued too, and leaves nobody at either word.
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn ends_the_wait_of_who_was_requeued() -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::No, || wait(words.word(0), VALUE))?;
    expect_eq!(cmp_requeue(words.word(0), VALUE, 0, words.word(1), 1), Ok(1));
    catcher.signal(SIGNAL)?;
    expect_eq!(catcher.join()?, (Err(EINTR), 1));
    expect_eq!((wake(words.word(0), ALL), wake(words.word(1), ALL)), (Ok(0), Ok(0)));
    Ok(())
}

/// Where a wait starts again after it was requeued, at the word that it was called with or at the other, is recorded; it is at one
/// of them.
#[conformance::test(man = "futex(2)", man = "signal(7)", level = observed)]
fn with_restart_leaves_who_was_requeued_somewhere() -> Outcome {
    let words = words()?;
    let catcher = catcher(Restart::Yes, || wait(words.word(0), VALUE))?;
    expect_eq!(cmp_requeue(words.word(0), VALUE, 0, words.word(1), 1), Ok(1));
    catcher.signal(SIGNAL)?;
    catcher.expect_still_blocked()?;
    let found = (wake(words.word(0), ALL), wake(words.word(1), ALL));
    expect!(found == (Ok(1), Ok(0)) || found == (Ok(0), Ok(1)), "{found:?}");
    observe!("futex.requeued-waiter-restarts-at", if found.0 == Ok(1) { "the first word" } else { "the second word" });
    expect_eq!(catcher.join()?, (Ok(()), 1));
    Ok(())
}

/// Waiting for a lock is not ended by a handler, whatever `SA_RESTART` says: it goes on and gets the lock.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn leaves_who_waits_for_a_lock_waiting(#[values(Restart::No, Restart::Yes)] restart: Restart) -> Outcome {
    let words = super::fixture::words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let catcher = catcher(restart, || {
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
