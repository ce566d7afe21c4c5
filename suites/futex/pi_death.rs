//! Locks with priority inheritance, when an owner or a waiter dies: the lock goes on to those who live, and says so.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::futex::{Fourth, OWNER_DIED, Place, TID, WAITERS, futex, lock_pi, op, own_id, trylock_pi, unlock_pi};
use rstest::rstest;

use super::fixture::{Sleeper, become_sleep, if_supported, words};
use super::pi::{holder, id, waiter};

/// A waiter that is killed is passed over: the lock goes to the next, or is free where there is none.
#[conformance::test(man = "futex(2)")]
fn is_not_handed_to_the_dead() -> Outcome {
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

/// After the only waiter was killed the lock is given back as if nobody had waited.
#[conformance::test(man = "futex(2)")]
fn is_free_when_the_only_waiter_is_dead() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    waiter("waiter", word)?.kill()?;
    expect_eq!(word.load(SeqCst) & TID, own_id());
    expect_eq!((unlock_pi(word), word.load(SeqCst)), (Ok(()), 0));
    expect_eq!((lock_pi(word), word.load(SeqCst)), (Ok(()), own_id()));
    Ok(())
}

/// When the owner dies while somebody waits, exactly one waiter gets the lock, and its word says that the owner died; the others
/// sleep on. That one gives it back like any lock.
#[conformance::test(man = "futex(2)")]
fn outlives_its_owner_where_somebody_waits() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = holder("owner", word)?;
    let waiters = [waiter("first", word)?, waiter("second", word)?];
    owner.kill()?;
    let mut marks = Vec::new();
    for _ in 0..2 {
        let heir = heir(word, &waiters);
        waiters[heir].until_reached("unlock")?;
        if marks.is_empty() {
            waiters[1 - heir].expect_still_blocked()?;
        }
        marks.push(word.load(SeqCst) & OWNER_DIED);
        waiters[heir].open("unlock")?;
        expect_eq!(waiters[heir].until_settled()?, Settled::Ended);
    }
    expect_eq!((marks, word.load(SeqCst)), (vec![OWNER_DIED, 0], 0));
    Ok(())
}

/// Who of them owns the lock, once one of them does.
fn heir(word: &AtomicU32, waiters: &[Sleeper]) -> usize {
    let mut pause = Pause::default();
    loop {
        let owner = word.load(SeqCst) & TID;
        if let Some(number) = waiters.iter().position(|waiter| id(waiter) == owner) {
            return number;
        }
        pause.sleep();
    }
}

/// An owner that replaces its program has given up the lock as if it had died.
#[conformance::test(man = "futex(2)", man = "execve(2)", level = observed, needs(program("sleep")))]
fn outlives_the_program_of_its_owner() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = Participant::spawn("owner", (), |(), link| {
        lock_pi(word)?;
        link.meet("exec");
        Err::<(), Errno>(become_sleep())
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

/// When a thread ends that owns the lock, a waiter gets it, though the thread's process lives on.
#[conformance::test(man = "futex(2)")]
fn outlives_the_thread_that_owns_it() -> Outcome {
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

/// An id in the word that no thread has is refused with `ESRCH`, and the id stays in the word.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn is_lost_with_an_owner_that_nobody_waited_for(#[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    let word = words.word(0);
    let owner = holder("owner", word)?;
    let gone = id(&owner);
    owner.kill()?;
    expect_eq!(word.load(SeqCst), gone);
    expect_eq!(futex(word, operation, 0, Fourth::None, Place::NULL, 0), Err(ESRCH));
    expect_eq!(word.load(SeqCst) & !WAITERS, gone);
    observe!("futex.lock-of-the-dead-is-marked", word.load(SeqCst) & WAITERS != 0);
    Ok(())
}

/// An id that no thread can have is refused with `ESRCH` too, whether or not its owner is said to have died.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn is_not_taken_from_who_never_was(#[values(0, OWNER_DIED)] bits: u32) -> Outcome {
    let words = words()?;
    let word = words.word(0);
    word.store(bits | (TID - 1), SeqCst);
    expect_eq!((lock_pi(word), trylock_pi(word)), (Err(ESRCH), Err(ESRCH)));
    expect_eq!(word.load(SeqCst) & !WAITERS, bits | (TID - 1));
    Ok(())
}

/// What an owner that is gone left over in a word without id is no obstacle; that the owner died stays in the word of the next, and
/// waiters that are no more do not.
#[rstest]
#[case::owner_died(OWNER_DIED, OWNER_DIED)]
#[case::waiters(WAITERS, 0)]
#[case::both(WAITERS | OWNER_DIED, OWNER_DIED)]
#[conformance::test(man = "futex(2)")]
fn is_free_without_an_id(
    #[case] before: u32,
    #[case] kept: u32,
    #[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32,
) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    let word = words.word(0);
    word.store(before, SeqCst);
    expect_eq!(futex(word, operation, 0, Fourth::None, Place::NULL, 0), Ok(0));
    expect_eq!(word.load(SeqCst), kept | own_id());
    Ok(())
}

/// An owner that gives the lock back to one who waits has seen to it that an owner died before: the next is not told of it again.
#[conformance::test(man = "futex(2)")]
fn is_handed_on_without_the_mark_of_the_dead() -> Outcome {
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

/// An heir that dies too before it has seen to it leaves the mark to the next.
#[conformance::test(man = "futex(2)")]
fn keeps_the_mark_of_the_dead_until_somebody_sees_to_it() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let owner = holder("owner", word)?;
    let mut waiters = vec![waiter("first", word)?, waiter("second", word)?];
    owner.kill()?;
    let first = waiters.remove(heir(word, &waiters));
    first.until_reached("unlock")?;
    expect_eq!(word.load(SeqCst) & OWNER_DIED, OWNER_DIED);
    first.kill()?;
    expect_eq!(heir(word, &waiters), 0);
    waiters[0].until_reached("unlock")?;
    expect_eq!(word.load(SeqCst) & !WAITERS, OWNER_DIED | id(&waiters[0]));
    Ok(())
}
