//! The fixture: futex words in shared memory, and participants that are blocked in a futex operation.
//!
//! The cases call the kernel directly. No C library's mutex, semaphore or condition variable is used.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{Fourth, Place, futex, is_missing, op, wait};

/// Seconds to a timeout that does not expire while a case runs: years, as `CLOCK_REALTIME` may be set forward by hours.
pub const FAR_FUTURE: i64 = 180_000_000;

/// The limit of a `FUTEX_WAKE` that wakes all waiters (`INT_MAX`).
pub const ALL: u32 = i32::MAX.cast_unsigned();

/// What [`woken_indexes`] returns while all participants are blocked.
pub const NONE_WOKEN: [usize; 0] = [];

/// No flag bit (`FUTEX_WAITERS`, `FUTEX_OWNER_DIED`) in a word.
pub const NONE: u32 = 0;

/// A participant that waits, and returns what its futex operation returned.
pub type WaitingProcess = Participant<Result<(), Errno>>;

/// A page of futex words, all 0, in a shared mapping that participants forked later inherit.
pub fn words() -> Result<Mapping, Errno> {
    Mapping::anonymous(page_size())
}

/// Ends the case as unsupported if the kernel does not know the operation. The newest one is `FUTEX_LOCK_PI2`.
#[track_caller]
pub fn check_supported(operation: u32) -> Outcome {
    let words = words()?;
    if operation & !(op::PRIVATE | op::CLOCK_REALTIME) == op::LOCK_PI2
        && is_missing(&futex(words.word(0), op::LOCK_PI2, 0, Fourth::None, Place::NULL, 0))
    {
        unsupported!("FUTEX_LOCK_PI2", ENOSYS);
    }
    Ok(())
}

/// A participant that makes the call and is blocked in it.
#[track_caller]
pub fn blocked_in(name: &str, call: impl FnOnce() -> Result<(), Errno>) -> Result<WaitingProcess, Failure> {
    let waiter = Participant::spawn(name, (), |(), _| call())?;
    waiter.until_blocked()?;
    Ok(waiter)
}

/// So many participants that are blocked in `FUTEX_WAIT` on a word, in this order.
#[track_caller]
pub fn waiters(count: usize, word: &AtomicU32) -> Result<Vec<WaitingProcess>, Failure> {
    let mut all = Vec::new();
    for number in 0..count {
        all.push(blocked_in(&format!("waiter {number}"), || wait(word, word.load(SeqCst)))?);
    }
    Ok(all)
}

/// The indexes of the participants that have returned; all others are blocked.
pub fn woken_indexes<T>(all: &[Participant<T>]) -> Result<Vec<usize>, Errno> {
    let mut numbers = Vec::new();
    for (number, one) in all.iter().enumerate() {
        if one.until_settled()? == Settled::Ended {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// A number of participants in the type that futex operations return.
pub fn count(participants: usize) -> u32 {
    u32::try_from(participants).unwrap_or(u32::MAX)
}

/// What each participant returned. Waits for their end.
#[track_caller]
pub fn returned<T: conformance::process::Value>(all: Vec<Participant<T>>) -> Result<Vec<T>, Failure> {
    let mut values = Vec::new();
    for one in all {
        values.push(one.join()?);
    }
    Ok(values)
}

/// Executes `sleep` in place of the calling process's program; returns only if that fails.
pub fn exec_sleep() -> Errno {
    std::os::unix::process::CommandExt::exec(std::process::Command::new("sleep").arg("3600")).into()
}
