//! `FUTEX_PRIVATE_FLAG`: each operation between the threads of one process, mostly in memory that no other process has.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::process::Value;
use conformance::sys::futex::{Fourth, Place, TID, WAITERS, futex, op, own_id, wait, wake};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, FAR_FUTURE, blocked_in, words};

type Words<'a> = [&'a AtomicU32; 3];

/// What one thread of a process returned from `wait`, and what another thread of the process returned from `wake`, which it calls
/// while the first is blocked. If asked for, the whole process is stopped and continued before.
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

/// An operation with `FUTEX_PRIVATE_FLAG`.
fn private(word: &AtomicU32, operation: u32, value: u32, fourth: Fourth<'_>, second: &AtomicU32, third: u32) -> Result<u32, Errno> {
    futex(word, operation | op::PRIVATE, value, fourth, second, third)
}

/// `FUTEX_WAKE` of all waiters with `FUTEX_PRIVATE_FLAG`.
fn wake_privately(word: &AtomicU32) -> Result<u32, Errno> {
    futex(word, op::WAKE | op::PRIVATE, ALL, Fourth::None, Place::NULL, 0)
}

/// `FUTEX_REQUEUE` and `FUTEX_CMP_REQUEUE` with `FUTEX_PRIVATE_FLAG`, `val` 0 and `val2` 1 move a thread of the process blocked
/// in `FUTEX_WAIT` with the flag to another word and return 1. `FUTEX_WAKE` on that word then returns 0 without the flag and 1
/// with it.
#[rstest]
#[conformance::test(man = "futex(2)", level = customary)]
fn requeues_a_thread(#[values(op::REQUEUE, op::CMP_REQUEUE)] operation: u32) -> Outcome {
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

/// `FUTEX_WAKE_OP` with `FUTEX_PRIVATE_FLAG` and the operation add 3 adds 3 to the second word, wakes a thread of the process
/// blocked in `FUTEX_WAIT` with the flag on the first or the second word, and returns 1.
#[rstest]
#[case::waiter_of_first_word(0)]
#[case::waiter_of_second_word(1)]
#[conformance::test(man = "futex(2)")]
fn wake_op_wakes_at_both_words(#[case] place: usize) -> Outcome {
    let seen = between_threads(
        false,
        |words| private(words[place], op::WAIT, 0, Fourth::None, words[2], 0),
        // Adds 3 to the second word, which is 0 before.
        |[first, second, _]| (private(first, op::WAKE_OP, 1, Fourth::Count(1), second, 0x1000_3000), second.load(SeqCst)),
    )?;
    expect_eq!(seen, (Ok(0), (Ok(1), 3)));
    Ok(())
}

/// `FUTEX_WAKE_BITSET` with `FUTEX_PRIVATE_FLAG` returns 0 if its mask has no bit in common with the mask of a thread blocked in
/// `FUTEX_WAIT_BITSET` with the flag. With a common bit, it wakes that thread and returns 1.
#[conformance::test(man = "futex(2)")]
fn bit_mask_selects_a_thread() -> Outcome {
    let seen = between_threads(
        false,
        |[word, other, _]| private(word, op::WAIT_BITSET, 0, Fourth::None, other, 0x8000_0001),
        |[word, other, _]| [2, 0x7fff_fffe, 0x8000_0000].map(|bits| private(word, op::WAKE_BITSET, ALL, Fourth::None, other, bits)),
    )?;
    expect_eq!(seen, (Ok(0), [Ok(0), Ok(0), Ok(1)]));
    Ok(())
}

/// After `SIGSTOP` and `SIGCONT`, a thread blocked in `FUTEX_WAIT` or `FUTEX_WAIT_BITSET` with `FUTEX_PRIVATE_FLAG` and a timeout
/// stays blocked. `FUTEX_WAKE` then returns 0 without the flag, and 1 with it.
#[rstest]
#[case::wait_relative(op::WAIT, None)]
#[case::wait_bitset_monotonic(op::WAIT_BITSET, Some(Clock::Monotonic))]
#[case::wait_bitset_realtime(op::WAIT_BITSET | op::CLOCK_REALTIME, Some(Clock::Realtime))]
#[conformance::test(man = "futex(2)", man = "signal(7)", level = customary)]
fn stopped_thread_stays_blocked(#[case] operation: u32, #[case] clock: Option<Clock>) -> Outcome {
    let seen = between_threads(
        true,
        |[word, other, _]| {
            let end = clock.map_or(Ok(Time::new(3600, 0)), |clock| Time::now(clock).map(|now| now.plus(FAR_FUTURE)))?;
            private(word, operation, 0, Fourth::Timeout(end), other, 4)
        },
        |[word, ..]| [wake(word, ALL), wake_privately(word), wake_privately(word)],
    )?;
    expect_eq!(seen, (Ok(0), [Ok(0), Ok(1), Ok(0)]));
    Ok(())
}

/// While a thread is blocked in `FUTEX_WAIT_REQUEUE_PI` with `FUTEX_PRIVATE_FLAG`, `FUTEX_CMP_REQUEUE_PI` to a free lock without
/// the flag returns 0. With the flag it returns 1, `FUTEX_WAIT_REQUEUE_PI` returns 0 and the word of the lock holds the id of
/// that thread.
#[conformance::test(man = "futex(2)", level = customary)]
fn requeues_a_thread_to_a_free_pi_lock() -> Outcome {
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

/// `FUTEX_WAKE` with `FUTEX_PRIVATE_FLAG` on an inaccessible address returns 0 or fails with `EFAULT`. Both are allowed, and the
/// case records which.
#[conformance::test(man = "futex(2)", level = observed)]
fn wake_at_an_inaccessible_address() -> Outcome {
    let guarded = Guarded::new()?;
    let place = Place::forbidden(&guarded);
    let woken = futex(place, op::WAKE | op::PRIVATE, 1, Fourth::None, Place::NULL, 0);
    expect_matches!(woken, Ok(0) | Err(EFAULT));
    observe!("futex.private-wake-at-inaccessible-address", format!("{woken:?}"));
    Ok(())
}

/// `FUTEX_WAKE` with `FUTEX_PRIVATE_FLAG` on a word of shared memory returns 0 while another process is blocked there in
/// `FUTEX_WAIT` with or without the flag, and that process stays blocked.
#[conformance::test(man = "futex(2)", level = customary)]
fn does_not_match_another_process() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let private = blocked_in("private", || futex(word, op::WAIT | op::PRIVATE, 0, Fourth::None, Place::NULL, 0).map(drop))?;
    let shared = blocked_in("shared", || wait(words.word(1), 0))?;
    expect_eq!(futex(word, op::WAKE | op::PRIVATE, ALL, Fourth::None, Place::NULL, 0), Ok(0));
    expect_eq!(futex(words.word(1), op::WAKE | op::PRIVATE, ALL, Fourth::None, Place::NULL, 0), Ok(0));
    private.expect_still_blocked()?;
    shared.expect_still_blocked()?;
    expect_eq!((wake(words.word(1), ALL), shared.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// `FUTEX_WAKE` with `FUTEX_PRIVATE_FLAG` wakes a thread of the process that is blocked in `FUTEX_WAIT` with the flag, in shared
/// and in private memory, and returns 1.
#[rstest]
#[case::shared_memory(true)]
#[case::private_memory(false)]
#[conformance::test(man = "futex(2)")]
fn wakes_a_thread_of_the_process(#[case] shared: bool) -> Outcome {
    wakes_return(shared, &[op::WAKE | op::PRIVATE], vec![Ok(1)])
}

/// `FUTEX_WAKE` without `FUTEX_PRIVATE_FLAG` returns 0 while a thread of the process is blocked in `FUTEX_WAIT` with the flag, in
/// shared and in private memory. A later `FUTEX_WAKE` with the flag returns 1.
#[rstest]
#[case::shared_memory(true)]
#[case::private_memory(false)]
#[conformance::test(man = "futex(2)", level = customary)]
fn wake_without_the_flag_does_not_match(#[case] shared: bool) -> Outcome {
    wakes_return(shared, &[op::WAKE, op::WAKE | op::PRIVATE], vec![Ok(0), Ok(1)])
}

/// Expects what these operations return that a thread calls in turn, while another thread of its process is blocked in
/// `FUTEX_WAIT` with `FUTEX_PRIVATE_FLAG`.
#[track_caller]
fn wakes_return(shared: bool, operations: &[u32], expected: Vec<Result<u32, Errno>>) -> Outcome {
    let process = Participant::spawn("process", (), |(), link| {
        let words = if shared { Mapping::anonymous(page_size())? } else { Mapping::private(page_size())? };
        let word = words.word(0);
        std::thread::scope(|scope| {
            let waker = scope.spawn(|| {
                link.meet("wake");
                word.store(1, SeqCst);
                let wake = |&operation: &u32| futex(word, operation, ALL, Fourth::None, Place::NULL, 0);
                operations.iter().map(wake).collect::<Vec<_>>()
            });
            let waited = futex(word, op::WAIT | op::PRIVATE, 0, Fourth::None, Place::NULL, 0);
            Ok::<_, Errno>((waited, waker.join().map_err(|_| EIO)?))
        })
    })?;
    process.until_reached("wake")?;
    process.until_blocked()?;
    process.open("wake")?;
    expect_eq!(process.join()?, Ok((Ok(0), expected)));
    Ok(())
}

/// `FUTEX_UNLOCK_PI` with `FUTEX_PRIVATE_FLAG` returns 0 while another thread of the process is blocked in `FUTEX_LOCK_PI` with
/// the flag. The `FUTEX_LOCK_PI` then returns 0, and the word holds the thread id of its caller.
#[rstest]
#[case::shared_memory(true)]
#[case::private_memory(false)]
#[conformance::test(man = "futex(2)")]
fn passes_a_pi_lock_between_threads(#[case] shared: bool) -> Outcome {
    let process = Participant::spawn("process", (), |(), link| {
        let words = if shared { Mapping::anonymous(page_size())? } else { Mapping::private(page_size())? };
        let word = words.word(0);
        let private = |operation| futex(word, operation | op::PRIVATE, 0, Fourth::None, Place::NULL, 0);
        std::thread::scope(|scope| {
            let owner = scope.spawn(|| {
                let locked = private(op::LOCK_PI);
                link.meet("unlock");
                let contended = word.load(SeqCst) == WAITERS | own_id();
                (locked, contended, private(op::UNLOCK_PI))
            });
            let mut pause = Pause::default();
            while word.load(SeqCst) == 0 {
                pause.sleep();
            }
            let locked = private(op::LOCK_PI);
            let owned = word.load(SeqCst) & TID == own_id();
            let unlocked = private(op::UNLOCK_PI);
            Ok::<_, Errno>((locked, owned, unlocked, word.load(SeqCst), owner.join().map_err(|_| EIO)?))
        })
    })?;
    process.until_reached("unlock")?;
    process.until_blocked()?;
    process.open("unlock")?;
    expect_eq!(process.join()?, Ok((Ok(0), true, Ok(0), 0, (Ok(0), true, Ok(0)))));
    Ok(())
}
