//! Bit sets: a waiter names the bits that it listens to, a waker those that it calls.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{ANY, cmp_requeue, wait, wait_bitset, wake, wake_bitset};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, FAR_AWAY, Sleeper, awake, count, sleeper, words};

/// One waiter for each set of bits, in this order.
fn listeners(words: &Mapping, sets: &[u32]) -> Result<Vec<Sleeper>, Failure> {
    let mut all = Vec::new();
    for &bits in sets {
        all.push(sleeper(&format!("listener to {bits:#x}"), || wait_bitset(words.word(0), 0, bits, None))?);
    }
    Ok(all)
}

/// A wake with a set of bits wakes exactly those who wait for at least one of them.
#[rstest]
#[case::lowest(1, &[0, 2, 4])]
#[case::second(2, &[1, 2, 4])]
#[case::first_two(3, &[0, 1, 2, 4])]
#[case::highest(0x8000_0000, &[3, 4])]
#[case::highest_and_lowest(0x8000_0001, &[0, 2, 3, 4])]
#[case::one_that_only_listeners_to_all_hear(4, &[4])]
#[case::any(ANY, &[0, 1, 2, 3, 4])]
#[conformance::test(man = "futex(2)")]
fn wakes_who_listens_to_a_bit(#[case] bits: u32, #[case] expected: &[usize]) -> Outcome {
    let words = words()?;
    let all = listeners(&words, &[1, 2, 3, 0x8000_0000, ANY])?;
    expect_eq!((wake_bitset(words.word(0), ALL, bits), awake(&all)?), (Ok(count(expected.len())), expected.to_vec()));
    expect_eq!(wake(words.word(0), ALL), Ok(5 - count(expected.len())));
    Ok(())
}

/// The limit of a wake counts those who listen, and not those who are passed over.
#[conformance::test(man = "futex(2)")]
fn counts_only_listeners_against_the_limit() -> Outcome {
    let words = words()?;
    let all = listeners(&words, &[2, 2, 1, 2, 1])?;
    expect_eq!(wake_bitset(words.word(0), 1, 1), Ok(1));
    let first = awake(&all)?;
    expect!(first == [2] || first == [4]);
    expect_eq!((wake_bitset(words.word(0), 2, 1), awake(&all)?), (Ok(1), vec![2, 4]));
    expect_eq!((wake_bitset(words.word(0), 2, 2), awake(&all)?.len()), (Ok(2), 4));
    Ok(())
}

/// A wait or a wake without any bit fails with `EINVAL`, a wait even where the word is another, and wakes nobody.
#[conformance::test(man = "futex(2)")]
fn cannot_be_empty() -> Outcome {
    let words = words()?;
    let all = listeners(&words, &[ANY])?;
    expect_eq!([wait_bitset(words.word(0), 0, 0, None), wait_bitset(words.word(0), 1, 0, None)], [Err(EINVAL); 2]);
    expect_eq!((wake_bitset(words.word(0), ALL, 0), awake(&all)?), (Err(EINVAL), vec![]));
    expect_eq!(wake_bitset(words.word(1), ALL, 0), Err(EINVAL));
    Ok(())
}

/// A plain wait listens to all bits.
#[rstest]
#[case::lowest(1)]
#[case::one_in_the_middle(0x0001_0000)]
#[case::highest(0x8000_0000)]
#[conformance::test(man = "futex(2)")]
fn of_a_plain_wait_has_all_bits(#[case] bits: u32) -> Outcome {
    let words = words()?;
    let sleeper = sleeper("sleeper", || wait(words.word(0), 0))?;
    expect_eq!((wake_bitset(words.word(0), 1, bits), sleeper.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// A plain wake calls all bits, and so is heard by whoever listens to any.
#[conformance::test(man = "futex(2)")]
fn of_a_plain_wake_has_all_bits() -> Outcome {
    let words = words()?;
    let all = listeners(&words, &[1, 0x0001_0000, 0x8000_0000])?;
    expect_eq!((wake(words.word(0), ALL), awake(&all)?), (Ok(3), vec![0, 1, 2]));
    Ok(())
}

/// A waiter takes its bits along to the word that it is requeued to.
#[conformance::test(man = "futex(2)")]
fn is_kept_by_who_is_requeued() -> Outcome {
    let words = words()?;
    let all = listeners(&words, &[1, 2])?;
    expect_eq!(cmp_requeue(words.word(0), 0, 0, words.word(1), 2), Ok(2));
    expect_eq!((wake_bitset(words.word(1), ALL, 4), wake_bitset(words.word(1), ALL, 2), awake(&all)?), (Ok(0), Ok(1), vec![1]));
    expect_eq!((wake_bitset(words.word(1), ALL, 1), awake(&all)?), (Ok(1), vec![0, 1]));
    Ok(())
}

/// A waiter that is stopped and goes on listens to the bits that it listened to before, with a timeout and without.
#[rstest]
#[case::without_timeout(None)]
#[case::with_timeout(Some(Clock::Monotonic))]
#[case::with_timeout_on_the_real_clock(Some(Clock::Realtime))]
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn is_kept_across_a_stop(#[case] clock: Option<Clock>) -> Outcome {
    let words = words()?;
    let until = clock.map(|clock| Time::now(clock).map(|now| (clock, now.plus(FAR_AWAY)))).transpose()?;
    let sleeper = sleeper("sleeper", || wait_bitset(words.word(0), 0, 2, until))?;
    sleeper.stop()?;
    sleeper.resume()?;
    sleeper.until_blocked()?;
    expect_eq!(wake_bitset(words.word(0), ALL, !2), Ok(0));
    sleeper.expect_still_blocked()?;
    expect_eq!((wake_bitset(words.word(0), ALL, 2), sleeper.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// Bits select among waiters and are no part of the word: a wait is refused or not by the word alone.
#[conformance::test(man = "futex(2)")]
fn has_nothing_to_do_with_the_word() -> Outcome {
    let words = words()?;
    words.word(0).store(2, SeqCst);
    expect_eq!(wait_bitset(words.word(0), 1, 2, None), Err(EAGAIN));
    let sleeper = sleeper("sleeper", || wait_bitset(words.word(0), 2, 1, None))?;
    expect_eq!((wake_bitset(words.word(0), 1, 2), wake_bitset(words.word(0), 1, 1)), (Ok(0), Ok(1)));
    expect_eq!((sleeper.join()?, words.word(0).load(SeqCst)), (Ok(()), 2));
    Ok(())
}
