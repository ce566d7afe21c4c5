//! `futex_wake`, `futex_wait` and `futex_requeue`: the younger calls, each for one operation.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{ANY, Place, SIZE_32, Waiter, is_missing, requeue2, wait, wait_bitset, wait2, wake, wake2};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, NOBODY, awake, sleeper, sleepers, words};

const MANY: i32 = i32::MAX;
const EVERY_BIT: u64 = ANY as u64;

/// The words, or the answer that there are no such calls here.
#[track_caller]
fn words_if_supported() -> Result<Mapping, Failure> {
    let words = words()?;
    if is_missing(&wake2(words.word(0), EVERY_BIT, 0, SIZE_32)) {
        return Err(Failure::unsupported("futex_wake, futex_wait and futex_requeue", "ENOSYS"));
    }
    Ok(words)
}

/// A wake ends as many waits as it is told, none included, and returns how many.
#[rstest]
#[case::none(0, 0)]
#[case::one(1, 1)]
#[case::two(2, 2)]
#[case::more_than_all(MANY, 3)]
#[conformance::test(man = "futex(2)", level = observed)]
fn wake_as_many_as_they_are_told(#[case] most: i32, #[case] expected: u32) -> Outcome {
    let words = words_if_supported()?;
    let all = sleepers(3, words.word(0))?;
    expect_eq!((wake2(words.word(0), EVERY_BIT, most, SIZE_32), awake(&all)?.len()), (Ok(expected), expected as usize));
    expect_eq!(wake(words.word(0), ALL), Ok(3 - expected));
    Ok(())
}

/// A wait of the younger kind is woken by the elder, and refuses a value that is out of date.
#[conformance::test(man = "futex(2)", level = observed)]
fn meet_the_elder_call() -> Outcome {
    let words = words_if_supported()?;
    let word = words.word(0);
    expect_eq!(wait2(word, 1, EVERY_BIT, SIZE_32, None), Err(EAGAIN));
    let younger = sleeper("younger", || wait2(word, 0, EVERY_BIT, SIZE_32, None))?;
    expect_eq!((wake(word, 1), younger.join()?), (Ok(1), Ok(())));
    let elder = sleeper("elder", || wait(word, 0))?;
    expect_eq!((wake2(word, 1, 1, SIZE_32), elder.join()?), (Ok(1), Ok(())));
    Ok(())
}

/// Bits select as for the elder calls, and none at all are refused.
#[conformance::test(man = "futex(2)", level = observed)]
fn select_by_bits() -> Outcome {
    let words = words_if_supported()?;
    let word = words.word(0);
    let all = [sleeper("low", || wait2(word, 0, 1, SIZE_32, None))?, sleeper("high", || wait_bitset(word, 0, 0x8000_0000, None))?];
    expect_eq!([wake2(word, 0, MANY, SIZE_32), wake2(word, 2, MANY, SIZE_32)], [Err(EINVAL), Ok(0)]);
    expect_eq!(wait2(word, 0, 0, SIZE_32, None), Err(EINVAL));
    expect_eq!(awake(&all)?, NOBODY);
    expect_eq!((wake2(word, 0x8000_0000, MANY, SIZE_32), awake(&all)?), (Ok(1), vec![1]));
    expect_eq!((wake2(word, 3, MANY, SIZE_32), awake(&all)?), (Ok(1), vec![0, 1]));
    Ok(())
}

/// Flags without the size of a word, or unknown ones, are refused, and so is what has more bits than a word.
#[conformance::test(man = "futex(2)", level = observed)]
fn refuse_what_they_do_not_understand() -> Outcome {
    let words = words_if_supported()?;
    let word = words.word(0);
    let all = sleepers(1, word)?;
    for flags in [0, 1, 3, SIZE_32 | 64, SIZE_32 | 256] {
        expect_eq!(wake2(word, EVERY_BIT, 1, flags), Err(EINVAL), "flags {flags}");
        expect_eq!(wait2(word, 0, EVERY_BIT, flags, None), Err(EINVAL), "flags {flags}");
    }
    if usize::BITS > 32 {
        expect_eq!(wake2(word, 1 << 32 | 1, 1, SIZE_32), Err(EINVAL));
        expect_eq!(wait2(word, 0, 1 << 32 | 1, SIZE_32, None), Err(EINVAL));
        expect_eq!(wait2(word, 1 << 32, 1, SIZE_32, None), Err(EINVAL));
    }
    expect_eq!((wake2(Place::unaligned(word, 1), 1, 1, SIZE_32), wake2(Place::NULL, 1, 1, SIZE_32)), (Err(EINVAL), Err(EFAULT)));
    expect_eq!(awake(&all)?, NOBODY);
    Ok(())
}

/// The timeout of a wait is an instant of one of the two clocks.
#[rstest]
#[conformance::test(man = "futex(2)", level = observed)]
fn end_with_their_time(#[values(Clock::Monotonic, Clock::Realtime)] clock: Clock) -> Outcome {
    let words = words_if_supported()?;
    let wait_until = |time| wait2(words.word(0), 0, EVERY_BIT, SIZE_32, Some((clock, time)));
    expect_eq!(wait_until(Time::now(clock)?.earlier()), Err(ETIMEDOUT));
    expect_eq!(wait_until(Time::new(0, 1_000_000_000)), Err(EINVAL));
    let end = Time::now(clock)?.plus_milliseconds(5);
    expect_eq!(wait_until(end), Err(ETIMEDOUT));
    expect!(Time::now(clock)?.has_come(end));
    expect_eq!(wake(words.word(0), ALL), Ok(0));
    Ok(())
}

/// A requeue wakes and moves as many as it is told if the first word is as expected; otherwise nobody.
#[conformance::test(man = "futex(2)", level = observed)]
fn requeue_as_many_as_they_are_told() -> Outcome {
    let words = words_if_supported()?;
    let (from, to) = (words.word(0), words.word(1));
    to.store(9, SeqCst);
    let all = sleepers(4, from)?;
    let pair = |value| [Waiter::new(from, value), Waiter::new(to, 0)];
    expect_eq!((requeue2(&pair(1), 0, 1, 1), awake(&all)?), (Err(EAGAIN), vec![]));
    expect_eq!((requeue2(&pair(0), 0, 1, 2), awake(&all)?.len()), (Ok(3), 1));
    expect_eq!((wake(from, ALL), wake(to, ALL), awake(&all)?.len()), (Ok(1), Ok(2), 4));
    Ok(())
}

/// A requeue refuses flags, negative numbers and words of two kinds, and moves nobody.
#[conformance::test(man = "futex(2)", level = observed)]
fn requeue_nobody_where_they_refuse() -> Outcome {
    let words = words_if_supported()?;
    let (from, to) = (words.word(0), words.word(1));
    let all = sleepers(2, from)?;
    let pair = [Waiter::new(from, 0), Waiter::new(to, 0)];
    expect_eq!([requeue2(&pair, 1, 1, 1), requeue2(&pair, 0, -1, 1), requeue2(&pair, 0, 1, -1)], [Err(EINVAL); 3]);
    let mixed = [pair[0], pair[1].with_flags(SIZE_32 | conformance::sys::futex::WITHIN_PROCESS)];
    expect_eq!(requeue2(&mixed, 0, 1, 1), Err(EINVAL));
    expect_eq!((awake(&all)?, wake(to, ALL), wake(from, ALL)), (vec![], Ok(0), Ok(2)));
    Ok(())
}
