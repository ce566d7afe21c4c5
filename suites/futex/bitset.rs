//! `FUTEX_WAIT_BITSET` and `FUTEX_WAKE_BITSET`: which waiters a wake with a bit mask selects. Timeouts are in `timeout`.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{ANY, cmp_requeue, wait, wait_bitset, wake, wake_bitset};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, FAR_FUTURE, WaitingProcess, blocked_in, count, woken_indexes, words};

/// One participant blocked in `FUTEX_WAIT_BITSET` for each bit mask, in this order.
fn bitset_waiters(words: &Mapping, masks: &[u32]) -> Result<Vec<WaitingProcess>, Failure> {
    let mut all = Vec::new();
    for &mask in masks {
        all.push(blocked_in(&format!("waiter with mask {mask:#x}"), || wait_bitset(words.word(0), 0, mask, None))?);
    }
    Ok(all)
}

/// `FUTEX_WAKE_BITSET` with a limit of `INT_MAX` on a word with five waiters wakes exactly those whose `FUTEX_WAIT_BITSET` mask
/// has a bit in common with its own mask, and returns the number woken.
#[rstest]
#[case::lowest_bit(1, &[0, 2, 4])]
#[case::second_bit(2, &[1, 2, 4])]
#[case::two_lowest_bits(3, &[0, 1, 2, 4])]
#[case::highest_bit(0x8000_0000, &[3, 4])]
#[case::highest_and_lowest_bit(0x8000_0001, &[0, 2, 3, 4])]
#[case::bit_in_no_other_mask(4, &[4])]
#[case::match_any(ANY, &[0, 1, 2, 3, 4])]
#[conformance::test(man = "futex(2)")]
fn wakes_waiters_with_a_common_bit(#[case] mask: u32, #[case] expected: &[usize]) -> Outcome {
    let words = words()?;
    let all = bitset_waiters(&words, &[1, 2, 3, 0x8000_0000, ANY])?;
    expect_eq!((wake_bitset(words.word(0), ALL, mask), woken_indexes(&all)?), (Ok(count(expected.len())), expected.to_vec()));
    expect_eq!(wake(words.word(0), ALL), Ok(5 - count(expected.len())));
    Ok(())
}

/// `FUTEX_WAKE_BITSET` with a limit of 1 wakes one waiter whose `FUTEX_WAIT_BITSET` mask has a bit in common with its own mask
/// and returns 1, even if waiters without a common bit began to wait earlier.
#[conformance::test(man = "futex(2)")]
fn limit_counts_matching_waiters_only() -> Outcome {
    let words = words()?;
    let all = bitset_waiters(&words, &[2, 2, 1, 2, 1])?;
    expect_eq!(wake_bitset(words.word(0), 1, 1), Ok(1));
    let first = woken_indexes(&all)?;
    expect_matches!(first.as_slice(), [2 | 4]);
    expect_eq!((wake_bitset(words.word(0), 2, 1), woken_indexes(&all)?), (Ok(1), vec![2, 4]));
    expect_eq!((wake_bitset(words.word(0), 2, 2), woken_indexes(&all)?.len()), (Ok(2), 4));
    Ok(())
}

/// `FUTEX_WAIT_BITSET` and `FUTEX_WAKE_BITSET` with a bit mask of 0 fail with `EINVAL`. A process blocked in `FUTEX_WAIT_BITSET`
/// on the same word stays blocked.
#[conformance::test(man = "futex(2)")]
fn zero_mask_fails() -> Outcome {
    let words = words()?;
    let all = bitset_waiters(&words, &[ANY])?;
    expect_eq!([wait_bitset(words.word(0), 0, 0, None), wait_bitset(words.word(0), 1, 0, None)], [Err(EINVAL); 2]);
    expect_eq!((wake_bitset(words.word(0), ALL, 0), woken_indexes(&all)?), (Err(EINVAL), vec![]));
    expect_eq!(wake_bitset(words.word(1), ALL, 0), Err(EINVAL));
    Ok(())
}

/// `FUTEX_WAKE_BITSET` with a limit of 1 and the mask 1, 0x10000 or 0x80000000 wakes a process blocked in `FUTEX_WAIT` on the
/// word and returns 1, since `FUTEX_WAIT` waits with all 32 bits set.
#[rstest]
#[case::lowest_bit(1)]
#[case::middle_bit(0x0001_0000)]
#[case::highest_bit(0x8000_0000)]
#[conformance::test(man = "futex(2)")]
fn plain_wait_matches_every_bit(#[case] bits: u32) -> Outcome {
    let words = words()?;
    let waiter = blocked_in("waiter", || wait(words.word(0), 0))?;
    expect_eq!((wake_bitset(words.word(0), 1, bits), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// `FUTEX_WAKE` with a limit of `INT_MAX` wakes three processes blocked in `FUTEX_WAIT_BITSET` on the word with different masks,
/// and returns 3.
#[conformance::test(man = "futex(2)")]
fn plain_wake_matches_every_mask() -> Outcome {
    let words = words()?;
    let all = bitset_waiters(&words, &[1, 0x0001_0000, 0x8000_0000])?;
    expect_eq!((wake(words.word(0), ALL), woken_indexes(&all)?), (Ok(3), vec![0, 1, 2]));
    Ok(())
}

/// After `FUTEX_CMP_REQUEUE` has moved a process blocked in `FUTEX_WAIT_BITSET` to a second word, `FUTEX_WAKE_BITSET` on the
/// second word returns 0 if its mask has no bit in common with the mask of that process. With a common bit, it wakes the process
/// and returns 1.
#[conformance::test(man = "futex(2)")]
fn requeued_waiter_keeps_its_mask() -> Outcome {
    let words = words()?;
    let all = bitset_waiters(&words, &[1, 2])?;
    expect_eq!(cmp_requeue(words.word(0), 0, 0, words.word(1), 2), Ok(2));
    expect_eq!(
        (wake_bitset(words.word(1), ALL, 4), wake_bitset(words.word(1), ALL, 2), woken_indexes(&all)?),
        (Ok(0), Ok(1), vec![1])
    );
    expect_eq!((wake_bitset(words.word(1), ALL, 1), woken_indexes(&all)?), (Ok(1), vec![0, 1]));
    Ok(())
}

/// After `SIGSTOP` and `SIGCONT`, a process blocked in `FUTEX_WAIT_BITSET` stays blocked when `FUTEX_WAKE_BITSET` is called with
/// a mask without a common bit, which returns 0. `FUTEX_WAKE_BITSET` with a common bit then returns 1, and `FUTEX_WAIT_BITSET`
/// returns 0.
#[rstest]
#[case::no_timeout(None)]
#[case::monotonic_timeout(Some(Clock::Monotonic))]
#[case::realtime_timeout(Some(Clock::Realtime))]
#[conformance::test(man = "futex(2)", man = "signal(7)")]
fn stopped_waiter_keeps_its_mask(#[case] clock: Option<Clock>) -> Outcome {
    let words = words()?;
    let until = clock.map(|clock| Time::now(clock).map(|now| (clock, now.plus(FAR_FUTURE)))).transpose()?;
    let waiter = blocked_in("waiter", || wait_bitset(words.word(0), 0, 2, until))?;
    waiter.stop()?;
    waiter.resume()?;
    waiter.until_blocked()?;
    expect_eq!(wake_bitset(words.word(0), ALL, !2), Ok(0));
    waiter.expect_still_blocked()?;
    expect_eq!((wake_bitset(words.word(0), ALL, 2), waiter.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// `FUTEX_WAIT_BITSET` on a word of 2 fails with `EAGAIN` if the expected value is 1 and the mask is 2. With the expected value 2
/// and the mask 1 it blocks, and returns 0 after `FUTEX_WAKE_BITSET` with the mask 1, which returns 1.
#[conformance::test(man = "futex(2)")]
fn mask_is_not_compared_with_the_word() -> Outcome {
    let words = words()?;
    words.word(0).store(2, SeqCst);
    expect_eq!(wait_bitset(words.word(0), 1, 2, None), Err(EAGAIN));
    let waiter = blocked_in("waiter", || wait_bitset(words.word(0), 2, 1, None))?;
    expect_eq!((wake_bitset(words.word(0), 1, 2), wake_bitset(words.word(0), 1, 1)), (Ok(0), Ok(1)));
    expect_eq!((waiter.join()?, words.word(0).load(SeqCst)), (Ok(()), 2));
    Ok(())
}
