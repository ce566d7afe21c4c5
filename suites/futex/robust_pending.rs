//! What a thread was just locking or unlocking when it ended (`list_op_pending`), and words that are locks with priority inheritance.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::robust_list::{Link as Entry, RobustList};
use conformance::sys::futex::{OWNER_DIED, TID, WAITERS, lock_pi, own_id, unlock_pi, wake};
use rstest::rstest;

use super::fixture::{ALL, NOBODY, awake, count, sleepers};
use super::robust::{Way, chain_all, owner};

/// What was just being locked or unlocked is marked too, though it is not on the list.
#[rstest]
#[conformance::test(man = "set_robust_list(2)")]
fn marks_what_is_pending(#[values(Way::Killed, Way::Exit, Way::ThreadExit)] way: Way) -> Outcome {
    let list = RobustList::new(2)?;
    let owner = owner(way, &list, |id| {
        list.word(0).store(WAITERS | id, SeqCst);
        list.word(1).store(id, SeqCst);
        list.pend(Entry::Entry(0));
    })?;
    let all = sleepers(2, list.word(0))?;
    let _left = owner.ends()?;
    expect_eq!((list.word(0).load(SeqCst), awake(&all)?.len()), (WAITERS | OWNER_DIED, 1));
    expect_eq!(list.word(1).load(SeqCst) & OWNER_DIED, 0);
    Ok(())
}

/// What is pending and on the list as well is dealt with once: one waiter is woken, not two.
#[conformance::test(man = "set_robust_list(2)")]
fn deals_once_with_what_is_pending_and_listed() -> Outcome {
    let list = RobustList::new(3)?;
    let owner = owner(Way::Killed, &list, |id| {
        (0..3).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        chain_all(&list, 3);
        list.pend(Entry::Entry(1));
    })?;
    let all = sleepers(3, list.word(1))?;
    let _left = owner.ends()?;
    expect_eq!((awake(&all)?.len(), list.word(1).load(SeqCst)), (1, WAITERS | OWNER_DIED));
    expect_eq!(list.word(2).load(SeqCst), WAITERS | OWNER_DIED);
    Ok(())
}

/// A thread that dies between giving a lock up and waking somebody leaves a pending word that is free: a waiter of it is woken, and
/// the word stays free. On the list alone such a word means nothing.
#[rstest]
#[case::pending(true)]
#[case::listed(false)]
#[conformance::test(man = "set_robust_list(2)", fixed_in = "Linux 5.5 (ca16d5bee598)")]
fn wakes_in_place_of_who_gave_the_lock_up(#[case] pending: bool) -> Outcome {
    let list = RobustList::new(1)?;
    let owner = owner(Way::Killed, &list, |_| if pending { list.pend(Entry::Entry(0)) } else { chain_all(&list, 1) })?;
    let all = sleepers(2, list.word(0))?;
    let _left = owner.ends()?;
    expect_eq!((awake(&all)?.len(), list.word(0).load(SeqCst)), (usize::from(pending), 0));
    Ok(())
}

/// A thread that was woken and dies before it takes the lock passes the wake on, unless the word names an owner who knows that
/// somebody waits.
#[rstest]
#[case::owner_died(OWNER_DIED, true)]
#[case::owner_died_and_waiters(OWNER_DIED | WAITERS, true)]
#[case::free_with_waiters(WAITERS, true)]
#[case::owner_who_knows(WAITERS | 1, false)]
#[conformance::test(man = "set_robust_list(2)")]
fn passes_a_wake_on(#[case] word: u32, #[case] woken: bool) -> Outcome {
    let list = RobustList::new(1)?;
    let owner = owner(Way::Killed, &list, |_| list.pend(Entry::Entry(0)))?;
    // The case's own id stands for another owner's.
    let word = if word & TID == 1 { word & !TID | own_id() } else { word };
    list.word(0).store(word, SeqCst);
    let all = sleepers(2, list.word(0))?;
    let _left = owner.ends()?;
    expect_eq!((awake(&all)?.len(), list.word(0).load(SeqCst)), (usize::from(woken), word));
    Ok(())
}

/// Whether the wake is passed on too where the word names an owner who does not know that somebody waits is recorded: kernels
/// differ. More than one is not woken.
#[conformance::test(man = "set_robust_list(2)", level = observed)]
fn may_pass_a_wake_on_to_who_waits_unnoticed() -> Outcome {
    let list = RobustList::new(1)?;
    let owner = owner(Way::Killed, &list, |_| list.pend(Entry::Entry(0)))?;
    list.word(0).store(own_id(), SeqCst);
    let all = sleepers(2, list.word(0))?;
    let _left = owner.ends()?;
    let woken = awake(&all)?.len();
    expect!(woken < 2);
    observe!("futex.wake-passed-on-to-who-waits-unnoticed", woken == 1);
    expect_eq!((list.word(0).load(SeqCst), wake(list.word(0), ALL)), (own_id(), Ok(2 - count(woken))));
    Ok(())
}

/// A word that is marked as a lock with priority inheritance is given to one who waits for it as such, and says that its owner died.
#[rstest]
#[case::listed(false)]
#[case::pending(true)]
#[conformance::test(man = "set_robust_list(2)", man = "futex(2)")]
fn hands_a_lock_over(#[case] pending: bool) -> Outcome {
    let list = RobustList::new(1)?;
    let word = list.word(0);
    let owner = owner(Way::Killed, &list, |id| {
        word.store(id, SeqCst);
        if pending { list.pend(Entry::PriorityEntry(0)) } else { list.chain(&[Entry::PriorityEntry(0)], Entry::Head) }
    })?;
    let waiter = Participant::spawn("waiter", (), |(), _| {
        lock_pi(word)?;
        let seen = word.load(SeqCst);
        unlock_pi(word)?;
        Ok::<_, Errno>((seen & !WAITERS, OWNER_DIED | own_id()))
    })?;
    waiter.until_blocked()?;
    let _left = owner.ends()?;
    let seen = waiter.join()?;
    expect!(seen.is_ok_and(|(seen, expected)| seen == expected), "{seen:x?}");
    expect_eq!(word.load(SeqCst), 0);
    Ok(())
}

/// A word that is marked as a lock with priority inheritance, and that nobody waits for, can be had afterwards, and says that its
/// owner died; plain waiters of it are not woken.
#[conformance::test(man = "set_robust_list(2)", man = "futex(2)")]
fn leaves_a_lock_to_be_had() -> Outcome {
    let list = RobustList::new(2)?;
    let owner = owner(Way::Killed, &list, |id| {
        (0..2).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        list.chain(&[Entry::PriorityEntry(0), Entry::PriorityEntry(1)], Entry::Head);
    })?;
    let all = sleepers(1, list.word(1))?;
    let _left = owner.ends()?;
    expect_eq!([0, 1].map(|entry| list.word(entry).load(SeqCst)), [WAITERS | OWNER_DIED; 2]);
    expect_eq!((lock_pi(list.word(0)), list.word(0).load(SeqCst)), (Ok(()), OWNER_DIED | own_id()));
    expect_eq!(awake(&all)?, NOBODY);
    Ok(())
}

/// That a word is a lock with priority inheritance is said of each entry for itself: the others of the list have a waiter woken.
#[rstest]
#[case::first(0)]
#[case::middle(1)]
#[case::last(2)]
#[conformance::test(man = "set_robust_list(2)")]
fn tells_locks_by_each_entry(#[case] lock: usize) -> Outcome {
    let list = RobustList::new(4)?;
    let owner = owner(Way::Killed, &list, |id| {
        (0..4).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        let entry = |number| if number == lock { Entry::PriorityEntry(number) } else { Entry::Entry(number) };
        list.chain(&[entry(0), entry(1), entry(2)], Entry::Head);
        list.pend(Entry::Entry(3));
    })?;
    let mut all = Vec::new();
    for entry in 0..4 {
        all.extend(sleepers(1, list.word(entry))?);
    }
    let _left = owner.ends()?;
    expect_eq!(awake(&all)?, (0..4).filter(|&entry| entry != lock).collect::<Vec<_>>());
    expect!((0..4).all(|entry| list.word(entry).load(SeqCst) == WAITERS | OWNER_DIED));
    Ok(())
}
