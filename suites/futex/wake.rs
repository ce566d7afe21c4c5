//! `FUTEX_WAKE`: how many waiters it wakes, of which word, and what it returns.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{Fourth, Place, futex, op, wait, wake};
use conformance::sys::process::scheduling::become_first_in_first_out;
use rstest::rstest;

use super::fixture::{ALL, blocked_in, returned, waiters, woken_indexes, words};

/// `FUTEX_WAKE` with a limit of n, from 1 to `INT_MAX`, on a word with four waiters wakes n of them, or all four if n is larger,
/// and returns the number woken. The others stay blocked until the next `FUTEX_WAKE`.
#[rstest]
#[case::limit_1(1, 1)]
#[case::limit_2(2, 2)]
#[case::limit_3(3, 3)]
#[case::limit_4(4, 4)]
#[case::limit_5(5, 4)]
#[case::limit_int_max(ALL, 4)]
#[conformance::test(man = "futex(2)")]
fn wakes_up_to_the_limit(#[case] limit: u32, #[case] expected: u32) -> Outcome {
    let words = words()?;
    let all = waiters(4, words.word(0))?;
    expect_eq!(wake(words.word(0), limit), Ok(expected));
    expect_eq!(woken_indexes(&all)?.len(), expected as usize);
    expect_eq!((wake(words.word(0), ALL), woken_indexes(&all)?.len()), (Ok(4 - expected), 4));
    expect_eq!((returned(all)?, words.word(0).load(SeqCst)), (vec![Ok(()); 4], 0));
    Ok(())
}

/// `FUTEX_WAKE` with a limit of 0 returns 0, and both waiters of the word stay blocked.
#[conformance::test(man = "futex(2)")]
fn limit_of_0_wakes_no_waiter() -> Outcome {
    let words = words()?;
    let all = waiters(2, words.word(0))?;
    expect_eq!((wake(words.word(0), 0), woken_indexes(&all)?), (Ok(0), vec![]));
    Ok(())
}

/// `FUTEX_WAKE` with a limit of `INT_MAX` + 1 or `UINT_MAX` wakes all three waiters of the word and returns 3, since the limit is
/// an unsigned number.
#[rstest]
#[case::uint_max(u32::MAX)]
#[case::int_max_plus_1(0x8000_0000)]
#[conformance::test(man = "futex(2)")]
fn limit_above_int_max_wakes_all(#[case] limit: u32) -> Outcome {
    let words = words()?;
    let all = waiters(3, words.word(0))?;
    expect_eq!((wake(words.word(0), limit), woken_indexes(&all)?), (Ok(3), vec![0, 1, 2]));
    Ok(())
}

/// `FUTEX_WAKE` on a word without waiters returns 0, and the word stays as it was.
#[conformance::test(man = "futex(2)")]
fn returns_0_without_waiters() -> Outcome {
    let words = words()?;
    words.word(0).store(5, SeqCst);
    expect_eq!((wake(words.word(0), 1), wake(words.word(0), ALL), words.word(0).load(SeqCst)), (Ok(0), Ok(0), 5));
    Ok(())
}

/// On a word with two processes blocked in `FUTEX_WAIT`, three `FUTEX_WAKE` calls with a limit of 1, one immediately after the
/// other, return 1, 1 and 0.
#[conformance::test(man = "futex(2)")]
fn woken_waiter_is_counted_once() -> Outcome {
    let words = words()?;
    let all = waiters(2, words.word(0))?;
    expect_eq!([wake(words.word(0), 1), wake(words.word(0), 1), wake(words.word(0), 1)], [Ok(1), Ok(1), Ok(0)]);
    expect_eq!(woken_indexes(&all)?, [0, 1]);
    Ok(())
}

/// On a word with four waiters, four `FUTEX_WAKE` calls with a limit of 1 wake one waiter each and return 1. The order in which
/// the waiters are woken is recorded.
#[conformance::test(man = "futex(2)", level = observed)]
fn order_of_waiters() -> Outcome {
    let words = words()?;
    let all = waiters(4, words.word(0))?;
    let mut order: Vec<usize> = Vec::new();
    for _ in 0..4 {
        expect_eq!(wake(words.word(0), 1), Ok(1));
        let new: Vec<usize> = woken_indexes(&all)?.into_iter().filter(|number| !order.contains(number)).collect();
        expect_eq!(new.len(), 1);
        order.extend(new);
    }
    observe!("futex.wake-order", order);
    Ok(())
}

/// After one of three processes blocked in `FUTEX_WAIT` was killed, `FUTEX_WAKE` with a limit of 1 wakes one of the other two and
/// returns 1. A second `FUTEX_WAKE` wakes the last one and returns 1.
#[rstest]
#[case::first_killed(0)]
#[case::second_killed(1)]
#[case::last_killed(2)]
#[conformance::test(man = "futex(2)")]
fn killed_waiter_is_skipped(#[case] victim: usize) -> Outcome {
    let words = words()?;
    let mut all = waiters(3, words.word(0))?;
    all.remove(victim).kill()?;
    expect_eq!((wake(words.word(0), 1), woken_indexes(&all)?.len()), (Ok(1), 1));
    expect_eq!((wake(words.word(0), ALL), woken_indexes(&all)?.len()), (Ok(1), 2));
    Ok(())
}

/// While a process is blocked in `FUTEX_WAIT` on one word of a mapping of three pages, `FUTEX_WAKE` on each other word of the
/// mapping returns 0 and the process stays blocked. `FUTEX_WAKE` on its own word then returns 1.
#[conformance::test(man = "futex(2)")]
fn wake_of_any_other_word_returns_0() -> Outcome {
    let page = page_size() / 4;
    let words = Mapping::anonymous(3 * page_size())?;
    let own = page + 7;
    let waiter = blocked_in("waiter", || wait(words.word(own), 0))?;
    for other in (0..3 * page).filter(|&other| other != own) {
        expect_eq!(wake(words.word(other), ALL), Ok(0), "word {other}");
    }
    waiter.expect_still_blocked()?;
    expect_eq!((wake(words.word(own), ALL), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// If one process each is blocked in `FUTEX_WAIT` on three words, `FUTEX_WAKE` on one of them wakes the waiter of that word and
/// returns 1, and the other two stay blocked.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn wakes_only_waiters_of_its_word(#[values(0, 1, 2)] word: usize) -> Outcome {
    let page = page_size() / 4;
    let words = Mapping::anonymous(2 * page_size())?;
    let places = [0, 1, page];
    let mut all = Vec::new();
    for (number, place) in places.into_iter().enumerate() {
        all.push(blocked_in(&format!("waiter {number}"), || wait(words.word(place), 0))?);
    }
    expect_eq!((wake(words.word(places[word]), ALL), woken_indexes(&all)?), (Ok(1), vec![word]));
    Ok(())
}

/// `FUTEX_WAKE` with a limit of 1, an invalid `timeout` pointer and an unaligned `uaddr2` wakes one of two waiters and returns 1,
/// since it ignores both arguments.
#[conformance::test(man = "futex(2)")]
fn ignores_timeout_and_uaddr2() -> Outcome {
    let words = words()?;
    let all = waiters(2, words.word(0))?;
    let woken = futex(words.word(0), op::WAKE, 1, Fourth::BadTimeout(Place::outside()), Place::unaligned(words.word(1), 2), 0);
    expect_eq!((woken, woken_indexes(&all)?.len()), (Ok(1), 1));
    Ok(())
}

/// On a word with three waiters of different real-time priorities, three `FUTEX_WAKE` calls with a limit of 1 wake one waiter
/// each and return 1. The order in which the waiters are woken is recorded.
#[conformance::test(man = "futex(2)", level = observed, needs(CAP_SYS_NICE))]
fn order_of_waiters_with_priorities() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let mut all = Vec::new();
    for priority in [10, 30, 20] {
        all.push(blocked_in("waiter", || become_first_in_first_out(priority).and_then(|()| wait(word, 0)))?);
    }
    let mut order: Vec<usize> = Vec::new();
    for _ in 0..3 {
        expect_eq!(wake(word, 1), Ok(1));
        order.extend(woken_indexes(&all)?.into_iter().filter(|number| !order.contains(number)).collect::<Vec<_>>());
    }
    expect_eq!((order.len(), wake(word, ALL)), (3, Ok(0)));
    observe!("futex.wake-order-of-priorities-10-30-20", order);
    Ok(())
}
