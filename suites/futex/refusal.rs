//! What every operation refuses: addresses where no word is, and operations that there are not.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{ANY, Fourth, Place, TID, futex, op, own_id};
use rstest::rstest;

use super::fixture::{if_supported, words};

/// An address that is no multiple of four is refused with `EINVAL` by every operation.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn meets_an_address_between_words(
    #[values(
        op::WAIT,
        op::WAKE,
        op::REQUEUE,
        op::CMP_REQUEUE,
        op::WAKE_OP,
        op::LOCK_PI,
        op::TRYLOCK_PI,
        op::WAIT_BITSET,
        op::WAKE_BITSET,
        op::WAIT_REQUEUE_PI,
        op::LOCK_PI2
    )]
    operation: u32,
) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    for by in 1..4 {
        let place = Place::unaligned(words.word(0), by);
        expect_eq!(futex(place, operation, 0, Fourth::None, words.word(4), ANY), Err(EINVAL), "{by} bytes off");
        expect_eq!(futex(place, operation | op::PRIVATE, 0, Fourth::None, words.word(4), ANY), Err(EINVAL), "{by} bytes off");
    }
    Ok(())
}

/// Unlocking at an address that is no multiple of four is refused with `EINVAL`, even where the caller's id stands there.
#[conformance::test(man = "futex(2)")]
fn meets_unlocking_between_words() -> Outcome {
    let words = words()?;
    // Two words of whose bytes each number of the caller's id is at an odd place.
    words.write(2, &own_id().to_ne_bytes());
    expect_eq!(futex(Place::unaligned(words.word(0), 2), op::UNLOCK_PI, 0, Fourth::None, Place::NULL, 0), Err(EINVAL));
    expect_eq!(words.read(2, 4), own_id().to_ne_bytes());
    Ok(())
}

/// An address where nothing can be read is refused with `EFAULT` by every operation on words that processes share.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn meets_an_address_without_memory(
    #[values(
        op::WAIT,
        op::WAKE,
        op::REQUEUE,
        op::CMP_REQUEUE,
        op::WAKE_OP,
        op::LOCK_PI,
        op::UNLOCK_PI,
        op::TRYLOCK_PI,
        op::WAIT_BITSET,
        op::WAKE_BITSET,
        op::WAIT_REQUEUE_PI,
        op::LOCK_PI2
    )]
    operation: u32,
) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    let guarded = Guarded::new()?;
    for place in [Place::NULL, Place::forbidden(&guarded), Place::outside()] {
        expect_eq!(futex(place, operation, 0, Fourth::None, words.word(4), ANY), Err(EFAULT), "{place:?}");
    }
    Ok(())
}

/// Operations within a process that look at the word are refused with `EFAULT` where none is.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn meets_an_address_without_memory_within_a_process(
    #[values(op::WAIT, op::WAIT_BITSET, op::CMP_REQUEUE, op::LOCK_PI, op::UNLOCK_PI, op::TRYLOCK_PI, op::WAIT_REQUEUE_PI)]
    operation: u32,
) -> Outcome {
    if_supported(operation)?;
    let words = words()?;
    let guarded = Guarded::new()?;
    for place in [Place::NULL, Place::forbidden(&guarded), Place::outside()] {
        expect_eq!(futex(place, operation | op::PRIVATE, 0, Fourth::None, words.word(4), ANY), Err(EFAULT), "{place:?}");
    }
    Ok(())
}

/// An operation that there is not, or not any more, is refused with `ENOSYS`, with any option.
#[rstest]
#[case::descriptor(op::FD)]
#[case::first_unknown(14)]
#[case::last_unknown(127)]
#[case::with_a_bit_that_is_no_option(op::WAKE | 512)]
#[case::with_the_highest_bit(op::WAIT | 0x8000_0000)]
#[conformance::test(man = "futex(2)")]
fn meets_an_unknown_operation(#[case] operation: u32) -> Outcome {
    let words = words()?;
    words.word(0).store(TID, SeqCst);
    for option in [0, op::PRIVATE, op::CLOCK_REALTIME] {
        let answer = futex(words.word(0), operation | option, 1, Fourth::None, words.word(1), ANY);
        expect_eq!((answer, words.word(0).load(SeqCst)), (Err(ENOSYS), TID));
    }
    Ok(())
}
