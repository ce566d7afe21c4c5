//! Locks with priority inheritance: the word names the owner, and the kernel hands it over. What becomes of it when somebody dies
//! stands in `futex_pi_death`, what the kernel does not put up with in `futex_pi_state`.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{
    Fourth, OWNER_DIED, Place, TID, WAITERS, futex, lock_pi, op, own_id, trylock_pi, unlock_pi, wait, wake_op,
};
use rstest::rstest;

use super::fixture::{NOBODY, Sleeper, awake, if_supported, sleeper, words};

/// The id of a participant as it stands in a word.
pub fn id<T>(of: &Participant<T>) -> u32 {
    of.id().as_raw().unsigned_abs()
}

/// A participant that holds the lock until it may pass `unlock`, and then returns what unlocking it returned.
#[track_caller]
pub fn holder(name: &str, word: &AtomicU32) -> Result<Sleeper, Failure> {
    let holder = Participant::spawn(name, (), |(), link| {
        lock_pi(word)?;
        link.meet("unlock");
        unlock_pi(word)
    })?;
    holder.until_reached("unlock")?;
    Ok(holder)
}

/// A participant that waits for the lock, and then keeps it until it may pass `unlock`.
#[track_caller]
pub fn waiter(name: &str, word: &AtomicU32) -> Result<Sleeper, Failure> {
    let waiter = Participant::spawn(name, (), |(), link| {
        lock_pi(word)?;
        link.meet("unlock");
        unlock_pi(word)
    })?;
    waiter.until_blocked()?;
    Ok(waiter)
}

/// A free lock is taken by putting the caller's id into the word, and given back by making it 0.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn puts_the_owner_into_the_word(
    #[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32,
    #[values(0, op::PRIVATE)] option: u32,
) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    let word = words.word(0);
    let lock = || futex(word, operation | option, 0, Fourth::None, Place::NULL, 0);
    expect_eq!((lock(), word.load(SeqCst)), (Ok(0), own_id()));
    let unlock = || futex(word, op::UNLOCK_PI | option, 0, Fourth::None, Place::NULL, 0);
    expect_eq!((unlock(), word.load(SeqCst)), (Ok(0), 0));
    Ok(())
}

/// Who owns the lock is refused with `EDEADLK` where it asks for it again, and owns it still.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn is_not_given_to_its_owner(#[values(op::LOCK_PI, op::LOCK_PI2, op::TRYLOCK_PI)] operation: u32) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    let word = words.word(0);
    for bits in [0, WAITERS, OWNER_DIED] {
        word.store(bits | own_id(), SeqCst);
        expect_eq!(futex(word, operation, 0, Fourth::None, Place::NULL, 0), Err(EDEADLK));
        expect_eq!(word.load(SeqCst), bits | own_id());
    }
    Ok(())
}

/// A lock that was taken in user space, by putting the id into the word, is the caller's to give back, with whatever bits are left
/// over in it.
#[rstest]
#[case::plain(0)]
#[case::with_waiters_that_are_gone(WAITERS)]
#[case::with_an_owner_that_died(OWNER_DIED)]
#[case::with_both(WAITERS | OWNER_DIED)]
#[conformance::test(man = "futex(2)")]
fn can_be_taken_in_user_space(#[case] bits: u32) -> Outcome {
    let words = words()?;
    words.word(0).store(bits | own_id(), SeqCst);
    expect_eq!((unlock_pi(words.word(0)), words.word(0).load(SeqCst)), (Ok(()), 0));
    Ok(())
}

/// Who is not the owner cannot give a lock back: `EPERM`, and the word stays as it is.
#[conformance::test(man = "futex(2)")]
fn is_given_back_by_its_owner_only() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!((unlock_pi(word), word.load(SeqCst)), (Err(EPERM), 0));
    let holder = holder("holder", word)?;
    expect_eq!((unlock_pi(word), word.load(SeqCst)), (Err(EPERM), id(&holder)));
    holder.open("unlock")?;
    expect_eq!((holder.join()?, word.load(SeqCst)), (Ok(()), 0));
    Ok(())
}

/// A process that is forked by the owner does not own the lock, and neither gives it back nor takes it twice.
#[conformance::test(man = "futex(2)")]
fn is_not_inherited() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    expect_eq!(lock_pi(word), Ok(()));
    let child = Participant::spawn("child", (), |(), _| (unlock_pi(word), trylock_pi(word)))?;
    expect_eq!(child.join()?, (Err(EPERM), Err(EAGAIN)));
    expect_eq!((word.load(SeqCst) & TID, unlock_pi(word), word.load(SeqCst)), (own_id(), Ok(()), 0));
    Ok(())
}

/// Who asks for a lock that another holds sleeps, and the word says that there is somebody who waits; trying only fails with
/// `EAGAIN`.
#[conformance::test(man = "futex(2)")]
fn says_that_somebody_waits() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let holder = holder("holder", word)?;
    let _waiter = waiter("waiter", word)?;
    expect_eq!(word.load(SeqCst), WAITERS | id(&holder));
    expect_eq!((trylock_pi(word), word.load(SeqCst)), (Err(EAGAIN), WAITERS | id(&holder)));
    Ok(())
}

/// Giving the lock back hands it to one waiter, whose id is in the word before it wakes; the others sleep on, and get it in their
/// turn. The last leaves the word 0.
#[conformance::test(man = "futex(2)")]
fn is_handed_from_one_to_the_next() -> Outcome {
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
        expect!(!order.contains(&number));
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
    observe!("futex.lock-order", order);
    Ok(())
}

/// A lock in memory of which a forked process has a copy is the copy's own: taking it there, and changing it by an operation, does not
/// show in the original, nor the other way round.
#[conformance::test(man = "futex(2)", man = "fork(2)")]
fn is_taken_in_a_copy_without_the_original() -> Outcome {
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

/// Trying for a lock and giving it back have no use for a timeout, and take no offence at a bad one.
#[conformance::test(man = "futex(2)")]
fn needs_no_timeout_where_nobody_waits() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    for bad in [Fourth::BadTimeout(Place::outside()), Fourth::Timeout(conformance::sys::time::Time::new(-1, -1))] {
        let place = Place::unaligned(words.word(1), 1);
        expect_eq!((futex(word, op::TRYLOCK_PI, 9, bad, place, 9), word.load(SeqCst)), (Ok(0), own_id()));
        expect_eq!((futex(word, op::UNLOCK_PI, 9, bad, place, 9), word.load(SeqCst)), (Ok(0), 0));
    }
    Ok(())
}

/// A lock has nothing to do with the words beside it: those who wait there sleep on while it is handed over.
#[conformance::test(man = "futex(2)")]
fn leaves_other_words_alone() -> Outcome {
    let words = words()?;
    let (word, beside) = (words.word(0), words.word(1));
    let all = [sleeper("beside", || wait(beside, 0))?];
    expect_eq!(lock_pi(word), Ok(()));
    let waiter = waiter("waiter", word)?;
    expect_eq!(unlock_pi(word), Ok(()));
    waiter.until_reached("unlock")?;
    waiter.open("unlock")?;
    expect_eq!((waiter.join()?, word.load(SeqCst), beside.load(SeqCst)), (Ok(()), 0, 0));
    expect_eq!(awake(&all)?, NOBODY);
    Ok(())
}
