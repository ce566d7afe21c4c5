//! Priority-inheritance (PI) locks: `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI2`, `FUTEX_TRYLOCK_PI` and `FUTEX_UNLOCK_PI`, and what they
//! store in the futex word. The death of an owner is in `pi_owner_death`, words that contradict the kernel's state in
//! `pi_inconsistency`.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{
    Fourth, OWNER_DIED, Place, TID, WAITERS, futex, lock_pi, op, own_id, trylock_pi, unlock_pi, wait, wake_op,
};
use rstest::rstest;

use super::fixture::{NONE, NONE_WOKEN, WaitingProcess, blocked_in, check_supported, woken_indexes, words};

/// No `FUTEX_PRIVATE_FLAG`.
const SHARED: u32 = 0;

/// The id of a participant as a PI lock's word holds it.
pub fn id<T>(of: &Participant<T>) -> u32 {
    of.id().as_raw().unsigned_abs()
}

/// A participant that owns the lock until the gate `unlock` is open, and then returns what `FUTEX_UNLOCK_PI` returned.
#[track_caller]
pub fn owner(name: &str, word: &AtomicU32) -> Result<WaitingProcess, Failure> {
    let owner = Participant::spawn(name, (), |(), link| {
        lock_pi(word)?;
        link.meet("unlock");
        unlock_pi(word)
    })?;
    owner.until_reached("unlock")?;
    Ok(owner)
}

/// A participant that is blocked in `FUTEX_LOCK_PI`, and afterwards owns the lock until the gate `unlock` is open.
#[track_caller]
pub fn waiter(name: &str, word: &AtomicU32) -> Result<WaitingProcess, Failure> {
    let waiter = Participant::spawn(name, (), |(), link| {
        lock_pi(word)?;
        link.meet("unlock");
        unlock_pi(word)
    })?;
    waiter.until_blocked()?;
    Ok(waiter)
}

/// `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI2` and `FUTEX_TRYLOCK_PI` on a word of 0 return 0 and store the caller's thread id in the word.
/// `FUTEX_UNLOCK_PI` returns 0 and stores 0 in the word.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn owner_id_is_stored_in_the_word(
    #[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32,
    #[values(SHARED, op::PRIVATE)] scope: u32,
) -> Outcome {
    check_supported(operation)?;
    let words = words()?;
    let word = words.word(0);
    let lock = || futex(word, operation | scope, 0, Fourth::None, Place::NULL, 0);
    expect_eq!((lock(), word.load(SeqCst)), (Ok(0), own_id()));
    let unlock = || futex(word, op::UNLOCK_PI | scope, 0, Fourth::None, Place::NULL, 0);
    expect_eq!((unlock(), word.load(SeqCst)), (Ok(0), 0));
    Ok(())
}

/// `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI2` and `FUTEX_TRYLOCK_PI` fail with `EDEADLK` if the word holds the caller's thread id, also
/// together with `FUTEX_WAITERS` or `FUTEX_OWNER_DIED`, and the word stays as it was.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn lock_by_the_owner_fails(#[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32) -> Outcome {
    check_supported(operation)?;
    let words = words()?;
    let word = words.word(0);
    for bits in [0, WAITERS, OWNER_DIED] {
        word.store(bits | own_id(), SeqCst);
        expect_eq!(futex(word, operation, 0, Fourth::None, Place::NULL, 0), Err(EDEADLK));
        expect_eq!(word.load(SeqCst), bits | own_id());
    }
    Ok(())
}

/// `FUTEX_UNLOCK_PI` on a word without waiters, in which the caller has stored its own thread id, with or without `FUTEX_WAITERS`
/// and `FUTEX_OWNER_DIED`, returns 0 and stores 0 in the word.
#[rstest]
#[case::no_flag(0)]
#[case::waiters(WAITERS)]
#[case::owner_died(OWNER_DIED)]
#[case::waiters_and_owner_died(WAITERS | OWNER_DIED)]
#[conformance::test(man = "futex(2)")]
fn unlocks_a_lock_acquired_in_user_space(#[case] flags: u32) -> Outcome {
    let words = words()?;
    words.word(0).store(flags | own_id(), SeqCst);
    expect_eq!((unlock_pi(words.word(0)), words.word(0).load(SeqCst)), (Ok(()), 0));
    Ok(())
}

/// `FUTEX_UNLOCK_PI` fails with `EPERM` if the word is 0 or holds the thread id of another process, and the word stays as it was.
#[conformance::test(man = "futex(2)")]
fn unlock_by_another_process_fails() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!((unlock_pi(word), word.load(SeqCst)), (Err(EPERM), 0));
    let owner = owner("owner", word)?;
    expect_eq!((unlock_pi(word), word.load(SeqCst)), (Err(EPERM), id(&owner)));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, word.load(SeqCst)), (Ok(()), 0));
    Ok(())
}

/// In a child forked by the owner of a lock, `FUTEX_UNLOCK_PI` fails with `EPERM` and `FUTEX_TRYLOCK_PI` fails with `EAGAIN`.
/// `FUTEX_UNLOCK_PI` in the parent then returns 0 and stores 0 in the word.
#[conformance::test(man = "futex(2)", level = customary)]
fn forked_child_does_not_own_the_lock() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let child = Participant::spawn("child", (), |(), _| (unlock_pi(word), trylock_pi(word)))?;
    expect_eq!(child.join()?, (Err(EPERM), Err(EAGAIN)));
    expect_eq!((word.load(SeqCst) & TID, unlock_pi(word), word.load(SeqCst)), (own_id(), Ok(()), 0));
    Ok(())
}

/// While a process is blocked in `FUTEX_LOCK_PI` on a lock that another process owns, the word holds `FUTEX_WAITERS` and the
/// owner's thread id.
#[conformance::test(man = "futex(2)")]
fn waiter_sets_the_waiters_bit() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = owner("owner", word)?;
    let _waiter = waiter("waiter", word)?;
    expect_eq!(word.load(SeqCst), WAITERS | id(&owner));
    Ok(())
}

/// `FUTEX_TRYLOCK_PI` on a lock that another process owns fails with `EAGAIN`, and the word keeps the owner's thread id.
#[rstest]
#[conformance::test(man = "futex(2)", level = customary)]
fn trylock_of_an_owned_lock_fails(#[values(false, true)] with_waiter: bool) -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = owner("owner", word)?;
    let _waiter = if with_waiter { Some(waiter("waiter", word)?) } else { None };
    // Without a waiter, the call may set `FUTEX_WAITERS` or not.
    let waiters = if with_waiter { WAITERS } else { NONE };
    let seen = (trylock_pi(word), word.load(SeqCst) & (TID | OWNER_DIED | waiters));
    expect_eq!(seen, (Err(EAGAIN), waiters | id(&owner)));
    Ok(())
}

/// When `FUTEX_UNLOCK_PI` returns, the word holds the thread id of one of three processes blocked in `FUTEX_LOCK_PI`, whose call
/// returns 0, and the other two stay blocked. After each of the three has called `FUTEX_UNLOCK_PI` in turn, the word is 0.
#[conformance::test(man = "futex(2)")]
fn unlock_passes_the_lock_to_one_waiter() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let waiters = [waiter("first", word)?, waiter("second", word)?, waiter("third", word)?];
    expect_eq!(unlock_pi(word), Ok(()));
    let mut order = Vec::new();
    for left in (0..3).rev() {
        let owner = word.load(SeqCst) & TID;
        let Some(number) = waiters.iter().position(|waiter| id(waiter) == owner) else {
            expect_eq!(word.load(SeqCst), WAITERS | id(&waiters[0]));
            break;
        };
        waiters[number].until_reached("unlock")?;
        expect!(!order.contains(&number), "waiter {number} owns the lock for the second time");
        order.push(number);
        if left > 0 {
            expect_eq!(word.load(SeqCst), WAITERS | owner);
        }
        let others = || waiters.iter().enumerate().filter(|(number, _)| !order.contains(number));
        others().try_for_each(|(_, waiter)| waiter.expect_still_blocked())?;
        waiters[number].open("unlock")?;
        expect_eq!(waiters[number].until_settled()?, Settled::Ended);
    }
    for waiter in waiters {
        expect_eq!(waiter.join()?, Ok(()));
    }
    expect_eq!(word.load(SeqCst), 0);
    observe!("futex.pi-lock-order", order);
    Ok(())
}

/// While the parent owns a lock in `MAP_PRIVATE` memory, `FUTEX_LOCK_PI` on this word returns 0 in a child forked before, since
/// each process has its own copy of the word. `FUTEX_WAKE_OP` by the child changes only the child's copy of its second word.
#[conformance::test(man = "futex(2)", man = "fork(2)")]
fn private_copy_after_fork_is_another_lock() -> Outcome {
    let words = Mapping::private(page_size())?;
    let (word, other) = (words.word(0), words.word(1));
    other.store(5, SeqCst);
    let child = Participant::spawn("child", (), |(), link| {
        let changed = wake_op(word, 1, other, 1, 0x1000_2000);
        link.meet("original is locked");
        let locked = lock_pi(word);
        (changed, other.load(SeqCst), locked, word.load(SeqCst) == own_id(), unlock_pi(word))
    })?;
    child.until_reached("original is locked")?;
    expect_eq!((lock_pi(word), word.load(SeqCst), other.load(SeqCst)), (Ok(()), own_id(), 5));
    child.open("original is locked")?;
    expect_eq!(child.join()?, (Ok(0), 7, Ok(()), true, Ok(())));
    expect_eq!((word.load(SeqCst), unlock_pi(word)), (own_id(), Ok(())));
    Ok(())
}

/// `FUTEX_TRYLOCK_PI` on a word of 0 and `FUTEX_UNLOCK_PI` by the owner return 0 even if `timeout` is an invalid pointer or an
/// invalid timespec and `uaddr2` is unaligned.
#[conformance::test(man = "futex(2)")]
fn trylock_and_unlock_ignore_other_arguments() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    for bad in [Fourth::BadTimeout(Place::outside()), Fourth::Timeout(conformance::sys::time::Time::new(-1, -1))] {
        let place = Place::unaligned(words.word(1), 1);
        expect_eq!((futex(word, op::TRYLOCK_PI, 9, bad, place, 9), word.load(SeqCst)), (Ok(0), own_id()));
        expect_eq!((futex(word, op::UNLOCK_PI, 9, bad, place, 9), word.load(SeqCst)), (Ok(0), 0));
    }
    Ok(())
}

/// While `FUTEX_UNLOCK_PI` passes a lock to a process blocked in `FUTEX_LOCK_PI`, a process blocked in `FUTEX_WAIT` on the word
/// at the next address stays blocked, and that word stays 0.
#[conformance::test(man = "futex(2)")]
fn waiter_of_the_next_word_stays_blocked() -> Outcome {
    let words = words()?;
    let (word, next) = (words.word(0), words.word(1));
    let all = [blocked_in("waiter of the next word", || wait(next, 0))?];
    expect_eq!(lock_pi(word), Ok(()));
    let waiter = waiter("waiter", word)?;
    expect_eq!(unlock_pi(word), Ok(()));
    waiter.until_reached("unlock")?;
    waiter.open("unlock")?;
    expect_eq!((waiter.join()?, word.load(SeqCst), next.load(SeqCst)), (Ok(()), 0, 0));
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    Ok(())
}
