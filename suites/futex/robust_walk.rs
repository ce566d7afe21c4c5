//! How a robust list is gone through: by distance, as far as it goes, and not for ever.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::robust_list::{Link as Entry, RobustList, register_nowhere};
use conformance::sys::futex::{OWNER_DIED, ROBUST_LIST_LIMIT, WAITERS};
use rstest::rstest;

use super::fixture::{awake, sleepers};
use super::robust::{Way, chain_all, owner};

/// The word stands as far from its entry as the head says, before it or behind it.
#[rstest]
#[case::far_before(-24)]
#[case::just_before(-4)]
#[case::just_behind(8)]
#[case::further_behind(12)]
#[case::far_behind(36)]
#[conformance::test(man = "set_robust_list(2)")]
fn finds_the_word_by_its_distance(#[case] offset: isize) -> Outcome {
    let list = RobustList::with_offset(3, offset)?;
    let owner = owner(Way::Killed, &list, |id| {
        (0..3).for_each(|entry| list.word(entry).store(WAITERS | id, SeqCst));
        chain_all(&list, 2);
        list.pend(Entry::Entry(2));
    })?;
    let all = sleepers(1, list.word(1))?;
    let _left = owner.ends()?;
    expect_eq!([0, 1, 2].map(|entry| list.word(entry).load(SeqCst)), [WAITERS | OWNER_DIED; 3]);
    expect_eq!(awake(&all)?, [0]);
    Ok(())
}

/// A list that leads back into itself is left after a number of entries, and the thread ends; what is pending is dealt with.
#[rstest]
#[case::entry_that_leads_to_itself(1)]
#[case::circle_of_three(3)]
#[conformance::test(man = "set_robust_list(2)")]
fn does_not_go_round_for_ever(#[case] entries: usize) -> Outcome {
    let list = RobustList::new(entries + 1)?;
    let owner = owner(Way::Killed, &list, |id| {
        (0..=entries).for_each(|entry| list.word(entry).store(id, SeqCst));
        list.chain(&(0..entries).map(Entry::Entry).collect::<Vec<_>>(), Entry::Entry(0));
        list.pend(Entry::Entry(entries));
    })?;
    let _left = owner.ends()?;
    expect!((0..=entries).all(|entry| list.word(entry).load(SeqCst) == OWNER_DIED));
    Ok(())
}

/// How many entries of a long list are dealt with is limited; how many they are is recorded, and they are the first ones.
#[conformance::test(man = "set_robust_list(2)", level = observed)]
fn has_a_longest_list() -> Outcome {
    const ENTRIES: usize = ROBUST_LIST_LIMIT + 10;
    let list = RobustList::new(ENTRIES)?;
    let owner = owner(Way::Killed, &list, |id| {
        (0..ENTRIES).for_each(|entry| list.word(entry).store(id, SeqCst));
        chain_all(&list, ENTRIES);
    })?;
    let _left = owner.ends()?;
    let marked: Vec<bool> = (0..ENTRIES).map(|entry| list.word(entry).load(SeqCst) == OWNER_DIED).collect();
    let count = marked.iter().filter(|&&marked| marked).count();
    expect!(marked[..count].iter().all(|&marked| marked));
    observe!("futex.longest-robust-list", count);
    Ok(())
}

/// A list that leads nowhere is followed as far as it goes, and the thread ends as it would have ended.
#[rstest]
#[case::nowhere(Entry::Nowhere)]
#[case::null(Entry::Null)]
#[conformance::test(man = "set_robust_list(2)")]
fn follows_a_broken_list_as_far_as_it_goes(
    #[case] end: Entry,
    #[values(Way::Killed, Way::Exit, Way::ThreadExit)] way: Way,
) -> Outcome {
    let list = RobustList::new(2)?;
    let owner = owner(way, &list, |id| {
        (0..2).for_each(|entry| list.word(entry).store(id, SeqCst));
        list.chain(&[Entry::Entry(0), Entry::Entry(1)], end);
    })?;
    let _left = owner.ends()?;
    expect_eq!([0, 1].map(|entry| list.word(entry).load(SeqCst)), [OWNER_DIED; 2]);
    Ok(())
}

/// Where the words are no words, as they are not aligned, or nowhere at all, the thread ends as it would have ended.
#[conformance::test(man = "set_robust_list(2)")]
fn ignores_what_is_no_word() -> Outcome {
    let list = RobustList::with_offset(1, 9)?;
    owner(Way::Exit, &list, |_| chain_all(&list, 1))?.ends()?;
    let list = RobustList::new(1)?;
    owner(Way::Exit, &list, |_| list.pend(Entry::Nowhere))?.ends()?;
    let nowhere = Participant::spawn("owner of nothing", (), |(), _| register_nowhere())?;
    expect_eq!(nowhere.join()?, Ok(()));
    Ok(())
}
