//! PI locks whose word contradicts the kernel's state: another owner than the waiters wait for, plain waiters on the word of a
//! lock, and operations for plain words on a lock. The errors, and that all waiters stay blocked.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{
    Fourth, OWNER_DIED, Place, TID, WAITERS, futex, lock_pi, op, own_id, requeue, unlock_pi, wake, wake_op,
};
use rstest::rstest;

use super::fixture::{ALL, NONE, check_supported, waiters, woken_indexes, words};
use super::pi_lock::{id, owner, waiter};

/// While a process is blocked in `FUTEX_WAIT` on the word of an owned lock, `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI2` and
/// `FUTEX_TRYLOCK_PI` by another process and `FUTEX_UNLOCK_PI` by the owner fail with `EINVAL`. The waiter stays blocked until
/// `FUTEX_WAKE`, which returns 1.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn word_with_plain_waiters_cannot_be_locked(#[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32) -> Outcome {
    check_supported(operation)?;
    let words = words()?;
    let word = words.word(0);
    let owner = owner("owner", word)?;
    let all = waiters(1, word)?;
    expect_eq!(futex(word, operation, 0, Fourth::None, Place::NULL, 0), Err(EINVAL));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, woken_indexes(&all)?), (Err(EINVAL), vec![]));
    expect_eq!((wake(word, ALL), woken_indexes(&all)?), (Ok(1), vec![0]));
    Ok(())
}

/// `FUTEX_WAKE`, `FUTEX_REQUEUE` and `FUTEX_WAKE_OP` on a word with a process blocked in `FUTEX_LOCK_PI` fail with `EINVAL`, and
/// the process stays blocked. After `FUTEX_UNLOCK_PI` by the owner, its `FUTEX_LOCK_PI` returns 0.
#[conformance::test(man = "futex(2)")]
fn plain_wake_and_requeue_of_a_lock_waiter_fail() -> Outcome {
    let words = words()?;
    let (word, other) = (words.word(0), words.word(1));
    expect_eq!(lock_pi(word), Ok(()));
    let all = [waiter("waiter", word)?];
    expect_eq!((wake(word, 1), requeue(word, 1, other, 1), requeue(word, 0, other, 1)), (Err(EINVAL), Err(EINVAL), Err(EINVAL)));
    // The first one stores 0 in the other word, which is 0. The second one sets no bit in the word, and compares it with `< 0`.
    expect_eq!((wake_op(word, 1, other, 1, 0), wake_op(other, 1, word, 1, 0x2200_0000)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((woken_indexes(&all)?, word.load(SeqCst)), (vec![], WAITERS | own_id()));
    expect_eq!(unlock_pi(word), Ok(()));
    all[0].until_reached("unlock")?;
    Ok(())
}

/// If the owner's thread id in the word of a lock with a process blocked in `FUTEX_LOCK_PI` was overwritten by another id or by
/// 0, `FUTEX_UNLOCK_PI` by the owner fails with `EPERM` and `FUTEX_LOCK_PI` by a third process fails with `EINVAL`. The blocked
/// process stays blocked.
#[rstest]
#[case::another_id(1, EPERM)]
#[case::no_id(0, EPERM)]
#[conformance::test(man = "futex(2)")]
fn overwritten_owner_id_fails(#[case] overwritten: u32, #[case] expected: Errno) -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let waiter = waiter("waiter", word)?;
    word.store(WAITERS | overwritten, SeqCst);
    expect_eq!(unlock_pi(word), Err(expected));
    let other = Participant::spawn("other", (), |(), _| lock_pi(word))?;
    expect_eq!((other.join()?, word.load(SeqCst)), (Err(EINVAL), WAITERS | overwritten));
    waiter.expect_still_blocked()?;
    word.store(WAITERS | own_id(), SeqCst);
    expect_eq!(unlock_pi(word), Ok(()));
    waiter.until_reached("unlock")?;
    Ok(())
}

/// `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI2` and `FUTEX_TRYLOCK_PI` fail with `EPERM` if the word holds the id of a kernel thread, and
/// the word keeps that id.
#[rstest]
#[conformance::test(man = "futex(2)", needs(procfs, file("/proc/2/stat")), ambient)]
fn kernel_thread_as_owner_fails(
    #[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32,
    #[values(NONE, WAITERS)] flag: u32,
) -> Outcome {
    /// `PF_KTHREAD`.
    const KERNEL_THREAD: u64 = 0x0020_0000;
    check_supported(operation)?;
    let stat = std::fs::read_to_string("/proc/2/stat")?;
    let flags = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(6)?.parse().ok()).unwrap_or(0_u64);
    if flags & KERNEL_THREAD == 0 {
        return Err(Failure::untested("process 2 to be a kernel thread"));
    }
    let words = words()?;
    let word = words.word(0);
    word.store(flag | 2, SeqCst);
    expect_eq!((futex(word, operation, 0, Fourth::None, Place::NULL, 0), word.load(SeqCst) & TID), (Err(EPERM), 2));
    Ok(())
}

/// If a process is blocked in `FUTEX_LOCK_PI` and the word was overwritten with `FUTEX_WAITERS` and the owner's thread id,
/// `FUTEX_OWNER_DIED` or both, `FUTEX_LOCK_PI` by another process blocks too. If the word was overwritten with `FUTEX_WAITERS`
/// alone, `FUTEX_LOCK_PI` by another process fails with `EINVAL`. The first process stays blocked in each situation.
#[rstest]
#[case::owner_id(0, true, true)]
#[case::owner_id_and_owner_died(OWNER_DIED, true, true)]
#[case::owner_died_without_id(OWNER_DIED, false, true)]
#[case::neither(0, false, false)]
#[conformance::test(man = "futex(2)", level = customary)]
fn second_lock_needs_a_consistent_word(#[case] flag: u32, #[case] named: bool, #[case] consistent: bool) -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let first = waiter("first", word)?;
    word.store(WAITERS | flag | if named { own_id() } else { 0 }, SeqCst);
    let second = Participant::spawn("second", (), |(), _| lock_pi(word))?;
    if consistent {
        second.until_blocked()?;
        second.kill()?;
    } else {
        expect_eq!(second.join()?, Err(EINVAL));
    }
    first.expect_still_blocked()?;
    Ok(())
}

/// If a process is blocked in `FUTEX_LOCK_PI` on a lock of another owner, and the caller, not the owner, has stored
/// `FUTEX_WAITERS` and its own thread id in the word, `FUTEX_UNLOCK_PI` by the caller fails with `EINVAL`. The word stays as it
/// was and the waiter stays blocked.
#[conformance::test(man = "futex(2)")]
fn unlock_with_an_overwritten_owner_id_fails() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = owner("owner", word)?;
    let waiter = waiter("waiter", word)?;
    word.store(WAITERS | own_id(), SeqCst);
    expect_eq!((unlock_pi(word), word.load(SeqCst)), (Err(EINVAL), WAITERS | own_id()));
    waiter.expect_still_blocked()?;
    word.store(WAITERS | id(&owner), SeqCst);
    owner.open("unlock")?;
    waiter.until_reached("unlock")?;
    expect_eq!(owner.join()?, Ok(()));
    Ok(())
}
