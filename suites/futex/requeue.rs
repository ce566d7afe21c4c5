//! `FUTEX_REQUEUE` and `FUTEX_CMP_REQUEUE`: wake some waiters of a source word, and move others to a target word while they stay
//! blocked.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::futex::{Place, cmp_requeue, requeue, wait, wait_bitset, wake};
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, NONE_WOKEN, blocked_in, waiters, woken_indexes, words};

/// `FUTEX_CMP_REQUEUE` with `val` and `val2` from 0 to 4, on a word with four waiters, wakes `val` of them and moves `val2` of
/// the others to the target word, or all of these if there are fewer, and returns the sum of both numbers. The remaining waiters
/// stay blocked on the source word.
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
fn wakes_and_moves_up_to_the_limits(#[case] wakes: u32, #[case] moves: i32, #[case] woken: u32, #[case] moved: u32) -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = waiters(4, from)?;
    expect_eq!(cmp_requeue(from, 0, wakes, to, moves), Ok(woken + moved));
    expect_eq!(woken_indexes(&all)?.len(), woken as usize);
    expect_eq!((wake(to, ALL), woken_indexes(&all)?.len()), (Ok(moved), (woken + moved) as usize));
    expect_eq!((wake(from, ALL), woken_indexes(&all)?.len()), (Ok(4 - woken - moved), 4));
    expect_eq!((from.load(SeqCst), to.load(SeqCst)), (0, 0));
    Ok(())
}

/// `FUTEX_CMP_REQUEUE` fails with `EAGAIN` if the source word differs from the expected value, and two processes blocked in
/// `FUTEX_WAIT` on the source word stay blocked there.
#[conformance::test(man = "futex(2)")]
fn changed_word_fails() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = waiters(2, from)?;
    from.store(1, SeqCst);
    expect_eq!(cmp_requeue(from, 0, 1, to, 1), Err(EAGAIN));
    expect_eq!((woken_indexes(&all)?, wake(to, ALL), wake(from, ALL)), (vec![], Ok(0), Ok(2)));
    Ok(())
}

/// `FUTEX_CMP_REQUEUE` fails with `EAGAIN` if the expected value is that of the target word and not that of the source word. With
/// the value of the source word, `val` 1 and `val2` 1, `FUTEX_CMP_REQUEUE` wakes one of two waiters, moves the other and returns
/// 2.
#[conformance::test(man = "futex(2)")]
fn compares_the_source_word() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = waiters(2, from)?;
    to.store(9, SeqCst);
    expect_eq!(cmp_requeue(from, 9, 1, to, 1), Err(EAGAIN));
    expect_eq!((cmp_requeue(from, 0, 1, to, 1), woken_indexes(&all)?.len()), (Ok(2), 1));
    Ok(())
}

/// `FUTEX_REQUEUE` with `val` 1 and `val2` 2 on a word with four waiters wakes one waiter, moves two and returns 1, the number
/// woken, whatever value the source word has.
#[conformance::test(man = "futex(2)")]
fn requeue_returns_the_number_woken() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = waiters(4, from)?;
    from.store(77, SeqCst);
    let returned = requeue(from, 1, to, 2);
    expect_eq!((woken_indexes(&all)?.len(), wake(to, ALL), wake(from, ALL)), (1, Ok(2), Ok(1)));
    expect_eq!(returned, Ok(1));
    Ok(())
}

/// After `FUTEX_CMP_REQUEUE` has moved a waiter, `FUTEX_WAKE` on the source word returns 0 and the waiter stays blocked.
/// `FUTEX_WAKE` on the target word returns 1 and the waiter's `FUTEX_WAIT` returns 0.
#[conformance::test(man = "futex(2)")]
fn moved_waiter_is_woken_at_the_target_word() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let waiter = blocked_in("waiter", || wait(from, 0))?;
    to.store(3, SeqCst);
    expect_eq!((cmp_requeue(from, 0, 0, to, 1), wake(from, ALL)), (Ok(1), Ok(0)));
    waiter.expect_still_blocked()?;
    expect_eq!((wake(to, 1), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// If `FUTEX_CMP_REQUEUE` with `val` 0 moves three waiters from word A to B, two of them on to C, and one of these back to A, it
/// returns 3, 2 and 1, and all three stay blocked. `FUTEX_WAKE` on each of the three words then wakes one waiter and returns 1.
#[conformance::test(man = "futex(2)")]
fn moves_waiters_again() -> Outcome {
    let words = words()?;
    let [a, b, c] = [0, 1, 2].map(|index| words.word(index));
    let all = waiters(3, a)?;
    expect_eq!([cmp_requeue(a, 0, 0, b, 3), cmp_requeue(b, 0, 0, c, 2), cmp_requeue(c, 0, 0, a, 1)], [Ok(3), Ok(2), Ok(1)]);
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    expect_eq!([wake(a, ALL), wake(b, ALL), wake(c, ALL)], [Ok(1); 3]);
    expect_eq!(woken_indexes(&all)?, [0, 1, 2]);
    Ok(())
}

/// `FUTEX_CMP_REQUEUE` with the same word as source and target, `val` 1 and `val2` 1, wakes one of three waiters and returns 2.
/// The other two stay blocked on that word until `FUTEX_WAKE`, which returns 2.
#[conformance::test(man = "futex(2)", level = customary)]
fn same_source_and_target_keeps_all_waiters() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let all = waiters(3, word)?;
    expect_eq!((cmp_requeue(word, 0, 1, word, 1), woken_indexes(&all)?.len()), (Ok(2), 1));
    expect_eq!((wake(word, ALL), woken_indexes(&all)?.len()), (Ok(2), 3));
    Ok(())
}

/// `FUTEX_CMP_REQUEUE` with `val` 1 and `val2` 2, from a word with three waiters to the same word mapped at another address,
/// wakes one waiter and returns 3. `FUTEX_WAKE` with a limit of 1 at the second address, and then at the first, wakes one of the
/// other two each time and returns 1.
#[conformance::test(man = "futex(2)", level = customary)]
fn same_word_at_two_addresses_keeps_all_waiters() -> Outcome {
    let memory = SharedMemory::create(&unique_name("words"))?;
    memory.set_size(page_size())?;
    let (words, alias) = (memory.map(page_size(), Access::ReadWrite)?, memory.map(page_size(), Access::ReadWrite)?);
    let all = waiters(3, words.word(4))?;
    expect_eq!((cmp_requeue(words.word(4), 0, 1, alias.word(4), 2), woken_indexes(&all)?.len()), (Ok(3), 1));
    expect_eq!((wake(alias.word(4), 1), wake(words.word(4), ALL), woken_indexes(&all)?.len()), (Ok(1), Ok(1), 3));
    Ok(())
}

/// `FUTEX_REQUEUE` with `val` 0 and `val2` 1 moves one waiter 100 times to a further word and returns 1 each time, and
/// `FUTEX_WAKE` on the word that the waiter left returns 0. `FUTEX_WAKE` on the last word returns 1, and the waiter's
/// `FUTEX_WAIT` returns 0.
#[conformance::test(man = "futex(2)", level = customary)]
fn moves_a_waiter_through_100_words() -> Outcome {
    let words = words()?;
    let all = waiters(1, words.word(0))?;
    for (from, to) in (0..100).map(|turn| (turn * 10, (turn + 1) * 10)) {
        expect_eq!((requeue(words.word(from), 0, words.word(to), 1), wake(words.word(from), ALL)), (Ok(1), Ok(0)));
    }
    expect_eq!((woken_indexes(&all)?, wake(words.word(1000), ALL), woken_indexes(&all)?), (vec![], Ok(1), vec![0]));
    Ok(())
}

/// `FUTEX_CMP_REQUEUE` with `val` 1 and `val2` 1, from a word with two waiters to a word with one waiter, wakes one waiter of the
/// source word, moves the other and returns 2. `FUTEX_WAKE` on the target word then wakes two waiters and returns 2.
#[conformance::test(man = "futex(2)")]
fn moved_waiters_join_those_of_the_target() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let mut all = waiters(1, to)?;
    all.extend(waiters(2, from)?);
    expect_eq!((cmp_requeue(from, 0, 1, to, 1), woken_indexes(&all)?.contains(&0)), (Ok(2), false));
    expect_eq!((wake(to, ALL), woken_indexes(&all)?), (Ok(2), vec![0, 1, 2]));
    Ok(())
}

/// `FUTEX_REQUEUE` and `FUTEX_CMP_REQUEUE` with a negative number of waiters to wake (`val`) or to move (`val2`) fail with
/// `EINVAL`, and two processes blocked in `FUTEX_WAIT` on the source word stay blocked there.
#[rstest]
#[case::wake_negative(u32::MAX, 1)]
#[case::move_negative(1, -1)]
#[case::move_int_min(0, i32::MIN)]
#[conformance::test(man = "futex(2)", level = customary, fixed_in = "Linux 4.15 (fbe0e839d1e2)")]
fn rejects_negative_counts(#[case] wakes: u32, #[case] moves: i32) -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = waiters(2, from)?;
    expect_eq!([cmp_requeue(from, 0, wakes, to, moves), requeue(from, wakes, to, moves)], [Err(EINVAL); 2]);
    expect_eq!((woken_indexes(&all)?, wake(to, ALL), wake(from, ALL)), (vec![], Ok(0), Ok(2)));
    Ok(())
}

/// `FUTEX_CMP_REQUEUE` fails with `EINVAL` if the target address is not a multiple of 4, and with `EFAULT` if it is NULL or
/// inaccessible. Two processes blocked in `FUTEX_WAIT` on the source word stay blocked there.
#[conformance::test(man = "futex(2)")]
fn invalid_target_address_fails() -> Outcome {
    let words = words()?;
    let guarded = Guarded::new()?;
    let from = words.word(0);
    let all = waiters(2, from)?;
    expect_eq!(cmp_requeue(from, 0, 1, Place::unaligned(words.word(1), 2), 1), Err(EINVAL));
    expect_eq!(cmp_requeue(from, 0, 1, Place::forbidden(&guarded), 1), Err(EFAULT));
    expect_eq!(cmp_requeue(from, 0, 1, Place::NULL, 1), Err(EFAULT));
    expect_eq!((woken_indexes(&all)?, wake(from, ALL)), (vec![], Ok(2)));
    Ok(())
}

/// If two of three waiters that `FUTEX_CMP_REQUEUE` has moved are killed, `FUTEX_WAKE` on the source word returns 0, and
/// `FUTEX_WAKE` on the target word wakes the third waiter and returns 1.
#[conformance::test(man = "futex(2)")]
fn killed_waiters_are_not_counted() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let mut all = waiters(3, from)?;
    expect_eq!(cmp_requeue(from, 0, 0, to, 3), Ok(3));
    all.remove(0).kill()?;
    all.remove(1).kill()?;
    expect_eq!((wake(from, ALL), woken_indexes(&all)?), (Ok(0), vec![]));
    expect_eq!((wake(to, ALL), woken_indexes(&all)?), (Ok(1), vec![0]));
    Ok(())
}

/// `FUTEX_WAIT_BITSET` with an absolute timeout on `CLOCK_MONOTONIC`, moved to another word by `FUTEX_CMP_REQUEUE`, fails with
/// `ETIMEDOUT`, and not before that clock reaches the timeout. A later `FUTEX_WAKE` on either word returns 0.
#[conformance::test(man = "futex(2)")]
fn moved_waiter_keeps_its_timeout() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    // If the timeout expires before the move, the case tries again with a longer one.
    for milliseconds in [10, 40, 160, 640, 2560] {
        let waiter = Participant::spawn("waiter", (), |(), link| {
            let end = Time::now(Clock::Monotonic)?.plus_milliseconds(milliseconds);
            link.reached("waiting");
            let waited = wait_bitset(from, 0, 1, Some((Clock::Monotonic, end)));
            Ok::<_, Errno>((waited, Time::now(Clock::Monotonic)?.has_come(end)))
        })?;
        waiter.until_reached("waiting")?;
        let mut pause = Pause::default();
        while waiter.until_settled()? == Settled::Blocked {
            if cmp_requeue(from, 0, 0, to, 1)? == 1 {
                expect_eq!(waiter.join()?, Ok((Err(ETIMEDOUT), true)));
                expect_eq!((wake(from, ALL), wake(to, ALL)), (Ok(0), Ok(0)));
                return Ok(());
            }
            pause.sleep();
        }
    }
    Err(ETIMEDOUT)?
}

/// `FUTEX_CMP_REQUEUE` with `val` 1 and `val2` `INT_MAX`, from a word with three waiters in one shared mapping to a word of
/// another, wakes one, moves two and returns 3. `FUTEX_WAKE` on the target word then wakes these two and returns 2.
#[conformance::test(man = "futex(2)")]
fn moves_waiters_between_mappings() -> Outcome {
    let (first, second) = (words()?, words()?);
    let all = waiters(3, first.word(5))?;
    expect_eq!((cmp_requeue(first.word(5), 0, 1, second.word(5), ALL.cast_signed()), woken_indexes(&all)?.len()), (Ok(3), 1));
    expect_eq!((wake(first.word(5), ALL), wake(second.word(5), ALL)), (Ok(0), Ok(2)));
    expect_eq!(woken_indexes(&all)?, [0, 1, 2]);
    Ok(())
}

/// `FUTEX_CMP_REQUEUE` with `val` 1 and `val2` 3 wakes one of four waiters, moves three and returns 4, and three `FUTEX_WAKE`
/// calls with a limit of 1 on the target word wake one waiter each. The order in which the four are woken is recorded.
#[conformance::test(man = "futex(2)", level = observed)]
fn order_of_woken_and_moved_waiters() -> Outcome {
    let words = words()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = waiters(4, from)?;
    expect_eq!(cmp_requeue(from, 0, 1, to, 3), Ok(4));
    let mut order = woken_indexes(&all)?;
    for _ in 0..3 {
        expect_eq!(wake(to, 1), Ok(1));
        let new: Vec<usize> = woken_indexes(&all)?.into_iter().filter(|number| !order.contains(number)).collect();
        order.extend(new);
    }
    observe!("futex.requeue-order", order);
    Ok(())
}
