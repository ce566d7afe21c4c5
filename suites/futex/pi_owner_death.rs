//! PI locks whose owner or waiter is killed, exits or calls `execve`, without a robust list: who acquires the lock, and when
//! `FUTEX_OWNER_DIED` is set in its word. Entries of robust lists are in `robust_list_pending`.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::futex::{Fourth, OWNER_DIED, Place, TID, WAITERS, futex, lock_pi, op, own_id, trylock_pi, unlock_pi};
use rstest::rstest;

use super::fixture::{NONE, WaitingProcess, check_supported, exec_sleep, words};
use super::pi_lock::{id, owner, waiter};

/// If the first and the third of three processes blocked in `FUTEX_LOCK_PI` are killed, `FUTEX_UNLOCK_PI` by the owner returns 0
/// and the call of the second process returns 0. After `FUTEX_UNLOCK_PI` by the second process the word is 0.
#[conformance::test(man = "futex(2)")]
fn killed_waiters_are_skipped() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let (first, second, third) = (waiter("first", word)?, waiter("second", word)?, waiter("third", word)?);
    first.kill()?;
    third.kill()?;
    second.expect_still_blocked()?;
    expect_eq!(unlock_pi(word), Ok(()));
    second.until_reached("unlock")?;
    expect_eq!(word.load(SeqCst) & !WAITERS, id(&second));
    second.open("unlock")?;
    expect_eq!((second.join()?, word.load(SeqCst)), (Ok(()), 0));
    Ok(())
}

/// After the only process blocked in `FUTEX_LOCK_PI` was killed, the owner's `FUTEX_UNLOCK_PI` returns 0 and stores 0 in the
/// word.
#[conformance::test(man = "futex(2)")]
fn unlock_after_the_only_waiter_was_killed() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    waiter("waiter", word)?.kill()?;
    expect_eq!(word.load(SeqCst) & TID, own_id());
    expect_eq!((unlock_pi(word), word.load(SeqCst)), (Ok(()), 0));
    expect_eq!((lock_pi(word), word.load(SeqCst)), (Ok(()), own_id()));
    Ok(())
}

/// If the owner is killed while two processes are blocked in `FUTEX_LOCK_PI`, the call returns 0 in one of them, with
/// `FUTEX_OWNER_DIED` set in the word. The call of the other returns 0 after `FUTEX_UNLOCK_PI` by the first, without
/// `FUTEX_OWNER_DIED` in the word.
#[conformance::test(man = "futex(2)")]
fn killed_owner_passes_the_lock_to_one_waiter() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = owner("owner", word)?;
    let waiters = [waiter("first", word)?, waiter("second", word)?];
    owner.kill()?;
    let mut flags = Vec::new();
    for _ in 0..2 {
        let new = new_owner(word, &waiters);
        waiters[new].until_reached("unlock")?;
        if flags.is_empty() {
            waiters[1 - new].expect_still_blocked()?;
        }
        flags.push(word.load(SeqCst) & OWNER_DIED);
        waiters[new].open("unlock")?;
        expect_eq!(waiters[new].until_settled()?, Settled::Ended);
    }
    expect_eq!((flags, word.load(SeqCst)), (vec![OWNER_DIED, 0], 0));
    Ok(())
}

/// The index of the waiter that owns the lock. Waits until one of them does.
fn new_owner(word: &AtomicU32, waiters: &[WaitingProcess]) -> usize {
    let mut pause = Pause::default();
    loop {
        let owner = word.load(SeqCst) & TID;
        if let Some(number) = waiters.iter().position(|waiter| id(waiter) == owner) {
            return number;
        }
        pause.sleep();
    }
}

/// If the owner of a PI lock calls `execve` while another process is blocked in `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI` returns 0 in that
/// process, and the word holds `FUTEX_OWNER_DIED` and the thread id of that process.
#[conformance::test(man = "futex(2)", man = "execve(2)", level = customary, needs(program("sleep")))]
fn execve_of_the_owner_passes_the_lock() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = Participant::spawn("owner", (), |(), link| {
        lock_pi(word)?;
        link.meet("exec");
        Err::<(), Errno>(exec_sleep())
    })?;
    owner.until_reached("exec")?;
    let waiter = waiter("waiter", word)?;
    owner.open("exec")?;
    waiter.until_reached("unlock")?;
    expect_eq!(word.load(SeqCst) & !WAITERS, OWNER_DIED | id(&waiter));
    waiter.open("unlock")?;
    expect_eq!((waiter.join()?, word.load(SeqCst)), (Ok(()), 0));
    Ok(())
}

/// If the thread that owns a PI lock exits while its process lives on, `FUTEX_LOCK_PI` returns 0 in another process that is
/// blocked in it, and the word holds `FUTEX_OWNER_DIED` and the thread id of that other process.
#[conformance::test(man = "futex(2)")]
fn exit_of_the_owner_thread_passes_the_lock() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let process = Participant::spawn("process", (), |(), link| {
        let ended = std::thread::scope(|scope| {
            let owner = scope.spawn(|| {
                let locked = lock_pi(word);
                let owned = word.load(SeqCst) == own_id() && own_id() != std::process::id();
                link.meet("end");
                (locked, owned)
            });
            owner.join().unwrap_or((Err(EIO), false))
        });
        link.meet("stay");
        ended
    })?;
    process.until_reached("end")?;
    let waiter = waiter("waiter", word)?;
    process.open("end")?;
    process.until_reached("stay")?;
    waiter.until_reached("unlock")?;
    expect_eq!(word.load(SeqCst) & !WAITERS, OWNER_DIED | id(&waiter));
    process.open("stay")?;
    expect_eq!(process.join()?, (Ok(()), true));
    Ok(())
}

/// If the owner was killed while no process was blocked in `FUTEX_LOCK_PI` and the lock was on no robust list, `FUTEX_LOCK_PI`,
/// `FUTEX_LOCK_PI2` and `FUTEX_TRYLOCK_PI` fail with `ESRCH`, and the word keeps the killed owner's thread id.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn lock_of_a_killed_owner_fails(#[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32) -> Outcome {
    check_supported(operation)?;
    let words = words()?;
    let word = words.word(0);
    let owner = owner("owner", word)?;
    let killed = id(&owner);
    owner.kill()?;
    expect_eq!(word.load(SeqCst), killed);
    expect_eq!(futex(word, operation, 0, Fourth::None, Place::NULL, 0), Err(ESRCH));
    expect_eq!(word.load(SeqCst) & !WAITERS, killed);
    observe!("futex.lock-of-killed-owner-sets-waiters", word.load(SeqCst) & WAITERS != 0);
    Ok(())
}

/// `FUTEX_LOCK_PI` and `FUTEX_TRYLOCK_PI` fail with `ESRCH` if the word holds a thread id that no thread has, with or without
/// `FUTEX_OWNER_DIED`, and the word keeps that id.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn unused_thread_id_in_the_word_fails(#[values(NONE, OWNER_DIED)] flag: u32) -> Outcome {
    let words = words()?;
    let word = words.word(0);
    word.store(flag | (TID - 1), SeqCst);
    expect_eq!((lock_pi(word), trylock_pi(word)), (Err(ESRCH), Err(ESRCH)));
    expect_eq!(word.load(SeqCst) & !WAITERS, flag | (TID - 1));
    Ok(())
}

/// `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI2` and `FUTEX_TRYLOCK_PI` return 0 on a word without waiters that holds `FUTEX_OWNER_DIED`,
/// `FUTEX_WAITERS` or both, but no thread id. The word then holds the caller's thread id, `FUTEX_OWNER_DIED` if it was set
/// before, and no `FUTEX_WAITERS`.
#[rstest]
#[case::owner_died(OWNER_DIED, OWNER_DIED)]
#[case::waiters(WAITERS, 0)]
#[case::owner_died_and_waiters(WAITERS | OWNER_DIED, OWNER_DIED)]
#[conformance::test(man = "futex(2)", level = customary)]
fn word_without_thread_id_can_be_locked(
    #[case] before: u32,
    #[case] kept: u32,
    #[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32,
) -> Outcome {
    check_supported(operation)?;
    let words = words()?;
    let word = words.word(0);
    word.store(before, SeqCst);
    expect_eq!(futex(word, operation, 0, Fourth::None, Place::NULL, 0), Ok(0));
    expect_eq!(word.load(SeqCst), kept | own_id());
    Ok(())
}

/// If the word of a lock holds `FUTEX_OWNER_DIED` and a process is blocked in `FUTEX_LOCK_PI`, `FUTEX_UNLOCK_PI` by the owner
/// returns 0 and stores `FUTEX_WAITERS` and that process's thread id in the word, without `FUTEX_OWNER_DIED`.
#[conformance::test(man = "futex(2)", level = customary)]
fn unlock_clears_owner_died_for_the_new_owner() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    word.store(OWNER_DIED, SeqCst);
    expect_eq!((lock_pi(word), word.load(SeqCst)), (Ok(()), OWNER_DIED | own_id()));
    let waiter = waiter("waiter", word)?;
    expect_eq!(word.load(SeqCst), WAITERS | OWNER_DIED | own_id());
    expect_eq!((unlock_pi(word), word.load(SeqCst)), (Ok(()), WAITERS | id(&waiter)));
    waiter.until_reached("unlock")?;
    waiter.open("unlock")?;
    expect_eq!((waiter.join()?, word.load(SeqCst)), (Ok(()), 0));
    Ok(())
}

/// If the owner of a lock is killed and a blocked process acquires the lock, but is killed before `FUTEX_UNLOCK_PI`,
/// `FUTEX_LOCK_PI` returns 0 in the next blocked process, and the word holds `FUTEX_OWNER_DIED` and its thread id.
#[conformance::test(man = "futex(2)")]
fn second_killed_owner_sets_owner_died_again() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = owner("owner", word)?;
    let mut waiters = vec![waiter("first", word)?, waiter("second", word)?];
    owner.kill()?;
    let first = waiters.remove(new_owner(word, &waiters));
    first.until_reached("unlock")?;
    expect_eq!(word.load(SeqCst) & OWNER_DIED, OWNER_DIED);
    first.kill()?;
    expect_eq!(new_owner(word, &waiters), 0);
    waiters[0].until_reached("unlock")?;
    expect_eq!(word.load(SeqCst) & !WAITERS, OWNER_DIED | id(&waiters[0]));
    Ok(())
}
