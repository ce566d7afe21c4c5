//! `FUTEX_REQUEUE` and `FUTEX_CMP_REQUEUE`: some waiters are woken and others moved to another word, without being woken.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{Place, cmp_requeue, requeue, wait, wait_bitset, wake};
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, NOBODY, awake, sleeper, sleepers, words};

/// Of four waiters so many are woken, so many of the rest are moved, and the remaining ones stay; the call returns the number of
/// those woken and moved.
#[rstest]
#[case::wake_one_move_all(1, i32::MAX, 1, 3)]
#[case::wake_one_move_one(1, 1, 1, 1)]
#[case::wake_two_move_one(2, 1, 2, 1)]
#[case::wake_none_move_two(0, 2, 0, 2)]
#[case::wake_none_move_all(0, 4, 0, 4)]
#[case::wake_three_move_two(3, 2, 3, 1)]
#[case::wake_two_move_none(2, 0, 2, 0)]
#[case::wake_all_move_all(4, 4, 4, 0)]
#[case::wake_none_move_none(0, 0, 0, 0)]
#[conformance::test(man = "futex(2)")]
fn wakes_and_moves_as_many_as_it_is_told(
    #[case] wakes: u32,
    #[case] moves: i32,
    #[case] woken: u32,
    #[case] moved: u32,
) -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = sleepers(4, from)?;
    expect_eq!(cmp_requeue(from, 0, wakes, to, moves), Ok(woken + moved));
    expect_eq!(awake(&all)?.len(), woken as usize);
    expect_eq!((wake(to, ALL), awake(&all)?.len()), (Ok(moved), (woken + moved) as usize));
    expect_eq!((wake(from, ALL), awake(&all)?.len()), (Ok(4 - woken - moved), 4));
    expect_eq!((from.load(SeqCst), to.load(SeqCst)), (0, 0));
    Ok(())
}

/// Where the word is not as the caller believes nobody is woken or moved, and the call fails with `EAGAIN`.
#[conformance::test(man = "futex(2)")]
fn refuses_a_value_that_is_out_of_date() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = sleepers(2, from)?;
    from.store(1, SeqCst);
    expect_eq!(cmp_requeue(from, 0, 1, to, 1), Err(EAGAIN));
    expect_eq!((awake(&all)?, wake(to, ALL), wake(from, ALL)), (vec![], Ok(0), Ok(2)));
    Ok(())
}

/// The comparison is with the word that is left, not with the one that is moved to.
#[conformance::test(man = "futex(2)")]
fn compares_the_word_that_is_left() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = sleepers(2, from)?;
    to.store(9, SeqCst);
    expect_eq!(cmp_requeue(from, 9, 1, to, 1), Err(EAGAIN));
    expect_eq!((cmp_requeue(from, 0, 1, to, 1), awake(&all)?.len()), (Ok(2), 1));
    Ok(())
}

/// Without comparison (`FUTEX_REQUEUE`) waiters are woken and moved whatever the word is, and the call returns the number of those
/// woken.
#[conformance::test(man = "futex(2)")]
fn without_comparison_returns_the_number_woken() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = sleepers(4, from)?;
    from.store(77, SeqCst);
    let returned = requeue(from, 1, to, 2);
    expect_eq!((awake(&all)?.len(), wake(to, ALL), wake(from, ALL)), (1, Ok(2), Ok(1)));
    expect_eq!(returned, Ok(1));
    Ok(())
}

/// Who is moved sleeps on, can no longer be woken at the old word, and returns successfully when woken at the new one.
#[conformance::test(man = "futex(2)")]
fn makes_waiters_of_the_other_word() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let sleeper = sleeper("sleeper", || wait(from, 0))?;
    to.store(3, SeqCst);
    expect_eq!((cmp_requeue(from, 0, 0, to, 1), wake(from, ALL)), (Ok(1), Ok(0)));
    sleeper.expect_still_blocked()?;
    expect_eq!((wake(to, 1), sleeper.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// Waiters can be moved on from the word that they were moved to, and back.
#[conformance::test(man = "futex(2)")]
fn can_be_done_again() -> Outcome {
    let words = words()?;
    let [a, b, c] = [0, 1, 2].map(|index| words.word(index));
    let all = sleepers(3, a)?;
    expect_eq!([cmp_requeue(a, 0, 0, b, 3), cmp_requeue(b, 0, 0, c, 2), cmp_requeue(c, 0, 0, a, 1)], [Ok(3), Ok(2), Ok(1)]);
    expect_eq!(awake(&all)?, NOBODY);
    expect_eq!([wake(a, ALL), wake(b, ALL), wake(c, ALL)], [Ok(1); 3]);
    expect_eq!(awake(&all)?, [0, 1, 2]);
    Ok(())
}

/// Waiters that are moved to the word that they wait on are woken or stay, as many as is asked for, and none is lost.
#[conformance::test(man = "futex(2)")]
fn to_the_same_word_loses_nobody() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let all = sleepers(3, word)?;
    expect_eq!((cmp_requeue(word, 0, 1, word, 1), awake(&all)?.len()), (Ok(2), 1));
    expect_eq!((wake(word, ALL), awake(&all)?.len()), (Ok(2), 3));
    Ok(())
}

/// The same holds where that word is named by another address.
#[conformance::test(man = "futex(2)")]
fn to_the_same_word_at_another_address_loses_nobody() -> Outcome {
    let memory = SharedMemory::create(&unique_name("words"))?;
    memory.set_size(page_size())?;
    let (words, alias) = (memory.map(page_size(), Access::ReadWrite)?, memory.map(page_size(), Access::ReadWrite)?);
    let all = sleepers(3, words.word(4))?;
    expect_eq!((cmp_requeue(words.word(4), 0, 1, alias.word(4), 2), awake(&all)?.len()), (Ok(3), 1));
    expect_eq!((wake(alias.word(4), 1), wake(words.word(4), ALL), awake(&all)?.len()), (Ok(1), Ok(1), 3));
    Ok(())
}

/// A waiter that is moved from word to word, all over a page, is each time found at the last one and nowhere else.
#[conformance::test(man = "futex(2)")]
fn can_go_through_many_words() -> Outcome {
    let words = words()?;
    let all = sleepers(1, words.word(0))?;
    for (from, to) in (0..100).map(|turn| (turn * 10, (turn + 1) * 10)) {
        expect_eq!((requeue(words.word(from), 0, words.word(to), 1), wake(words.word(from), ALL)), (Ok(1), Ok(0)));
    }
    expect_eq!((awake(&all)?, wake(words.word(1000), ALL), awake(&all)?), (vec![], Ok(1), vec![0]));
    Ok(())
}

/// Those who are moved join those who wait there already.
#[conformance::test(man = "futex(2)")]
fn joins_those_who_wait_there() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let mut all = sleepers(1, to)?;
    all.extend(sleepers(2, from)?);
    expect_eq!((cmp_requeue(from, 0, 1, to, 1), awake(&all)?.contains(&0)), (Ok(2), false));
    expect_eq!((wake(to, ALL), awake(&all)?), (Ok(2), vec![0, 1, 2]));
    Ok(())
}

/// A negative number of waiters to be woken or moved is refused with `EINVAL`, and nobody is woken or moved.
#[rstest]
#[case::to_be_woken(u32::MAX, 1)]
#[case::to_be_moved(1, -1)]
#[case::to_be_moved_by_far(0, i32::MIN)]
#[conformance::test(man = "futex(2)", fixed_in = "Linux 4.15 (fbe0e839d1e2)")]
fn refuses_negative_numbers(#[case] wakes: u32, #[case] moves: i32) -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = sleepers(2, from)?;
    expect_eq!([cmp_requeue(from, 0, wakes, to, moves), requeue(from, wakes, to, moves)], [Err(EINVAL); 2]);
    expect_eq!((awake(&all)?, wake(to, ALL), wake(from, ALL)), (vec![], Ok(0), Ok(2)));
    Ok(())
}

/// Where the second word cannot be, the call fails and nobody is woken or moved.
#[conformance::test(man = "futex(2)")]
fn refuses_a_target_that_is_no_word() -> Outcome {
    let words = words()?;
    let guarded = Guarded::new()?;
    let from = words.word(0);
    let all = sleepers(2, from)?;
    expect_eq!(cmp_requeue(from, 0, 1, Place::unaligned(words.word(1), 2), 1), Err(EINVAL));
    expect_eq!(cmp_requeue(from, 0, 1, Place::forbidden(&guarded), 1), Err(EFAULT));
    expect_eq!(cmp_requeue(from, 0, 1, Place::NULL, 1), Err(EFAULT));
    expect_eq!((awake(&all)?, wake(from, ALL)), (vec![], Ok(2)));
    Ok(())
}

/// A waiter that is killed after it was moved is nowhere any more.
#[conformance::test(man = "futex(2)")]
fn leaves_nothing_of_who_is_killed() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let mut all = sleepers(3, from)?;
    expect_eq!(cmp_requeue(from, 0, 0, to, 3), Ok(3));
    all.remove(0).kill()?;
    all.remove(1).kill()?;
    expect_eq!((wake(from, ALL), awake(&all)?), (Ok(0), vec![]));
    expect_eq!((wake(to, ALL), awake(&all)?), (Ok(1), vec![0]));
    Ok(())
}

/// A waiter that was moved still waits no longer than it said, and then waits nowhere.
#[conformance::test(man = "futex(2)")]
fn keeps_the_timeout_of_who_is_moved() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    // On a slow machine the wait may be over before the move: then once more, with more time.
    for milliseconds in [10, 40, 160, 640, 2560] {
        let sleeper = Participant::spawn("sleeper", (), |(), link| {
            let end = Time::now(Clock::Monotonic)?.plus_milliseconds(milliseconds);
            link.reached("waiting");
            let waited = wait_bitset(from, 0, 1, Some((Clock::Monotonic, end)));
            Ok::<_, Errno>((waited, Time::now(Clock::Monotonic)?.has_come(end)))
        })?;
        sleeper.until_reached("waiting")?;
        while sleeper.until_settled()? == Settled::Blocked {
            if cmp_requeue(from, 0, 0, to, 1)? == 1 {
                expect_eq!(sleeper.join()?, Ok((Err(ETIMEDOUT), true)));
                expect_eq!((wake(from, ALL), wake(to, ALL)), (Ok(0), Ok(0)));
                return Ok(());
            }
        }
    }
    Err(ETIMEDOUT)?
}

/// Words of different objects in memory can be moved between.
#[conformance::test(man = "futex(2)")]
fn works_from_one_object_to_another() -> Outcome {
    let (first, second) = (words()?, words()?);
    let all = sleepers(3, first.word(5))?;
    expect_eq!((cmp_requeue(first.word(5), 0, 1, second.word(5), ALL.cast_signed()), awake(&all)?.len()), (Ok(3), 1));
    expect_eq!((wake(first.word(5), ALL), wake(second.word(5), ALL)), (Ok(0), Ok(2)));
    expect_eq!(awake(&all)?, [0, 1, 2]);
    Ok(())
}

/// Which of the waiters are woken, and in which order the others come to be woken at the other word, is recorded.
#[conformance::test(man = "futex(2)", level = observed)]
fn has_an_order() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = sleepers(4, from)?;
    expect_eq!(cmp_requeue(from, 0, 1, to, 3), Ok(4));
    let mut order = awake(&all)?;
    for _ in 0..3 {
        expect_eq!(wake(to, 1), Ok(1));
        let new: Vec<usize> = awake(&all)?.into_iter().filter(|number| !order.contains(number)).collect();
        order.extend(new);
    }
    observe!("futex.requeue-order", order);
    Ok(())
}
