//! `FUTEX_WAIT`: blocks if the word has the expected value, until `FUTEX_WAKE`. Timeouts and signals are in `timeout` and
//! `interruption`.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{Fourth, Place, futex, op, wait, wait_bitset, wake};
use rstest::rstest;

use super::fixture::{ALL, NONE_WOKEN, blocked_in, waiters, woken_indexes, words};

/// `FUTEX_WAIT` and `FUTEX_WAIT_BITSET` fail with `EAGAIN` if the word differs from the expected value in any bit, and the word
/// stays as it was. A later `FUTEX_WAKE` returns 0.
#[rstest]
#[case::lowest_bit(0, 1)]
#[case::highest_bit(0, 0x8000_0000)]
#[case::one_less(7, 6)]
#[case::one_more(7, 8)]
#[case::all_bits(0xffff_ffff, 0)]
#[case::upper_half(0x0001_0007, 7)]
#[conformance::test(man = "futex(2)")]
fn changed_word_fails(#[case] held: u32, #[case] expected: u32) -> Outcome {
    let words = words()?;
    words.word(0).store(held, SeqCst);
    expect_eq!(wait(words.word(0), expected), Err(EAGAIN));
    expect_eq!(wait_bitset(words.word(0), expected, 1, None), Err(EAGAIN));
    expect_eq!((wake(words.word(0), ALL), words.word(0).load(SeqCst)), (Ok(0), held));
    Ok(())
}

/// `FUTEX_WAIT` blocks if the word has the expected value, be it 0, 1, 0x80000000 or 0xffffffff. After `FUTEX_WAKE`, which
/// returns 1, `FUTEX_WAIT` returns 0.
#[rstest]
#[case::zero(0)]
#[case::one(1)]
#[case::negative(0x8000_0000)]
#[case::all_bits(0xffff_ffff)]
#[conformance::test(man = "futex(2)")]
fn blocks_if_the_word_has_the_expected_value(#[case] value: u32) -> Outcome {
    let words = words()?;
    words.word(0).store(value, SeqCst);
    let waiter = blocked_in("waiter", || wait(words.word(0), value))?;
    expect_eq!(wake(words.word(0), 1), Ok(1));
    expect_eq!((waiter.join()?, words.word(0).load(SeqCst)), (Ok(()), value));
    Ok(())
}

/// A process blocked in `FUTEX_WAIT` stays blocked when the word changes and no `FUTEX_WAKE` is called. A later `FUTEX_WAKE`
/// returns 1 and `FUTEX_WAIT` returns 0.
#[conformance::test(man = "futex(2)")]
fn change_of_the_word_leaves_the_waiter_blocked() -> Outcome {
    let words = words()?;
    let waiter = blocked_in("waiter", || wait(words.word(0), 0))?;
    words.word(0).store(1, SeqCst);
    waiter.expect_still_blocked()?;
    expect_eq!(wake(words.word(0), 1), Ok(1));
    expect_eq!(waiter.join()?, Ok(()));
    Ok(())
}

/// `FUTEX_WAKE` on a word without waiters returns 0, and a later `FUTEX_WAIT` blocks until the next `FUTEX_WAKE`, which returns
/// 1.
#[conformance::test(man = "futex(2)")]
fn earlier_wake_has_no_effect() -> Outcome {
    let words = words()?;
    expect_eq!(wake(words.word(0), 1), Ok(0));
    let waiter = blocked_in("waiter", || wait(words.word(0), 0))?;
    expect_eq!((wake(words.word(0), 1), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// If a process calls `FUTEX_WAIT` five times in turn, each `FUTEX_WAKE` with a limit of `INT_MAX` returns 1 and ends one of the
/// five calls, and the process is then blocked in the next one.
#[conformance::test(man = "futex(2)")]
fn each_wake_ends_one_wait() -> Outcome {
    let words = words()?;
    let waiter = blocked_in("waiter", || (0..5).try_for_each(|turn| wait(words.word(0), turn)))?;
    for turn in 1..=5 {
        words.word(0).store(turn, SeqCst);
        expect_eq!(wake(words.word(0), ALL), Ok(1));
        if turn < 5 {
            waiter.expect_still_blocked()?;
        }
    }
    expect_eq!(waiter.join()?, Ok(()));
    Ok(())
}

/// `FUTEX_WAIT` with an unaligned `uaddr2` and with `val3` 0 blocks until `FUTEX_WAKE` on its word, which returns 1, since
/// `FUTEX_WAIT` ignores both arguments.
#[conformance::test(man = "futex(2)")]
fn ignores_uaddr2_and_val3() -> Outcome {
    let words = words()?;
    let (word, other) = (words.word(0), words.word(1));
    let waiter = blocked_in("waiter", || futex(word, op::WAIT, 0, Fourth::None, Place::unaligned(other, 1), 0).map(drop))?;
    expect_eq!((wake(other, ALL), wake(word, ALL)), (Ok(0), Ok(1)));
    expect_eq!(waiter.join()?, Ok(()));
    Ok(())
}

/// If the word changes between the `FUTEX_WAIT` calls of two processes, each of which passes the current value, and changes again
/// afterwards, both stay blocked. `FUTEX_WAKE` then wakes both and returns 2.
#[conformance::test(man = "futex(2)")]
fn wakes_waiters_with_different_expected_values() -> Outcome {
    let words = words()?;
    let mut all = waiters(1, words.word(0))?;
    words.word(0).store(9, SeqCst);
    all.extend(waiters(1, words.word(0))?);
    words.word(0).store(4, SeqCst);
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    expect_eq!((wake(words.word(0), ALL), woken_indexes(&all)?), (Ok(2), vec![0, 1]));
    Ok(())
}

/// If one of three processes blocked in `FUTEX_WAIT` is killed, the other two stay blocked. `FUTEX_WAKE` then wakes both and
/// returns 2.
#[conformance::test(man = "futex(2)")]
fn killed_waiter_is_not_counted() -> Outcome {
    let words = words()?;
    let mut all = waiters(3, words.word(0))?;
    all.remove(1).kill()?;
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    expect_eq!((wake(words.word(0), ALL), woken_indexes(&all)?), (Ok(2), vec![0, 1]));
    expect_eq!(wake(words.word(0), ALL), Ok(0));
    Ok(())
}
