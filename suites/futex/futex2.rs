//! The futex2 system calls `futex_wake(2)`, `futex_wait(2)` and `futex_requeue(2)`, each for one operation. `futex_waitv(2)` is
//! in `waitv`.
//!
//! No manual page describes the three yet: what Linux has done since 6.7 is customary.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{ANY, Place, SIZE_32, Waiter, is_missing, requeue2, wait, wait_bitset, wait2, wake, wake2};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, NONE_WOKEN, blocked_in, waiters, woken_indexes, words};

const MANY: i32 = i32::MAX;
const EVERY_BIT: u64 = ANY as u64;

/// The words, or *unsupported* if the system has none of the three calls.
#[track_caller]
fn words_if_supported() -> Result<Mapping, Failure> {
    let words = words()?;
    if is_missing(&wake2(words.word(0), EVERY_BIT, 0, SIZE_32)) {
        return Err(Failure::unsupported("futex_wake, futex_wait and futex_requeue", "ENOSYS"));
    }
    Ok(words)
}

/// `futex_wake(2)` with a limit of n, from 0 to `INT_MAX`, on a word with three waiters wakes n of them, or all three if n is
/// larger, and returns the number woken. The others stay blocked until the next `FUTEX_WAKE`.
#[rstest]
#[case::limit_0(0, 0)]
#[case::limit_1(1, 1)]
#[case::limit_2(2, 2)]
#[case::limit_int_max(MANY, 3)]
#[conformance::test(man = "futex(2)", level = customary)]
fn futex_wake_wakes_up_to_the_limit(#[case] limit: i32, #[case] expected: u32) -> Outcome {
    let words = words_if_supported()?;
    let all = waiters(3, words.word(0))?;
    expect_eq!((wake2(words.word(0), EVERY_BIT, limit, SIZE_32), woken_indexes(&all)?.len()), (Ok(expected), expected as usize));
    expect_eq!(wake(words.word(0), ALL), Ok(3 - expected));
    Ok(())
}

/// `FUTEX_WAKE` of `futex(2)` wakes a process blocked in `futex_wait(2)` and returns 1. `futex_wake(2)` wakes a process blocked
/// in `FUTEX_WAIT` of `futex(2)` and returns 1.
#[conformance::test(man = "futex(2)", level = customary)]
fn wakes_across_both_interfaces() -> Outcome {
    let words = words_if_supported()?;
    let word = words.word(0);
    let futex2_waiter = blocked_in("waiter in futex_wait", || wait2(word, 0, EVERY_BIT, SIZE_32, None))?;
    expect_eq!((wake(word, 1), futex2_waiter.join()?), (Ok(1), Ok(())));
    let futex_waiter = blocked_in("waiter in FUTEX_WAIT", || wait(word, 0))?;
    expect_eq!((wake2(word, 1, 1, SIZE_32), futex_waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// `futex_wait(2)` fails with `EAGAIN` if the word differs from the expected value. A later `FUTEX_WAKE` on the word returns 0.
#[conformance::test(man = "futex(2)", level = customary)]
fn futex_wait_on_a_changed_word_fails() -> Outcome {
    let words = words_if_supported()?;
    let word = words.word(0);
    expect_eq!((wait2(word, 1, EVERY_BIT, SIZE_32, None), wake(word, ALL)), (Err(EAGAIN), Ok(0)));
    Ok(())
}

/// `futex_wake(2)` with a limit of `INT_MAX` wakes exactly the waiters whose mask in `futex_wait(2)` or `FUTEX_WAIT_BITSET` has a
/// bit in common with its own, and returns the number woken. With a mask of 0, `futex_wake(2)` and `futex_wait(2)` fail with
/// `EINVAL`.
#[conformance::test(man = "futex(2)", level = customary)]
fn bit_mask_selects_waiters() -> Outcome {
    let words = words_if_supported()?;
    let word = words.word(0);
    let all = [
        blocked_in("waiter with mask 1", || wait2(word, 0, 1, SIZE_32, None))?,
        blocked_in("waiter with mask 0x80000000", || wait_bitset(word, 0, 0x8000_0000, None))?,
    ];
    expect_eq!([wake2(word, 0, MANY, SIZE_32), wake2(word, 2, MANY, SIZE_32)], [Err(EINVAL), Ok(0)]);
    expect_eq!(wait2(word, 0, 0, SIZE_32, None), Err(EINVAL));
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    expect_eq!((wake2(word, 0x8000_0000, MANY, SIZE_32), woken_indexes(&all)?), (Ok(1), vec![1]));
    expect_eq!((wake2(word, 3, MANY, SIZE_32), woken_indexes(&all)?), (Ok(1), vec![0, 1]));
    Ok(())
}

/// `futex_wake(2)` and `futex_wait(2)` fail with `EINVAL` if their flags have a word size of 8, 16 or 64 bits instead of
/// `FUTEX2_SIZE_U32`, or the unknown bit 64 or 256. A process blocked in `FUTEX_WAIT` on the word stays blocked.
#[conformance::test(man = "futex(2)", level = customary)]
fn invalid_flags_fail() -> Outcome {
    let words = words_if_supported()?;
    let word = words.word(0);
    let all = waiters(1, word)?;
    for flags in [0, 1, 3, SIZE_32 | 64, SIZE_32 | 256] {
        expect_eq!(wake2(word, EVERY_BIT, 1, flags), Err(EINVAL), "flags {flags}");
        expect_eq!(wait2(word, 0, EVERY_BIT, flags, None), Err(EINVAL), "flags {flags}");
    }
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    Ok(())
}

/// `futex_wake(2)` fails with `EINVAL` if its mask has bit 32 set, and `futex_wait(2)` fails with `EINVAL` if its mask or its
/// expected value has bit 32 set. A process blocked in `FUTEX_WAIT` on the word stays blocked.
#[cfg(target_pointer_width = "64")]
#[conformance::test(man = "futex(2)", level = customary)]
fn mask_or_value_above_32_bits_fails() -> Outcome {
    let words = words_if_supported()?;
    let word = words.word(0);
    let all = waiters(1, word)?;
    expect_eq!(wake2(word, 1 << 32 | 1, 1, SIZE_32), Err(EINVAL));
    expect_eq!(wait2(word, 0, 1 << 32 | 1, SIZE_32, None), Err(EINVAL));
    expect_eq!(wait2(word, 1 << 32, 1, SIZE_32, None), Err(EINVAL));
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    Ok(())
}

/// `futex_wake(2)` fails with `EINVAL` if the address of the word is not a multiple of 4, and with `EFAULT` if it is NULL.
#[conformance::test(man = "futex(2)", level = customary)]
fn futex_wake_at_an_invalid_address_fails() -> Outcome {
    let words = words_if_supported()?;
    let unaligned = Place::unaligned(words.word(0), 1);
    expect_eq!((wake2(unaligned, 1, 1, SIZE_32), wake2(Place::NULL, 1, 1, SIZE_32)), (Err(EINVAL), Err(EFAULT)));
    Ok(())
}

/// `futex_wait(2)` with an absolute timeout on `CLOCK_MONOTONIC` or `CLOCK_REALTIME` fails with `ETIMEDOUT`, both for a timeout
/// in the past and, not before that clock reaches it, for a timeout in the future. With `tv_nsec` 1,000,000,000, `futex_wait(2)`
/// fails with `EINVAL`.
#[rstest]
#[conformance::test(man = "futex(2)", level = customary)]
fn futex_wait_fails_at_its_timeout(#[values(Clock::Monotonic, Clock::Realtime)] clock: Clock) -> Outcome {
    let words = words_if_supported()?;
    let wait_until = |time| wait2(words.word(0), 0, EVERY_BIT, SIZE_32, Some((clock, time)));
    expect_eq!(wait_until(Time::now(clock)?.earlier()), Err(ETIMEDOUT));
    expect_eq!(wait_until(Time::new(0, 1_000_000_000)), Err(EINVAL));
    let end = Time::now(clock)?.plus_milliseconds(5);
    expect_eq!(wait_until(end), Err(ETIMEDOUT));
    expect!(Time::now(clock)?.has_come(end), "the call returned before its timeout expired");
    expect_eq!(wake(words.word(0), ALL), Ok(0));
    Ok(())
}

/// `futex_requeue(2)` with `nr_wake` 1 and `nr_requeue` 2 on a word with four waiters wakes one, moves two to the target word and
/// returns 3. If the source word differs from its expected value, the call fails with `EAGAIN` and all four stay blocked.
#[conformance::test(man = "futex(2)", level = customary)]
fn futex_requeue_wakes_and_moves_up_to_the_limits() -> Outcome {
    let words = words_if_supported()?;
    let (from, to) = (words.word(0), words.word(1));
    to.store(9, SeqCst);
    let all = waiters(4, from)?;
    let pair = |value| [Waiter::new(from, value), Waiter::new(to, 0)];
    expect_eq!((requeue2(&pair(1), 0, 1, 1), woken_indexes(&all)?), (Err(EAGAIN), vec![]));
    expect_eq!((requeue2(&pair(0), 0, 1, 2), woken_indexes(&all)?.len()), (Ok(3), 1));
    expect_eq!((wake(from, ALL), wake(to, ALL), woken_indexes(&all)?.len()), (Ok(1), Ok(2), 4));
    Ok(())
}

/// `futex_requeue(2)` fails with `EINVAL` if its `flags` are not 0, if `nr_wake` or `nr_requeue` is negative, or if the target
/// word has `FUTEX2_PRIVATE` and the source word does not. Two processes blocked in `FUTEX_WAIT` on the source word stay blocked
/// there.
#[conformance::test(man = "futex(2)", level = customary)]
fn futex_requeue_with_invalid_arguments_fails() -> Outcome {
    let words = words_if_supported()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = waiters(2, from)?;
    let pair = [Waiter::new(from, 0), Waiter::new(to, 0)];
    expect_eq!([requeue2(&pair, 1, 1, 1), requeue2(&pair, 0, -1, 1), requeue2(&pair, 0, 1, -1)], [Err(EINVAL); 3]);
    let mixed = [pair[0], pair[1].with_flags(SIZE_32 | conformance::sys::futex::WITHIN_PROCESS)];
    expect_eq!(requeue2(&mixed, 0, 1, 1), Err(EINVAL));
    expect_eq!((woken_indexes(&all)?, wake(to, ALL), wake(from, ALL)), (vec![], Ok(0), Ok(2)));
    Ok(())
}
