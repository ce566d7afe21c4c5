//! How the kernel walks a robust list when its thread ends: the offset of the words, circular, long and broken lists.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::robust_list::{Link as Entry, RobustList, register_nowhere};
use conformance::sys::futex::{OWNER_DIED, ROBUST_LIST_LIMIT, WAITERS};
use rstest::rstest;

use super::fixture::{waiters, woken_indexes};
use super::robust_list::{Termination, chain_all, owner};

/// When a thread is killed whose robust list has a positive or negative `futex_offset`, each word with its thread id and
/// `FUTEX_WAITERS` at this offset from a listed or pending entry becomes `FUTEX_WAITERS | FUTEX_OWNER_DIED`. A process blocked in
/// `FUTEX_WAIT` on the second of these words is woken.
#[rstest]
#[case::minus_24(-24)]
#[case::minus_4(-4)]
#[case::plus_8(8)]
#[case::plus_12(12)]
#[case::plus_36(36)]
#[conformance::test(man = "set_robust_list(2)", man = "Documentation/locking/robust-futex-ABI.rst")]
fn word_lies_at_the_offset_of_the_head(#[case] offset: isize) -> Outcome {
    let list = RobustList::with_offset(3, offset)?;
    let owner = owner(Termination::Killed, &list, |id| {
        (0..3).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        chain_all(&list, 2);
        list.pend(Entry::Entry(2));
    })?;
    let all = waiters(1, list.word(1))?;
    let _left = owner.ends()?;
    expect_eq!([0, 1, 2].map(|entry| list.word(entry).load(SeqCst)), [WAITERS | OWNER_DIED; 3]);
    expect_eq!(woken_indexes(&all)?, [0]);
    Ok(())
}

/// When a thread is killed whose robust list never leads back to its head, since its last entry points to its first, the thread
/// ends. Each word of the list and the `list_op_pending` word, which held its thread id, become `FUTEX_OWNER_DIED`.
#[rstest]
#[case::one_entry(1)]
#[case::three_entries(3)]
#[conformance::test(man = "set_robust_list(2)", man = "Documentation/locking/robust-futex-ABI.rst")]
fn walk_of_a_circular_list_ends(#[case] entries: usize) -> Outcome {
    let list = RobustList::new(entries + 1)?;
    let owner = owner(Termination::Killed, &list, |id| {
        (0..=entries).for_each(|entry| list.word(entry).store(id, SeqCst));
        list.chain(&(0..entries).map(Entry::Entry).collect::<Vec<_>>(), Entry::Entry(0));
        list.pend(Entry::Entry(entries));
    })?;
    let _left = owner.ends()?;
    expect_eq!((0..=entries).map(|entry| list.word(entry).load(SeqCst)).collect::<Vec<_>>(), vec![OWNER_DIED; entries + 1]);
    Ok(())
}

/// When a thread is killed whose robust list has 2058 entries with its thread id in their words, the words of the first n entries
/// become `FUTEX_OWNER_DIED`, and the other words keep the thread id. Every n of at least 1 is allowed, and n is recorded.
#[conformance::test(man = "set_robust_list(2)", level = observed)]
fn number_of_entries_walked() -> Outcome {
    const ENTRIES: usize = ROBUST_LIST_LIMIT + 10;
    let list = RobustList::new(ENTRIES)?;
    let owner = owner(Termination::Killed, &list, |id| {
        (0..ENTRIES).for_each(|entry| list.word(entry).store(id, SeqCst));
        chain_all(&list, ENTRIES);
    })?;
    let id = list.word(0).load(SeqCst);
    let _left = owner.ends()?;
    let words: Vec<u32> = (0..ENTRIES).map(|entry| list.word(entry).load(SeqCst)).collect();
    let count = words.iter().take_while(|&&word| word == OWNER_DIED).count();
    expect_matches!(count, 1..);
    let changed = words[count..].iter().position(|&word| word != id);
    expect_eq!(changed, None, "entries after the first {count} whose word is not the thread id");
    observe!("futex.robust-list-limit", count);
    Ok(())
}

/// When a thread is killed or exits whose robust list has an invalid pointer or NULL after its second entry, the words of the
/// first two entries, which held its thread id, become `FUTEX_OWNER_DIED`, and the thread ends.
#[rstest]
#[case::invalid(Entry::Nowhere)]
#[case::null(Entry::Null)]
#[conformance::test(man = "set_robust_list(2)", man = "Documentation/locking/robust-futex-ABI.rst")]
fn invalid_next_pointer_ends_the_walk(
    #[case] next: Entry,
    #[values(Termination::Killed, Termination::Exit, Termination::ThreadExit)] termination: Termination,
) -> Outcome {
    let list = RobustList::new(2)?;
    let owner = owner(termination, &list, |id| {
        (0..2).for_each(|entry| list.word(entry).store(id, SeqCst));
        list.chain(&[Entry::Entry(0), Entry::Entry(1)], next);
    })?;
    let _left = owner.ends()?;
    expect_eq!([0, 1].map(|entry| list.word(entry).load(SeqCst)), [OWNER_DIED; 2]);
    Ok(())
}

/// A process that exits with a robust list that has an unaligned word, an invalid `list_op_pending` pointer or an inaccessible
/// head ends with the status that it passed to `exit`, and is not killed by a signal.
#[conformance::test(man = "set_robust_list(2)", man = "Documentation/locking/robust-futex-ABI.rst")]
fn thread_with_an_invalid_list_exits() -> Outcome {
    let list = RobustList::with_offset(1, 9)?;
    owner(Termination::Exit, &list, |_| chain_all(&list, 1))?.ends()?;
    let list = RobustList::new(1)?;
    owner(Termination::Exit, &list, |_| list.pend(Entry::Nowhere))?.ends()?;
    let owner_of_invalid_head = Participant::spawn("owner", (), |(), _| register_nowhere())?;
    expect_eq!(owner_of_invalid_head.join()?, Ok(()));
    Ok(())
}
