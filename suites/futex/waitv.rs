//! `futex_waitv`: a wait at several words at once, ended by a wake at any of them.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{
    Place, SIZE_32, WITHIN_PROCESS, Waiter, cmp_requeue, is_missing, waitv, waitv_nowhere, waitv_on, wake, wake_bitset,
};
use conformance::sys::time::{Clock, Time};
use rstest::rstest;

use super::fixture::{ALL, count, words};

/// Most words that can be waited at.
const MOST: usize = 128;

/// The words, or the answer that there is no such call here.
#[track_caller]
fn words_if_supported() -> Result<Mapping, Failure> {
    let answer = waitv(&[], 0, None);
    if is_missing(&answer) { Err(Failure::unsupported("futex_waitv", "ENOSYS")) } else { Ok(words()?) }
}

/// Waiters at so many words from the first on, all of which are 0.
fn at(words: &Mapping, count: usize) -> Vec<Waiter<'_>> {
    (0..count).map(|index| Waiter::new(words.word(index), 0)).collect()
}

type Sleeper = Participant<Result<u32, Errno>>;

#[track_caller]
fn sleeper(waiters: &[Waiter<'_>]) -> Result<Sleeper, Failure> {
    let sleeper = Participant::spawn("sleeper", (), |(), _| waitv(waiters, 0, None))?;
    sleeper.until_blocked()?;
    Ok(sleeper)
}

/// The wait returns which of the words it was woken at, and afterwards waits at none.
#[rstest]
#[conformance::test(man = "futex_waitv(2)")]
fn tells_where_it_was_woken(#[values(0, 1, 3)] index: usize) -> Outcome {
    let words = words_if_supported()?;
    let sleeper = sleeper(&at(&words, 4))?;
    expect_eq!(wake(words.word(4), ALL), Ok(0));
    expect_eq!((wake(words.word(index), 1), sleeper.join()?), (Ok(1), Ok(count(index))));
    expect_eq!([0, 1, 2, 3].map(|index| wake(words.word(index), ALL)), [Ok(0); 4]);
    Ok(())
}

/// Where any of the words is not as expected the wait fails with `EAGAIN`, and there is no waiter at the others.
#[rstest]
#[conformance::test(man = "futex_waitv(2)")]
fn refuses_a_value_that_is_out_of_date(#[values(0, 1, 3)] index: usize) -> Outcome {
    let words = words_if_supported()?;
    words.word(index).store(1, SeqCst);
    expect_eq!(waitv(&at(&words, 4), 0, None), Err(EAGAIN));
    expect_eq!([0, 1, 2, 3].map(|index| wake(words.word(index), ALL)), [Ok(0); 4]);
    Ok(())
}

/// Each word is compared with a value of its own.
#[conformance::test(man = "futex_waitv(2)")]
fn compares_each_word_with_its_value() -> Outcome {
    let words = words_if_supported()?;
    words.word(1).store(5, SeqCst);
    words.word(2).store(u32::MAX, SeqCst);
    let waiters = [(0, 0), (1, 5), (2, u32::MAX)].map(|(index, value)| Waiter::new(words.word(index), value));
    let sleeper = sleeper(&waiters)?;
    expect_eq!((wake(words.word(2), 1), sleeper.join()?), (Ok(1), Ok(2)));
    Ok(())
}

/// There can be as many words as 128.
#[conformance::test(man = "futex_waitv(2)")]
fn takes_many_words() -> Outcome {
    let words = words_if_supported()?;
    let sleeper = sleeper(&at(&words, MOST))?;
    expect_eq!((wake(words.word(MOST - 1), 1), sleeper.join()?), (Ok(1), Ok(count(MOST - 1))));
    Ok(())
}

/// No word at all, or more than 128, are refused with `EINVAL`, and so is no list; one that cannot be read with `EFAULT`.
#[conformance::test(man = "futex_waitv(2)")]
fn refuses_none_and_too_many() -> Outcome {
    let words = words_if_supported()?;
    let guarded = Guarded::new()?;
    expect_eq!((waitv(&[], 0, None), waitv(&at(&words, MOST + 1), 0, None)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!((waitv_nowhere(Place::NULL, 1), waitv_nowhere(Place::forbidden(&guarded), 1)), (Err(EINVAL), Err(EFAULT)));
    expect_eq!(wake(words.word(0), ALL), Ok(0));
    Ok(())
}

/// Flags of the call, of which there are none, are refused with `EINVAL`.
#[rstest]
#[conformance::test(man = "futex_waitv(2)")]
fn knows_no_flags(#[values(1, 128, 256, 0x8000_0000)] flags: u32) -> Outcome {
    let words = words_if_supported()?;
    expect_eq!(waitv(&at(&words, 1), flags, None), Err(EINVAL));
    Ok(())
}

/// A word of another size, unknown flags of a word, a value of more bits than the word, and anything in what is reserved are refused
/// with `EINVAL`, also in the last of several words; there is no waiter at the others.
#[rstest]
#[case::one_byte(0, 0, 0)]
#[case::two_bytes(1, 0, 0)]
#[case::eight_bytes(3, 0, 0)]
#[case::unknown_flag(SIZE_32 | 64, 0, 0)]
#[case::high_flag(SIZE_32 | 0x8000_0000, 0, 0)]
#[case::large_value(SIZE_32, 1 << 32, 0)]
#[case::reserved(SIZE_32, 0, 1)]
#[conformance::test(man = "futex_waitv(2)")]
fn refuses_a_word_that_is_not_understood(#[case] flags: u32, #[case] value: u64, #[case] reserved: u32) -> Outcome {
    let words = words_if_supported()?;
    let mut waiters = at(&words, 3);
    waiters[2] = waiters[2].with_flags(flags).with_value(value).with_reserved(reserved);
    expect_eq!(waitv(&waiters, 0, None), Err(EINVAL));
    expect_eq!([0, 1].map(|index| wake(words.word(index), ALL)), [Ok(0); 2]);
    Ok(())
}

/// An address that is no word is refused as everywhere, and there is no waiter at the others.
#[conformance::test(man = "futex_waitv(2)")]
fn refuses_an_address_without_a_word() -> Outcome {
    let words = words_if_supported()?;
    for (place, expected) in [(Place::unaligned(words.word(2), 2), EINVAL), (Place::NULL, EFAULT)] {
        let waiters = [Waiter::new(words.word(0), 0), Waiter::new(place, 0)];
        expect_eq!((waitv(&waiters, 0, None), wake(words.word(0), ALL)), (Err(expected), Ok(0)));
    }
    Ok(())
}

/// The timeout is an instant of the clock that is named: past or future, it ends the wait with `ETIMEDOUT`, and not before.
#[rstest]
#[conformance::test(man = "futex_waitv(2)")]
fn ends_with_its_time(#[values(Clock::Monotonic, Clock::Realtime)] clock: Clock) -> Outcome {
    let words = words_if_supported()?;
    let past = Time::now(clock)?.earlier();
    expect_eq!(waitv(&at(&words, 2), 0, Some((clock, past))), Err(ETIMEDOUT));
    let end = Time::now(clock)?.plus_milliseconds(5);
    expect_eq!(waitv(&at(&words, 2), 0, Some((clock, end))), Err(ETIMEDOUT));
    expect!(Time::now(clock)?.has_come(end));
    expect_eq!([0, 1].map(|index| wake(words.word(index), ALL)), [Ok(0); 2]);
    Ok(())
}

/// A time that is no time, and a clock that is not one of the two, are refused with `EINVAL`.
#[conformance::test(man = "futex_waitv(2)")]
fn refuses_other_times_and_clocks() -> Outcome {
    let words = words_if_supported()?;
    for time in [Time::new(0, 1_000_000_000), Time::new(0, -1), Time::new(-1, 0)] {
        expect_eq!(waitv(&at(&words, 1), 0, Some((Clock::Monotonic, time))), Err(EINVAL), "{time:?}");
    }
    for clock in [libc_clocks::PROCESS_CPU, libc_clocks::BOOT, -1] {
        expect_eq!(waitv_on(&at(&words, 1), 0, Some(Time::new(0, 0)), clock), Err(EINVAL), "clock {clock}");
    }
    Ok(())
}

/// Clocks that exist, and are not for futexes.
mod libc_clocks {
    pub const PROCESS_CPU: i32 = 2;
    pub const BOOT: i32 = 7;
}

/// Words that are shared and words within the process can be mixed: another process wakes at the former only.
#[conformance::test(man = "futex_waitv(2)")]
fn mixes_shared_and_private_words() -> Outcome {
    let words = words_if_supported()?;
    let waiters = [Waiter::new(words.word(0), 0).with_flags(SIZE_32 | WITHIN_PROCESS), Waiter::new(words.word(1), 0)];
    let sleeper = sleeper(&waiters)?;
    expect_eq!(wake(words.word(0), ALL), Ok(0));
    sleeper.expect_still_blocked()?;
    expect_eq!((wake(words.word(1), ALL), sleeper.join()?), (Ok(1), Ok(1)));
    Ok(())
}

/// A wait at several words listens to all bits, and can be requeued at one of them: it tells that one's index when woken there.
#[conformance::test(man = "futex_waitv(2)")]
fn is_a_waiter_at_each_word() -> Outcome {
    let words = words_if_supported()?;
    let listener = sleeper(&at(&words, 3))?;
    expect_eq!((wake_bitset(words.word(1), 1, 0x8000_0000), listener.join()?), (Ok(1), Ok(1)));
    let moved = sleeper(&at(&words, 3))?;
    expect_eq!((cmp_requeue(words.word(1), 0, 0, words.word(5), 1), wake(words.word(1), ALL)), (Ok(1), Ok(0)));
    moved.expect_still_blocked()?;
    expect_eq!((wake(words.word(5), ALL), moved.join()?), (Ok(1), Ok(1)));
    expect_eq!([0, 1, 2, 5].map(|index| wake(words.word(index), ALL)), [Ok(0); 4]);
    Ok(())
}

/// A word may stand in the list more than once: it is waited at as often, and one of its places is told.
#[conformance::test(man = "futex_waitv(2)", level = observed)]
fn can_name_a_word_twice() -> Outcome {
    let words = words_if_supported()?;
    let waiters = [0, 1, 0].map(|index| Waiter::new(words.word(index), 0));
    let sleeper = sleeper(&waiters)?;
    let woken = wake(words.word(0), ALL);
    let index = sleeper.join()?;
    expect!(matches!(woken, Ok(1 | 2)) && matches!(index, Ok(0 | 2)), "{woken:?} {index:?}");
    observe!("futex.word-named-twice", format!("{woken:?} {index:?}"));
    expect_eq!([0, 1].map(|index| wake(words.word(index), ALL)), [Ok(0); 2]);
    Ok(())
}

/// A waiter that is killed leaves nobody at any of the words.
#[conformance::test(man = "futex_waitv(2)")]
fn leaves_nothing_of_who_is_killed() -> Outcome {
    let words = words_if_supported()?;
    let (victim, other) = (sleeper(&at(&words, 3))?, sleeper(&at(&words, 2))?);
    victim.kill()?;
    expect_eq!((wake(words.word(2), ALL), wake(words.word(1), ALL), other.join()?), (Ok(0), Ok(1), Ok(1)));
    expect_eq!([0, 1, 2].map(|index| wake(words.word(index), ALL)), [Ok(0); 3]);
    Ok(())
}

/// A handler ends the wait with `EINTR`, and there is no waiter at any word; with `SA_RESTART` the wait goes on, and so it does after
/// a stop.
#[rstest]
#[conformance::test(man = "futex_waitv(2)", man = "signal(7)")]
fn is_interrupted_as_a_wait_at_one_word(#[values(Restart::No, Restart::Yes)] restart: Restart) -> Outcome {
    let words = words_if_supported()?;
    let waiters = at(&words, 2);
    let catcher = Participant::spawn("catcher", (), |(), _| {
        signal::catch(Signal::SIGUSR1, restart)?;
        waitv(&waiters, 0, None)
    })?;
    catcher.until_blocked()?;
    catcher.stop()?;
    catcher.resume()?;
    catcher.expect_still_blocked()?;
    catcher.signal(Signal::SIGUSR1)?;
    if restart == Restart::Yes {
        catcher.expect_still_blocked()?;
        expect_eq!((wake(words.word(1), ALL), catcher.join()?), (Ok(1), Ok(1)));
    } else {
        expect_eq!(catcher.join()?, Err(EINTR));
    }
    expect_eq!([0, 1].map(|index| wake(words.word(index), ALL)), [Ok(0); 2]);
    Ok(())
}
