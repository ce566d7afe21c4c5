//! `FUTEX_PRIVATE_FLAG`: each operation between the threads of one process, in memory that no other process has.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Value;
use conformance::sys::futex::{Clock, Fourth, Place, TID, Time, futex, op, own_id, wake};
use rstest::rstest;

use super::fixture::{ALL, FAR_AWAY};

type Words<'a> = [&'a AtomicU32; 3];

/// What a thread of a process returned that slept in `wait`, and what another one of it that then did `wake`; with the whole process
/// stopped and continued in between, where that is asked for.
#[track_caller]
fn between_threads<W: Value + Send, D: Value + Send>(
    stopped: bool,
    wait: impl FnOnce(Words<'_>) -> W,
    wake: impl FnOnce(Words<'_>) -> D + Send,
) -> Result<(W, D), Failure> {
    let process = Participant::spawn("process", (), |(), link| {
        let memory = Mapping::private(page_size())?;
        let words = [0, 1, 2].map(|index| memory.word(index));
        std::thread::scope(|scope| {
            let waker = scope.spawn(|| {
                link.meet("wake");
                wake(words)
            });
            let waited = wait(words);
            Ok::<_, Errno>((waited, waker.join().map_err(|_| EIO)?))
        })
    })?;
    process.until_reached("wake")?;
    process.until_blocked()?;
    if stopped {
        process.stop()?;
        process.resume()?;
        process.until_blocked()?;
    }
    process.open("wake")?;
    Ok(process.join()??)
}

/// One operation with the flag.
fn private(word: &AtomicU32, operation: u32, value: u32, fourth: Fourth<'_>, second: &AtomicU32, third: u32) -> Result<u32, Errno> {
    futex(word, operation | op::PRIVATE, value, fourth, second, third)
}

/// `FUTEX_WAKE` of all with the flag.
fn wake_privately(word: &AtomicU32) -> Result<u32, Errno> {
    futex(word, op::WAKE | op::PRIVATE, ALL, Fourth::None, Place::NULL, 0)
}

/// A waiter is moved to another word, and woken there by whoever says that it is within the process, and by nobody else.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn moves_a_waiter(#[values(op::REQUEUE, op::CMP_REQUEUE)] operation: u32) -> Outcome {
    let seen = between_threads(
        false,
        |[from, to, _]| private(from, op::WAIT, 0, Fourth::None, to, 0),
        |[from, to, _]| {
            let moved = private(from, operation, 0, Fourth::Count(1), to, 0);
            [moved, wake_privately(from), wake(to, ALL), wake_privately(to)]
        },
    )?;
    expect_eq!(seen, (Ok(0), [Ok(1), Ok(0), Ok(0), Ok(1)]));
    Ok(())
}

/// An operation that changes one word wakes at both.
#[rstest]
#[case::first(0)]
#[case::second(1)]
#[conformance::test(man = "futex(2)")]
fn wakes_at_both_words(#[case] place: usize) -> Outcome {
    let seen = between_threads(
        false,
        |words| private(words[place], op::WAIT, 0, Fourth::None, words[2], 0),
        // Adds 3 to the second word, which is 0 before.
        |[first, second, _]| (private(first, op::WAKE_OP, 1, Fourth::Count(1), second, 0x1000_3000), second.load(SeqCst)),
    )?;
    expect_eq!(seen, (Ok(0), (Ok(1), 3)));
    Ok(())
}

/// Bits select among waiters.
#[conformance::test(man = "futex(2)")]
fn selects_by_bits() -> Outcome {
    let seen = between_threads(
        false,
        |[word, other, _]| private(word, op::WAIT_BITSET, 0, Fourth::None, other, 0x8000_0001),
        |[word, other, _]| [2, 0x7fff_fffe, 0x8000_0000].map(|bits| private(word, op::WAKE_BITSET, ALL, Fourth::None, other, bits)),
    )?;
    expect_eq!(seen, (Ok(0), [Ok(0), Ok(0), Ok(1)]));
    Ok(())
}

/// A waiter with a timeout waits on after a stop, and is found as before.
#[rstest]
#[case::interval(op::WAIT, None)]
#[case::instant(op::WAIT_BITSET, Some(Clock::Monotonic))]
#[case::instant_of_the_real_clock(op::WAIT_BITSET | op::CLOCK_REALTIME, Some(Clock::Real))]
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn outlasts_a_stop(#[case] operation: u32, #[case] clock: Option<Clock>) -> Outcome {
    let seen = between_threads(
        true,
        |[word, other, _]| {
            let end = clock.map_or(Ok(Time::new(3600, 0)), |clock| Time::now(clock).map(|now| now.plus(FAR_AWAY)))?;
            private(word, operation, 0, Fourth::Timeout(end), other, 4)
        },
        |[word, ..]| [wake(word, ALL), wake_privately(word), wake_privately(word)],
    )?;
    expect_eq!(seen, (Ok(0), [Ok(0), Ok(1), Ok(0)]));
    Ok(())
}

/// A waiter is moved to a lock that is free, and owns it.
#[conformance::test(man = "futex(2)")]
fn moves_a_waiter_to_a_lock() -> Outcome {
    let seen = between_threads(
        false,
        |[plain, lock, _]| {
            let moved = private(plain, op::WAIT_REQUEUE_PI, 0, Fourth::None, lock, 0);
            let owned = lock.load(SeqCst) & TID == own_id();
            (moved, owned, private(lock, op::UNLOCK_PI, 0, Fourth::None, lock, 0), lock.load(SeqCst))
        },
        |[plain, lock, _]| {
            let shared = futex(plain, op::CMP_REQUEUE_PI, 1, Fourth::Count(1), lock, 0);
            (shared, private(plain, op::CMP_REQUEUE_PI, 1, Fourth::Count(1), lock, 0))
        },
    )?;
    expect_eq!(seen, ((Ok(0), true, Ok(0), 0), (Ok(0), Ok(1))));
    Ok(())
}
