//! Robust lists: the entry that a thread was acquiring or releasing when it ended (`list_op_pending`), and entries that are
//! marked as PI locks.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::robust_list::{Link as Entry, RobustList};
use conformance::sys::futex::{OWNER_DIED, TID, WAITERS, lock_pi, own_id, unlock_pi, wake};
use rstest::rstest;

use super::fixture::{ALL, NONE_WOKEN, count, waiters, woken_indexes};
use super::robust_list::{Termination, chain_all, owner};

/// When a thread ends whose `list_op_pending` word holds its thread id and `FUTEX_WAITERS`, the word becomes
/// `FUTEX_WAITERS | FUTEX_OWNER_DIED` and one of two processes blocked in `FUTEX_WAIT` on it is woken. A word with the id that is
/// neither pending nor listed stays without `FUTEX_OWNER_DIED`.
#[rstest]
#[conformance::test(man = "set_robust_list(2)", man = "Documentation/locking/robust-futex-ABI.rst")]
fn sets_owner_died_in_the_pending_word(
    #[values(Termination::Killed, Termination::Exit, Termination::ThreadExit)] termination: Termination,
) -> Outcome {
    let list = RobustList::new(2)?;
    let owner = owner(termination, &list, |id| {
        list.word(0).store(WAITERS | id, SeqCst);
        list.word(1).store(id, SeqCst);
        list.pend(Entry::Entry(0));
    })?;
    let all = waiters(2, list.word(0))?;
    let _left = owner.ends()?;
    expect_eq!((list.word(0).load(SeqCst), woken_indexes(&all)?.len()), (WAITERS | OWNER_DIED, 1));
    expect_eq!(list.word(1).load(SeqCst) & OWNER_DIED, 0);
    Ok(())
}

/// When a thread is killed whose `list_op_pending` entry is on its robust list too, its word with the thread id and
/// `FUTEX_WAITERS` becomes `FUTEX_WAITERS | FUTEX_OWNER_DIED`, and exactly one of three processes blocked in `FUTEX_WAIT` on it
/// is woken.
#[conformance::test(man = "set_robust_list(2)", level = customary)]
fn pending_and_listed_word_wakes_one_waiter() -> Outcome {
    let list = RobustList::new(3)?;
    let owner = owner(Termination::Killed, &list, |id| {
        (0..3).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        chain_all(&list, 3);
        list.pend(Entry::Entry(1));
    })?;
    let all = waiters(3, list.word(1))?;
    let _left = owner.ends()?;
    expect_eq!((woken_indexes(&all)?.len(), list.word(1).load(SeqCst)), (1, WAITERS | OWNER_DIED));
    expect_eq!(list.word(2).load(SeqCst), WAITERS | OWNER_DIED);
    Ok(())
}

/// When a thread is killed whose `list_op_pending` word is 0, one of two processes blocked in `FUTEX_WAIT` on it is woken. If a
/// word of 0 is only on the robust list of the thread, both stay blocked, and in both situations the word stays 0.
#[rstest]
#[case::pending(true)]
#[case::listed(false)]
#[conformance::test(man = "set_robust_list(2)", level = customary, fixed_in = "Linux 5.5 (ca16d5bee598)")]
fn pending_word_of_0_wakes_one_waiter(#[case] pending: bool) -> Outcome {
    let list = RobustList::new(1)?;
    let owner = owner(Termination::Killed, &list, |_| if pending { list.pend(Entry::Entry(0)) } else { chain_all(&list, 1) })?;
    let all = waiters(2, list.word(0))?;
    let _left = owner.ends()?;
    expect_eq!((woken_indexes(&all)?.len(), list.word(0).load(SeqCst)), (usize::from(pending), 0));
    Ok(())
}

/// When a thread is killed whose `list_op_pending` word holds `FUTEX_OWNER_DIED`, `FUTEX_WAITERS` or both, but no thread id, one
/// of two processes blocked in `FUTEX_WAIT` on it is woken. If the word holds another thread's id and `FUTEX_WAITERS`, both stay
/// blocked.
#[rstest]
#[case::owner_died(OWNER_DIED, true)]
#[case::owner_died_and_waiters(OWNER_DIED | WAITERS, true)]
#[case::waiters(WAITERS, true)]
#[case::other_owner_and_waiters(WAITERS | 1, false)]
#[conformance::test(man = "set_robust_list(2)", level = customary)]
fn wakes_for_a_pending_word_without_thread_id(#[case] word: u32, #[case] woken: bool) -> Outcome {
    let list = RobustList::new(1)?;
    let owner = owner(Termination::Killed, &list, |_| list.pend(Entry::Entry(0)))?;
    // The id of the case's own thread is another owner's id to the participant.
    let word = if word & TID == 1 { word & !TID | own_id() } else { word };
    list.word(0).store(word, SeqCst);
    let all = waiters(2, list.word(0))?;
    let _left = owner.ends()?;
    expect_eq!((woken_indexes(&all)?.len(), list.word(0).load(SeqCst)), (usize::from(woken), word));
    Ok(())
}

/// When a thread is killed whose `list_op_pending` word holds another thread's id without `FUTEX_WAITERS`, none or one of two
/// processes blocked in `FUTEX_WAIT` on it is woken; both are allowed, and the case records which. The word stays as it was.
#[conformance::test(man = "set_robust_list(2)", level = observed)]
fn may_wake_for_a_pending_word_of_another_owner() -> Outcome {
    let list = RobustList::new(1)?;
    let owner = owner(Termination::Killed, &list, |_| list.pend(Entry::Entry(0)))?;
    list.word(0).store(own_id(), SeqCst);
    let all = waiters(2, list.word(0))?;
    let _left = owner.ends()?;
    let woken = woken_indexes(&all)?.len();
    expect_matches!(woken, 0 | 1);
    observe!("futex.pending-word-without-waiters-bit-wakes", woken == 1);
    expect_eq!((list.word(0).load(SeqCst), wake(list.word(0), ALL)), (own_id(), Ok(2 - count(woken))));
    Ok(())
}

/// When the owner of a PI lock is killed, and the lock is a PI entry of the owner's robust list or its `list_op_pending` entry,
/// `FUTEX_LOCK_PI` returns 0 in a process blocked in it, and the word holds `FUTEX_OWNER_DIED` and that process's thread id.
#[rstest]
#[case::listed(false)]
#[case::pending(true)]
#[conformance::test(man = "set_robust_list(2)", man = "futex(2)")]
fn pi_entry_passes_the_lock_to_a_waiter(#[case] pending: bool) -> Outcome {
    let list = RobustList::new(1)?;
    let word = list.word(0);
    let owner = owner(Termination::Killed, &list, |id| {
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
    expect_matches!(seen, Ok((word, expected)) if word == expected);
    expect_eq!(word.load(SeqCst), 0);
    Ok(())
}

/// When a process is killed whose robust list has two PI entries, with its thread id and `FUTEX_WAITERS` in their words, both
/// words become `FUTEX_WAITERS | FUTEX_OWNER_DIED`, and a process blocked in `FUTEX_WAIT` on the second stays blocked.
/// `FUTEX_LOCK_PI` on the first, which has no waiter, returns 0 and stores `FUTEX_OWNER_DIED` and its caller's thread id.
#[conformance::test(man = "set_robust_list(2)", man = "futex(2)", level = customary)]
fn pi_entry_without_lock_waiter_can_be_locked() -> Outcome {
    let list = RobustList::new(2)?;
    let owner = owner(Termination::Killed, &list, |id| {
        (0..2).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        list.chain(&[Entry::PriorityEntry(0), Entry::PriorityEntry(1)], Entry::Head);
    })?;
    let all = waiters(1, list.word(1))?;
    let _left = owner.ends()?;
    expect_eq!([0, 1].map(|entry| list.word(entry).load(SeqCst)), [WAITERS | OWNER_DIED; 2]);
    expect_eq!((lock_pi(list.word(0)), list.word(0).load(SeqCst)), (Ok(()), OWNER_DIED | own_id()));
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    Ok(())
}

/// When a thread is killed that has three listed entries, one of them a PI entry, and a `list_op_pending` entry, each word with
/// its thread id and `FUTEX_WAITERS` becomes `FUTEX_WAITERS | FUTEX_OWNER_DIED`. The process blocked in `FUTEX_WAIT` on the word
/// of the PI entry stays blocked, and that of each other word is woken.
#[rstest]
#[case::pi_entry_first(0)]
#[case::pi_entry_in_the_middle(1)]
#[case::pi_entry_last(2)]
#[conformance::test(man = "set_robust_list(2)", level = customary)]
fn pi_mark_is_read_from_each_entry(#[case] lock: usize) -> Outcome {
    let list = RobustList::new(4)?;
    let owner = owner(Termination::Killed, &list, |id| {
        (0..4).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        let entry = |number| if number == lock { Entry::PriorityEntry(number) } else { Entry::Entry(number) };
        list.chain(&[entry(0), entry(1), entry(2)], Entry::Head);
        list.pend(Entry::Entry(3));
    })?;
    let mut all = Vec::new();
    for entry in 0..4 {
        all.extend(waiters(1, list.word(entry))?);
    }
    let _left = owner.ends()?;
    expect_eq!(woken_indexes(&all)?, (0..4).filter(|&entry| entry != lock).collect::<Vec<_>>());
    expect_eq!([0, 1, 2, 3].map(|entry| list.word(entry).load(SeqCst)), [WAITERS | OWNER_DIED; 4]);
    Ok(())
}
