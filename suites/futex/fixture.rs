//! What the cases about futexes share: words that all participants see, and participants that sleep on them.
//!
//! These cases are about the kernel's part of shared mutexes, semaphores and condition variables; the C library has no part in
//! them.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{Fourth, Place, futex, is_missing, op, wait};

/// Seconds to a time that does not come while a case runs: years, as a clock of the day may be set forward by hours.
pub const FAR_AWAY: i64 = 180_000_000;

/// As many as there are.
pub const ALL: u32 = i32::MAX.cast_unsigned();

/// What [`awake`] says where all are asleep.
pub const NOBODY: [usize; 0] = [];

/// A participant that waits, and returns what its wait returned.
pub type Sleeper = Participant<Result<(), Errno>>;

/// A page of words, all 0, that the participants forked later share.
pub fn words() -> Result<Mapping, Errno> {
    Mapping::anonymous(page_size())
}

/// Ends the case as unsupported where the kernel does not know the operation (the youngest is `FUTEX_LOCK_PI2`).
#[track_caller]
pub fn if_supported(operation: u32) -> Outcome {
    let words = words()?;
    if operation & !(op::PRIVATE | op::CLOCK_REALTIME) == op::LOCK_PI2
        && is_missing(&futex(words.word(0), op::LOCK_PI2, 0, Fourth::None, Place::NULL, 0))
    {
        unsupported!("FUTEX_LOCK_PI2", ENOSYS);
    }
    Ok(())
}

/// A participant that makes the call and is asleep in it.
#[track_caller]
pub fn sleeper(name: &str, call: impl FnOnce() -> Result<(), Errno>) -> Result<Sleeper, Failure> {
    let sleeper = Participant::spawn(name, (), |(), _| call())?;
    sleeper.until_blocked()?;
    Ok(sleeper)
}

/// So many participants that wait on a word, in this order.
#[track_caller]
pub fn sleepers(count: usize, word: &AtomicU32) -> Result<Vec<Sleeper>, Failure> {
    let mut all = Vec::new();
    for number in 0..count {
        all.push(sleeper(&format!("sleeper {number}"), || wait(word, word.load(SeqCst)))?);
    }
    Ok(all)
}

/// Which of them have ended; all others are asleep.
pub fn awake<T>(all: &[Participant<T>]) -> Result<Vec<usize>, Errno> {
    let mut numbers = Vec::new();
    for (number, one) in all.iter().enumerate() {
        if one.until_settled()? == Settled::Ended {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// A number of participants, as the kernel counts them.
pub fn count(participants: usize) -> u32 {
    u32::try_from(participants).unwrap_or(u32::MAX)
}

/// What each of them returned. They have ended, or are about to.
#[track_caller]
pub fn returned<T: conformance::process::Value>(all: Vec<Participant<T>>) -> Result<Vec<T>, Failure> {
    let mut values = Vec::new();
    for one in all {
        values.push(one.join()?);
    }
    Ok(values)
}

/// Replaces the calling process's program by one that sleeps; returns only if it cannot.
pub fn become_sleep() -> Errno {
    std::os::unix::process::CommandExt::exec(std::process::Command::new("sleep").arg("3600")).into()
}
