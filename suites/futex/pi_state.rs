//! Locks with priority inheritance, where word and waiters do not fit: what the kernel refuses, and that nobody is lost by it.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{
    Fourth, OWNER_DIED, Place, TID, WAITERS, futex, lock_pi, op, own_id, requeue, unlock_pi, wake, wake_op,
};
use rstest::rstest;

use super::fixture::{ALL, awake, if_supported, sleeper, sleepers, words};
use super::pi::{holder, id, waiter};

/// A word on which somebody waits without wanting the lock is no lock: taking it is refused with `EINVAL` where an owner stands in
/// it, and so is giving it back; the waiter sleeps on.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn is_no_word_to_wait_on(#[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    let word = words.word(0);
    let holder = holder("holder", word)?;
    let all = sleepers(1, word)?;
    expect_eq!(futex(word, operation, 0, Fourth::None, Place::NULL, 0), Err(EINVAL));
    holder.open("unlock")?;
    expect_eq!((holder.join()?, awake(&all)?), (Err(EINVAL), vec![]));
    expect_eq!((wake(word, ALL), awake(&all)?), (Ok(1), vec![0]));
    Ok(())
}

/// A waiter for a lock is not woken or moved by the operations for plain words: they are refused with `EINVAL`, the waiter sleeps
/// on, and gets the lock.
#[conformance::test(man = "futex(2)")]
fn is_no_word_to_wake_at() -> Outcome {
    let words = words()?;
    let (word, other) = (words.word(0), words.word(1));
    expect_eq!(lock_pi(word), Ok(()));
    let all = [waiter("waiter", word)?];
    expect_eq!((wake(word, 1), requeue(word, 1, other, 1), requeue(word, 0, other, 1)), (Err(EINVAL), Err(EINVAL), Err(EINVAL)));
    // The first sets the other word to 0, which it is; the second adds no bit to the word, and asks whether it is negative.
    expect_eq!((wake_op(word, 1, other, 1, 0), wake_op(other, 1, word, 1, 0x2200_0000)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((awake(&all)?, word.load(SeqCst)), (vec![], WAITERS | own_id()));
    expect_eq!(unlock_pi(word), Ok(()));
    all[0].until_reached("unlock")?;
    Ok(())
}

/// Where the word no longer names the owner whom waiters wait for, neither its giving it back nor another's asking for it is granted.
#[rstest]
#[case::another(1, EPERM)]
#[case::nobody(0, EPERM)]
#[conformance::test(man = "futex(2)")]
fn cannot_be_had_where_the_word_is_spoilt(#[case] spoilt: u32, #[case] expected: Errno) -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let waiter = waiter("waiter", word)?;
    word.store(WAITERS | spoilt, SeqCst);
    expect_eq!(unlock_pi(word), Err(expected));
    let other = Participant::spawn("other", (), |(), _| lock_pi(word))?;
    expect_eq!((other.join()?, word.load(SeqCst)), (Err(EINVAL), WAITERS | spoilt));
    waiter.expect_still_blocked()?;
    word.store(WAITERS | own_id(), SeqCst);
    expect_eq!(unlock_pi(word), Ok(()));
    waiter.until_reached("unlock")?;
    Ok(())
}

/// A thread of the kernel's own holds no lock of a program: whoever finds its number in the word is refused with `EPERM` and does not
/// wait, and the word names it still.
#[rstest]
#[conformance::test(man = "futex(2)", needs(procfs, file("/proc/2/stat")), ambient)]
fn cannot_name_a_thread_of_the_kernel(
    #[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32,
    #[values(0, WAITERS)] mark: u32,
) -> Outcome {
    /// `PF_KTHREAD`.
    const OF_THE_KERNEL: u64 = 0x0020_0000;
    if_supported(operation)?;
    let stat = std::fs::read_to_string("/proc/2/stat")?;
    let flags = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(6)?.parse().ok()).unwrap_or(0_u64);
    if flags & OF_THE_KERNEL == 0 {
        let why = "process 2 to be a thread of the kernel";
        return Err(Failure::untested(why));
    }
    let words = words()?;
    let word = words.word(0);
    word.store(mark | 2, SeqCst);
    expect_eq!((futex(word, operation, 0, Fourth::None, Place::NULL, 0), word.load(SeqCst) & TID), (Err(EPERM), 2));
    Ok(())
}

/// With somebody waiting already, another may wait too as long as the word names the owner, or nobody because its owner is said to
/// have died; where it names another, or nobody without that reason, it is refused with `EINVAL`.
#[rstest]
#[case::owner(0, true, true)]
#[case::owner_said_to_have_died(OWNER_DIED, true, true)]
#[case::nobody_as_the_owner_is_said_to_have_died(OWNER_DIED, false, true)]
#[case::nobody(0, false, false)]
#[conformance::test(man = "futex(2)")]
fn lets_others_wait_where_the_word_is_sound(#[case] bits: u32, #[case] named: bool, #[case] sound: bool) -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let first = waiter("first", word)?;
    word.store(WAITERS | bits | if named { own_id() } else { 0 }, SeqCst);
    let second = Participant::spawn("second", (), |(), _| lock_pi(word))?;
    if sound {
        second.until_blocked()?;
        second.kill()?;
    } else {
        expect_eq!(second.join()?, Err(EINVAL));
    }
    first.expect_still_blocked()?;
    Ok(())
}

/// Giving back a lock whose word names the caller, but whose waiters wait for another, is refused with `EINVAL`.
#[conformance::test(man = "futex(2)")]
fn cannot_be_given_back_for_another() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let holder = holder("holder", word)?;
    let waiter = waiter("waiter", word)?;
    word.store(WAITERS | own_id(), SeqCst);
    expect_eq!((unlock_pi(word), word.load(SeqCst)), (Err(EINVAL), WAITERS | own_id()));
    waiter.expect_still_blocked()?;
    word.store(WAITERS | id(&holder), SeqCst);
    holder.open("unlock")?;
    waiter.until_reached("unlock")?;
    expect_eq!(holder.join()?, Ok(()));
    Ok(())
}

/// Two processes that each hold a lock and want the other's cannot both wait: the second is refused with `EDEADLK`, holds what it
/// held, and by giving that back lets the first go on.
#[conformance::test(man = "futex(2)")]
fn does_not_wait_in_a_circle() -> Outcome {
    let words = words()?;
    let (own, other) = (words.word(0), words.word(1));
    expect_eq!(lock_pi(own), Ok(()));
    let rival = sleeper("rival", || {
        lock_pi(other)?;
        lock_pi(own)?;
        unlock_pi(own)?;
        unlock_pi(other)
    })?;
    expect_eq!(lock_pi(other), Err(EDEADLK));
    expect_eq!((own.load(SeqCst), other.load(SeqCst) & TID), (WAITERS | own_id(), id(&rival)));
    expect_eq!((unlock_pi(own), rival.join()?), (Ok(()), Ok(())));
    expect_eq!((own.load(SeqCst), other.load(SeqCst), lock_pi(other)), (0, 0, Ok(())));
    Ok(())
}

/// A circle of three is found too.
#[conformance::test(man = "futex(2)")]
fn does_not_wait_in_a_wider_circle() -> Outcome {
    let words = words()?;
    let [a, b, c] = [0, 1, 2].map(|index| words.word(index));
    expect_eq!(lock_pi(a), Ok(()));
    let both = |first: &AtomicU32, second: &AtomicU32| {
        lock_pi(first)?;
        lock_pi(second)?;
        unlock_pi(second)?;
        unlock_pi(first)
    };
    let last = sleeper("last", || both(c, a))?;
    let middle = sleeper("middle", || both(b, c))?;
    expect_eq!(lock_pi(b), Err(EDEADLK));
    expect_eq!((unlock_pi(a), last.join()?, middle.join()?), (Ok(()), Ok(()), Ok(())));
    expect_eq!([a, b, c].map(|word| word.load(SeqCst)), [0; 3]);
    Ok(())
}
