//! PI locks that would close a cycle of owners that wait for each other: `EDEADLK`. A second lock by the owner itself is in
//! `pi_lock`.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{TID, WAITERS, lock_pi, own_id, unlock_pi};

use super::fixture::{blocked_in, words};
use super::pi_lock::id;

/// If process A owns lock 1, and process B owns lock 2 and is blocked in `FUTEX_LOCK_PI` on lock 1, `FUTEX_LOCK_PI` by A on lock
/// 2 fails with `EDEADLK`. After `FUTEX_UNLOCK_PI` by A on lock 1, the `FUTEX_LOCK_PI` of B returns 0.
#[conformance::test(man = "futex(2)")]
fn cycle_of_two_locks_fails() -> Outcome {
    let words = words()?;
    let (own, other) = (words.word(0), words.word(1));
    expect_eq!(lock_pi(own), Ok(()));
    let peer = blocked_in("process B", || {
        lock_pi(other)?;
        lock_pi(own)?;
        unlock_pi(own)?;
        unlock_pi(other)
    })?;
    expect_eq!(lock_pi(other), Err(EDEADLK));
    expect_eq!((own.load(SeqCst), other.load(SeqCst) & TID), (WAITERS | own_id(), id(&peer)));
    expect_eq!((unlock_pi(own), peer.join()?), (Ok(()), Ok(())));
    expect_eq!((own.load(SeqCst), other.load(SeqCst), lock_pi(other)), (0, 0, Ok(())));
    Ok(())
}

/// If A, B and C each own a lock, B is blocked in `FUTEX_LOCK_PI` on the lock of A, and C on the lock of B, `FUTEX_LOCK_PI` by A
/// on the lock of C fails with `EDEADLK`. After `FUTEX_UNLOCK_PI` by A, and then by B, on their own locks, the blocked calls of B
/// and C return 0.
#[conformance::test(man = "futex(2)")]
fn cycle_of_three_locks_fails() -> Outcome {
    let words = words()?;
    let [a, b, c] = [0, 1, 2].map(|index| words.word(index));
    expect_eq!(lock_pi(a), Ok(()));
    let both = |first: &AtomicU32, second: &AtomicU32| {
        lock_pi(first)?;
        lock_pi(second)?;
        unlock_pi(second)?;
        unlock_pi(first)
    };
    let last = blocked_in("last", || both(c, a))?;
    let middle = blocked_in("middle", || both(b, c))?;
    expect_eq!(lock_pi(b), Err(EDEADLK));
    expect_eq!((unlock_pi(a), last.join()?, middle.join()?), (Ok(()), Ok(()), Ok(())));
    expect_eq!([a, b, c].map(|word| word.load(SeqCst)), [0; 3]);
    Ok(())
}
