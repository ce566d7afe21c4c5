//! `FUTEX_WAKE`: how many it wakes, and that it says so exactly.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{Fourth, Place, futex, op, wait, wake};
use rstest::rstest;

use super::fixture::{ALL, awake, returned, sleeper, sleepers, words};

/// A wake ends as many waits as it is told, or all where there are fewer, and returns how many it ended; the others sleep on, and
/// are there for the next.
#[rstest]
#[case::one(1, 1)]
#[case::two(2, 2)]
#[case::all_but_one(3, 3)]
#[case::all(4, 4)]
#[case::one_more_than_all(5, 4)]
#[case::as_many_as_an_int_holds(ALL, 4)]
#[conformance::test(man = "futex(2)")]
fn ends_as_many_waits_as_it_is_told(#[case] most: u32, #[case] expected: u32) -> Outcome {
    let words = words()?;
    let all = sleepers(4, words.word(0))?;
    expect_eq!(wake(words.word(0), most), Ok(expected));
    expect_eq!(awake(&all)?.len(), expected as usize);
    expect_eq!((wake(words.word(0), ALL), awake(&all)?.len()), (Ok(4 - expected), 4));
    expect_eq!((returned(all)?, words.word(0).load(SeqCst)), (vec![Ok(()); 4], 0));
    Ok(())
}

/// A wake of at most nobody wakes nobody.
#[conformance::test(man = "futex(2)")]
fn of_none_wakes_nobody() -> Outcome {
    let words = words()?;
    let all = sleepers(2, words.word(0))?;
    expect_eq!((wake(words.word(0), 0), awake(&all)?), (Ok(0), vec![]));
    Ok(())
}

/// The number of those to be woken has no sign: one that is larger than any `int` wakes all.
#[rstest]
#[case::largest(u32::MAX)]
#[case::first_above_an_int(0x8000_0000)]
#[conformance::test(man = "futex(2)")]
fn of_more_than_an_int_holds_wakes_all(#[case] most: u32) -> Outcome {
    let words = words()?;
    let all = sleepers(3, words.word(0))?;
    expect_eq!((wake(words.word(0), most), awake(&all)?), (Ok(3), vec![0, 1, 2]));
    Ok(())
}

/// A wake where nobody waits wakes nobody, and leaves the word as it is.
#[conformance::test(man = "futex(2)")]
fn finds_nobody_where_nobody_waits() -> Outcome {
    let words = words()?;
    words.word(0).store(5, SeqCst);
    expect_eq!((wake(words.word(0), 1), wake(words.word(0), ALL), words.word(0).load(SeqCst)), (Ok(0), Ok(0), 5));
    Ok(())
}

/// A waiter is woken once: the next wake does not count it, even if it has not come to run yet.
#[conformance::test(man = "futex(2)")]
fn counts_nobody_twice() -> Outcome {
    let words = words()?;
    let all = sleepers(2, words.word(0))?;
    expect_eq!([wake(words.word(0), 1), wake(words.word(0), 1), wake(words.word(0), 1)], [Ok(1), Ok(1), Ok(0)]);
    expect_eq!(awake(&all)?, [0, 1]);
    Ok(())
}

/// Which of several waiters is woken first is not promised; the system's choice is recorded.
#[conformance::test(man = "futex(2)", level = observed)]
fn has_an_order() -> Outcome {
    let words = words()?;
    let all = sleepers(4, words.word(0))?;
    let mut order: Vec<usize> = Vec::new();
    for _ in 0..4 {
        expect_eq!(wake(words.word(0), 1), Ok(1));
        let new: Vec<usize> = awake(&all)?.into_iter().filter(|number| !order.contains(number)).collect();
        expect_eq!(new.len(), 1);
        order.extend(new);
    }
    observe!("futex.wake-order", order);
    Ok(())
}

/// A waiter that was killed takes no wake with it: the next in line is woken.
#[rstest]
#[case::first(0)]
#[case::middle(1)]
#[case::last(2)]
#[conformance::test(man = "futex(2)")]
fn is_not_lost_on_a_waiter_that_was_killed(#[case] victim: usize) -> Outcome {
    let words = words()?;
    let mut all = sleepers(3, words.word(0))?;
    all.remove(victim).kill()?;
    expect_eq!((wake(words.word(0), 1), awake(&all)?.len()), (Ok(1), 1));
    expect_eq!((wake(words.word(0), ALL), awake(&all)?.len()), (Ok(1), 2));
    Ok(())
}

/// The waiters of one word hear nothing of wakes at any other, be it the next one, or at the same place of another page.
#[conformance::test(man = "futex(2)")]
fn reaches_no_other_word() -> Outcome {
    let page = page_size() / 4;
    let words = Mapping::anonymous(3 * page_size())?;
    let own = page + 7;
    let sleeper = sleeper("sleeper", || wait(words.word(own), 0))?;
    for other in (0..3 * page).filter(|&other| other != own) {
        expect_eq!(wake(words.word(other), ALL), Ok(0), "word {other}");
    }
    sleeper.expect_still_blocked()?;
    expect_eq!((wake(words.word(own), ALL), sleeper.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// Of waiters on several words those of the one that is named are woken, and all others sleep on.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn picks_the_word(#[values(0, 1, 2)] target: usize) -> Outcome {
    let page = page_size() / 4;
    let words = Mapping::anonymous(2 * page_size())?;
    let places = [0, 1, page];
    let mut all = Vec::new();
    for (number, place) in places.into_iter().enumerate() {
        all.push(sleeper(&format!("sleeper {number}"), || wait(words.word(place), 0))?);
    }
    expect_eq!((wake(words.word(places[target]), ALL), awake(&all)?), (Ok(1), vec![target]));
    Ok(())
}

/// A wake has no use for a timeout, a second address and the last number, and takes no offence at them.
#[conformance::test(man = "futex(2)")]
fn ignores_what_it_does_not_use() -> Outcome {
    let words = words()?;
    let all = sleepers(2, words.word(0))?;
    let woken = futex(words.word(0), op::WAKE, 1, Fourth::BadTimeout(Place::outside()), Place::unaligned(words.word(1), 2), 0);
    expect_eq!((woken, awake(&all)?.len()), (Ok(1), 1));
    Ok(())
}
