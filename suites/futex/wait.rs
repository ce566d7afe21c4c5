//! `FUTEX_WAIT`: it sleeps only while the word is as the caller believes, and until somebody wakes it.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{Fourth, Place, futex, op, wait, wait_bitset, wake};
use rstest::rstest;

use super::fixture::{ALL, NOBODY, awake, sleeper, sleepers, words};

/// A wait for a value that the word does not have fails at once with `EAGAIN`, in whichever bit they differ, and leaves nobody to
/// be woken.
#[rstest]
#[case::lowest_bit(0, 1)]
#[case::highest_bit(0, 0x8000_0000)]
#[case::one_less(7, 6)]
#[case::one_more(7, 8)]
#[case::all_bits(0xffff_ffff, 0)]
#[case::upper_half(0x0001_0007, 7)]
#[conformance::test(man = "futex(2)")]
fn refuses_a_value_that_is_out_of_date(#[case] held: u32, #[case] expected: u32) -> Outcome {
    let words = words()?;
    words.word(0).store(held, SeqCst);
    expect_eq!(wait(words.word(0), expected), Err(EAGAIN));
    expect_eq!(wait_bitset(words.word(0), expected, 1, None), Err(EAGAIN));
    expect_eq!((wake(words.word(0), ALL), words.word(0).load(SeqCst)), (Ok(0), held));
    Ok(())
}

/// A wait for the value that the word has sleeps, whatever the value is, and returns when it is woken.
#[rstest]
#[case::zero(0)]
#[case::one(1)]
#[case::negative(0x8000_0000)]
#[case::all_bits(0xffff_ffff)]
#[conformance::test(man = "futex(2)")]
fn sleeps_while_the_word_is_as_expected(#[case] value: u32) -> Outcome {
    let words = words()?;
    words.word(0).store(value, SeqCst);
    let sleeper = sleeper("sleeper", || wait(words.word(0), value))?;
    expect_eq!(wake(words.word(0), 1), Ok(1));
    expect_eq!((sleeper.join()?, words.word(0).load(SeqCst)), (Ok(()), value));
    Ok(())
}

/// A waiter sleeps on when the word only changes; woken later it returns successfully, though the word is another by then.
#[conformance::test(man = "futex(2)")]
fn does_not_notice_a_change_of_the_word() -> Outcome {
    let words = words()?;
    let sleeper = sleeper("sleeper", || wait(words.word(0), 0))?;
    words.word(0).store(1, SeqCst);
    sleeper.expect_still_blocked()?;
    expect_eq!(wake(words.word(0), 1), Ok(1));
    expect_eq!(sleeper.join()?, Ok(()));
    Ok(())
}

/// A wake that finds nobody is not kept for the next who waits.
#[conformance::test(man = "futex(2)")]
fn is_not_satisfied_by_an_earlier_wake() -> Outcome {
    let words = words()?;
    expect_eq!(wake(words.word(0), 1), Ok(0));
    let sleeper = sleeper("sleeper", || wait(words.word(0), 0))?;
    expect_eq!((wake(words.word(0), 1), sleeper.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// Who was woken and waits again is a waiter like any other: each wake is worth one wait, as often as it is done.
#[conformance::test(man = "futex(2)")]
fn can_be_done_again_and_again() -> Outcome {
    let words = words()?;
    let sleeper = sleeper("sleeper", || (0..5).try_for_each(|turn| wait(words.word(0), turn)))?;
    for turn in 1..=5 {
        words.word(0).store(turn, SeqCst);
        expect_eq!(wake(words.word(0), ALL), Ok(1));
        if turn < 5 {
            sleeper.expect_still_blocked()?;
        }
    }
    expect_eq!(sleeper.join()?, Ok(()));
    Ok(())
}

/// A wait has no use for the second address and the last number, and takes no offence at them.
#[conformance::test(man = "futex(2)")]
fn ignores_what_it_does_not_use() -> Outcome {
    let words = words()?;
    let (word, other) = (words.word(0), words.word(1));
    let sleeper = sleeper("sleeper", || futex(word, op::WAIT, 0, Fourth::None, Place::unaligned(other, 1), 0).map(drop))?;
    expect_eq!((wake(other, ALL), wake(word, ALL)), (Ok(0), Ok(1)));
    expect_eq!(sleeper.join()?, Ok(()));
    Ok(())
}

/// Several who wait on one word with different expectations, each true when it began to wait, are all waiters of that word.
#[conformance::test(man = "futex(2)")]
fn does_not_compare_again_when_woken() -> Outcome {
    let words = words()?;
    let mut all = sleepers(1, words.word(0))?;
    words.word(0).store(9, SeqCst);
    all.extend(sleepers(1, words.word(0))?);
    words.word(0).store(4, SeqCst);
    expect_eq!(awake(&all)?, NOBODY);
    expect_eq!((wake(words.word(0), ALL), awake(&all)?), (Ok(2), vec![0, 1]));
    Ok(())
}

/// A waiter that is killed is no waiter any more, and what it waited on is free for others.
#[conformance::test(man = "futex(2)")]
fn leaves_nothing_behind_when_its_process_is_killed() -> Outcome {
    let words = words()?;
    let mut all = sleepers(3, words.word(0))?;
    all.remove(1).kill()?;
    expect_eq!(awake(&all)?, NOBODY);
    expect_eq!((wake(words.word(0), ALL), awake(&all)?), (Ok(2), vec![0, 1]));
    expect_eq!(wake(words.word(0), ALL), Ok(0));
    Ok(())
}
