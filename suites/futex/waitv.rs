//! `futex_waitv(2)`: blocks while all words of a list have their expected values, until a wake on any of them.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{
    Place, SIZE_32, WITHIN_PROCESS, Waiter, cmp_requeue, is_missing, waitv, waitv_nowhere, waitv_on, wake, wake_bitset,
};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, count, words};

/// The largest number of words in a list (`FUTEX_WAITV_MAX`).
const MOST: usize = 128;

/// The words, or *unsupported* if the system has no `futex_waitv`.
#[track_caller]
fn words_if_supported() -> Result<Mapping, Failure> {
    if is_missing(&waitv(&[], 0, None)) { Err(Failure::unsupported("futex_waitv", "ENOSYS")) } else { Ok(words()?) }
}

/// A list of so many words from the first on, with the expected value 0.
fn list_of(words: &Mapping, count: usize) -> Vec<Waiter<'_>> {
    (0..count).map(|index| Waiter::new(words.word(index), 0)).collect()
}

/// A participant in `futex_waitv`, which returns what the call returned.
type WaitingProcess = Participant<Result<u32, Errno>>;

/// A participant that is blocked in `futex_waitv`.
#[track_caller]
fn blocked_in_waitv(list: &[Waiter<'_>]) -> Result<WaitingProcess, Failure> {
    let waiter = Participant::spawn("waiter", (), |(), _| waitv(list, 0, None))?;
    waiter.until_blocked()?;
    Ok(waiter)
}

/// What `FUTEX_WAKE` of all waiters returns on each of these words.
fn wake_each<const N: usize>(words: &Mapping, indexes: [usize; N]) -> [Result<u32, Errno>; N] {
    indexes.map(|index| wake(words.word(index), ALL))
}

/// After `FUTEX_WAKE` on one of four words returned 1, a process blocked in `futex_waitv` on the four words returns the index of
/// that word. A later `FUTEX_WAKE` on each of the four words returns 0.
#[rstest]
#[conformance::test(man = "futex_waitv(2)")]
fn returns_the_index_of_the_woken_word(#[values(0, 1, 3)] index: usize) -> Outcome {
    let words = words_if_supported()?;
    let waiter = blocked_in_waitv(&list_of(&words, 4))?;
    expect_eq!(wake(words.word(4), ALL), Ok(0));
    expect_eq!((wake(words.word(index), 1), waiter.join()?), (Ok(1), Ok(count(index))));
    expect_eq!(wake_each(&words, [0, 1, 2, 3]), [Ok(0); 4]);
    Ok(())
}

/// `futex_waitv` on four words fails with `EAGAIN` if one of them differs from its expected value. A later `FUTEX_WAKE` on each
/// of the four words returns 0.
#[rstest]
#[conformance::test(man = "futex_waitv(2)")]
fn changed_word_fails(#[values(0, 1, 3)] index: usize) -> Outcome {
    let words = words_if_supported()?;
    words.word(index).store(1, SeqCst);
    expect_eq!(waitv(&list_of(&words, 4), 0, None), Err(EAGAIN));
    expect_eq!(wake_each(&words, [0, 1, 2, 3]), [Ok(0); 4]);
    Ok(())
}

/// `futex_waitv` blocks if each of three words has the expected value of its own list element, and returns 2 after `FUTEX_WAKE`
/// on the third word.
#[conformance::test(man = "futex_waitv(2)")]
fn compares_each_word_with_its_own_value() -> Outcome {
    let words = words_if_supported()?;
    words.word(1).store(5, SeqCst);
    words.word(2).store(u32::MAX, SeqCst);
    let list = [(0, 0), (1, 5), (2, u32::MAX)].map(|(index, value)| Waiter::new(words.word(index), value));
    let waiter = blocked_in_waitv(&list)?;
    expect_eq!((wake(words.word(2), 1), waiter.join()?), (Ok(1), Ok(2)));
    Ok(())
}

/// `futex_waitv` blocks on 128 words, and returns 127 after `FUTEX_WAKE` on the last one.
#[conformance::test(man = "futex_waitv(2)")]
fn accepts_128_words() -> Outcome {
    let words = words_if_supported()?;
    let waiter = blocked_in_waitv(&list_of(&words, MOST))?;
    expect_eq!((wake(words.word(MOST - 1), 1), waiter.join()?), (Ok(1), Ok(count(MOST - 1))));
    Ok(())
}

/// `futex_waitv` with 0 or 129 list elements fails with `EINVAL`. A later `FUTEX_WAKE` on the first word of the list returns 0.
#[conformance::test(man = "futex_waitv(2)")]
fn number_of_words_outside_1_to_128_fails() -> Outcome {
    let words = words_if_supported()?;
    expect_eq!((waitv(&[], 0, None), waitv(&list_of(&words, MOST + 1), 0, None)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!(wake(words.word(0), ALL), Ok(0));
    Ok(())
}

/// `futex_waitv` fails with `EINVAL` if the pointer to its list is NULL, and with `EFAULT` if the list is inaccessible.
#[conformance::test(man = "futex_waitv(2)", level = customary)]
fn invalid_list_pointer_fails() -> Outcome {
    words_if_supported()?;
    let guarded = Guarded::new()?;
    expect_eq!((waitv_nowhere(Place::NULL, 1), waitv_nowhere(Place::forbidden(&guarded), 1)), (Err(EINVAL), Err(EFAULT)));
    Ok(())
}

/// `futex_waitv` on a word with the expected value fails with `EINVAL` if its `flags` argument is 1, 128, 256 or 0x80000000.
#[rstest]
#[conformance::test(man = "futex_waitv(2)")]
fn nonzero_flags_fail(#[values(1, 128, 256, 0x8000_0000)] flags: u32) -> Outcome {
    let words = words_if_supported()?;
    expect_eq!(waitv(&list_of(&words, 1), flags, None), Err(EINVAL));
    Ok(())
}

/// `futex_waitv` fails with `EINVAL` if the last of three list elements has `flags` with a word size of 8, 16 or 64 bits or with
/// the unknown bit 64 or 0x80000000, an expected value of 2^32, or `__reserved` 1. A later `FUTEX_WAKE` on each of the first two
/// words returns 0.
#[rstest]
#[case::size_8_bits(0, 0, 0)]
#[case::size_16_bits(1, 0, 0)]
#[case::size_64_bits(3, 0, 0)]
#[case::unknown_flag(SIZE_32 | 64, 0, 0)]
#[case::unknown_flag_bit_31(SIZE_32 | 0x8000_0000, 0, 0)]
#[case::value_above_32_bits(SIZE_32, 1 << 32, 0)]
#[case::nonzero_reserved(SIZE_32, 0, 1)]
#[conformance::test(man = "futex_waitv(2)")]
fn invalid_list_element_fails(#[case] flags: u32, #[case] value: u64, #[case] reserved: u32) -> Outcome {
    let words = words_if_supported()?;
    let mut list = list_of(&words, 3);
    list[2] = list[2].with_flags(flags).with_value(value).with_reserved(reserved);
    expect_eq!(waitv(&list, 0, None), Err(EINVAL));
    expect_eq!(wake_each(&words, [0, 1]), [Ok(0); 2]);
    Ok(())
}

/// `futex_waitv` on two words fails with `EINVAL` if the address of the second word is not a multiple of 4, and with `EFAULT` if
/// it is NULL. A later `FUTEX_WAKE` on the first word returns 0.
#[conformance::test(man = "futex_waitv(2)")]
fn invalid_address_fails() -> Outcome {
    let words = words_if_supported()?;
    for (place, expected) in [(Place::unaligned(words.word(2), 2), EINVAL), (Place::NULL, EFAULT)] {
        let list = [Waiter::new(words.word(0), 0), Waiter::new(place, 0)];
        expect_eq!((waitv(&list, 0, None), wake(words.word(0), ALL)), (Err(expected), Ok(0)));
    }
    Ok(())
}

/// `futex_waitv` with an absolute timeout on `CLOCK_MONOTONIC` or `CLOCK_REALTIME` fails with `ETIMEDOUT`, both for a timeout in
/// the past and, not before that clock reaches it, for a timeout in the future. A later `FUTEX_WAKE` on each word returns 0.
#[rstest]
#[conformance::test(man = "futex_waitv(2)")]
fn fails_at_its_timeout(#[values(Clock::Monotonic, Clock::Realtime)] clock: Clock) -> Outcome {
    let words = words_if_supported()?;
    let past = Time::now(clock)?.earlier();
    expect_eq!(waitv(&list_of(&words, 2), 0, Some((clock, past))), Err(ETIMEDOUT));
    let end = Time::now(clock)?.plus_milliseconds(5);
    expect_eq!(waitv(&list_of(&words, 2), 0, Some((clock, end))), Err(ETIMEDOUT));
    expect!(Time::now(clock)?.has_come(end), "the call returned before its timeout expired");
    expect_eq!(wake_each(&words, [0, 1]), [Ok(0); 2]);
    Ok(())
}

/// `futex_waitv` fails with `EINVAL` if the `tv_sec` of its timeout is negative, if its `tv_nsec` is outside of 0 to 999,999,999,
/// or if the clock is neither `CLOCK_MONOTONIC` nor `CLOCK_REALTIME`.
#[conformance::test(man = "futex_waitv(2)")]
fn invalid_timespec_or_clock_fails() -> Outcome {
    let words = words_if_supported()?;
    for time in [Time::new(0, 1_000_000_000), Time::new(0, -1), Time::new(-1, 0)] {
        expect_eq!(waitv(&list_of(&words, 1), 0, Some((Clock::Monotonic, time))), Err(EINVAL), "{time:?}");
    }
    for clock in [other_clocks::PROCESS_CPU, other_clocks::BOOT, -1] {
        expect_eq!(waitv_on(&list_of(&words, 1), 0, Some(Time::new(0, 0)), clock), Err(EINVAL), "clock {clock}");
    }
    Ok(())
}

/// Clocks that exist, but that `futex_waitv` does not accept.
mod other_clocks {
    pub const PROCESS_CPU: i32 = 2;
    pub const BOOT: i32 = 7;
}

/// A process blocked in `futex_waitv` on a word with `FUTEX2_PRIVATE` and a shared word stays blocked when another process calls
/// `FUTEX_WAKE` on the first word, which returns 0. `FUTEX_WAKE` on the second word returns 1 and `futex_waitv` returns 1.
#[conformance::test(man = "futex_waitv(2)", level = customary)]
fn mixes_private_and_shared_words() -> Outcome {
    let words = words_if_supported()?;
    let list = [Waiter::new(words.word(0), 0).with_flags(SIZE_32 | WITHIN_PROCESS), Waiter::new(words.word(1), 0)];
    let waiter = blocked_in_waitv(&list)?;
    expect_eq!(wake(words.word(0), ALL), Ok(0));
    waiter.expect_still_blocked()?;
    expect_eq!((wake(words.word(1), ALL), waiter.join()?), (Ok(1), Ok(1)));
    Ok(())
}

/// After `FUTEX_CMP_REQUEUE` has moved a process blocked in `futex_waitv` from the second word of its list to a word outside the
/// list, `FUTEX_WAKE` on the latter returns 1, and `futex_waitv` returns 1, the index of the second word.
#[conformance::test(man = "futex_waitv(2)", level = customary)]
fn requeued_waiter_returns_the_original_index() -> Outcome {
    let words = words_if_supported()?;
    let waiter = blocked_in_waitv(&list_of(&words, 3))?;
    expect_eq!((cmp_requeue(words.word(1), 0, 0, words.word(5), 1), wake(words.word(1), ALL)), (Ok(1), Ok(0)));
    waiter.expect_still_blocked()?;
    expect_eq!((wake(words.word(5), ALL), waiter.join()?), (Ok(1), Ok(1)));
    expect_eq!(wake_each(&words, [0, 1, 2, 5]), [Ok(0); 4]);
    Ok(())
}

/// `FUTEX_WAKE_BITSET` with the mask 1 or 0x80000000 on the second of three words wakes a process blocked in `futex_waitv` on the
/// three and returns 1, and `futex_waitv` returns 1.
#[rstest]
#[case::lowest_bit(1)]
#[case::highest_bit(0x8000_0000)]
#[conformance::test(man = "futex_waitv(2)")]
fn bitset_wake_matches_with_every_bit(#[case] mask: u32) -> Outcome {
    let words = words_if_supported()?;
    let waiter = blocked_in_waitv(&list_of(&words, 3))?;
    expect_eq!((wake_bitset(words.word(1), 1, mask), waiter.join()?), (Ok(1), Ok(1)));
    expect_eq!(wake_each(&words, [0, 1, 2]), [Ok(0); 3]);
    Ok(())
}

/// If a word is both the first and the third of the list of a process blocked in `futex_waitv`, `FUTEX_WAKE` with a limit of
/// `INT_MAX` on that word returns 1 or 2, and `futex_waitv` returns 0 or 2. Each combination is allowed and recorded.
#[conformance::test(man = "futex_waitv(2)", level = observed)]
fn word_listed_twice() -> Outcome {
    let words = words_if_supported()?;
    let list = [0, 1, 0].map(|index| Waiter::new(words.word(index), 0));
    let waiter = blocked_in_waitv(&list)?;
    let woken = wake(words.word(0), ALL);
    let index = waiter.join()?;
    expect_matches!((woken, index), (Ok(1 | 2), Ok(0 | 2)));
    observe!("futex.waitv-word-listed-twice", format!("woken {woken:?}, index {index:?}"));
    expect_eq!(wake_each(&words, [0, 1]), [Ok(0); 2]);
    Ok(())
}

/// After one of two processes blocked in `futex_waitv` was killed, `FUTEX_WAKE` returns 0 on a word that only the killed process
/// had listed, and 1 on a word that both had listed.
#[conformance::test(man = "futex_waitv(2)")]
fn killed_waiter_is_not_counted() -> Outcome {
    let words = words_if_supported()?;
    let (victim, other) = (blocked_in_waitv(&list_of(&words, 3))?, blocked_in_waitv(&list_of(&words, 2))?);
    victim.kill()?;
    expect_eq!((wake(words.word(2), ALL), wake(words.word(1), ALL), other.join()?), (Ok(0), Ok(1), Ok(1)));
    expect_eq!(wake_each(&words, [0, 1, 2]), [Ok(0); 3]);
    Ok(())
}

/// After `SIGSTOP` and `SIGCONT`, a process blocked in `futex_waitv` stays blocked. `FUTEX_WAKE` on the second word then returns
/// 1 and `futex_waitv` returns 1.
#[conformance::test(man = "futex_waitv(2)", man = "signal(7)")]
fn stop_leaves_the_waiter_blocked() -> Outcome {
    let words = words_if_supported()?;
    let waiter = blocked_in_waitv(&list_of(&words, 2))?;
    waiter.stop()?;
    waiter.resume()?;
    waiter.expect_still_blocked()?;
    expect_eq!((wake(words.word(1), ALL), waiter.join()?), (Ok(1), Ok(1)));
    Ok(())
}

/// If a signal handler without `SA_RESTART` runs in a process blocked in `futex_waitv`, the call fails with `EINTR`. If the
/// handler has `SA_RESTART`, the process stays blocked until `FUTEX_WAKE` on the second word, which returns 1, and `futex_waitv`
/// returns 1.
#[rstest]
#[conformance::test(man = "futex_waitv(2)", man = "signal(7)", level = customary)]
fn handler_ends_or_restarts_the_wait(#[values(Restart::No, Restart::Yes)] sa_restart: Restart) -> Outcome {
    let words = words_if_supported()?;
    let list = list_of(&words, 2);
    let waiter = Participant::spawn("waiter", (), |(), _| {
        signal::catch(Signal::SIGUSR1, sa_restart)?;
        waitv(&list, 0, None)
    })?;
    waiter.until_blocked()?;
    waiter.signal(Signal::SIGUSR1)?;
    if sa_restart == Restart::Yes {
        waiter.expect_still_blocked()?;
        expect_eq!((wake(words.word(1), ALL), waiter.join()?), (Ok(1), Ok(1)));
    } else {
        expect_eq!(waiter.join()?, Err(EINTR));
    }
    expect_eq!(wake_each(&words, [0, 1]), [Ok(0); 2]);
    Ok(())
}
