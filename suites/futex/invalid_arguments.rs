//! Invalid arguments of `futex(2)` that every operation rejects: unaligned and inaccessible addresses, unknown operations and
//! options. Invalid timeouts are in `timeout`, invalid second addresses and counts in the operations' own topics.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{ANY, Fourth, Place, TID, futex, op, own_id};
use rstest::rstest;

use super::fixture::{check_supported, words};

/// Each of `FUTEX_WAIT`, `FUTEX_WAIT_BITSET`, `FUTEX_WAKE`, `FUTEX_WAKE_BITSET`, `FUTEX_WAKE_OP`, `FUTEX_REQUEUE`,
/// `FUTEX_CMP_REQUEUE`, `FUTEX_WAIT_REQUEUE_PI`, `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI2` and `FUTEX_TRYLOCK_PI`, with
/// `FUTEX_PRIVATE_FLAG` or without, fails with `EINVAL` if the address of its first word is 1, 2 or 3 bytes above a multiple
/// of 4.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn unaligned_address_fails(
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
    check_supported(operation)?;
    let words = words()?;
    for by in 1..4 {
        let place = Place::unaligned(words.word(0), by);
        expect_eq!(
            futex(place, operation, 0, Fourth::None, words.word(4), ANY),
            Err(EINVAL),
            "{by} bytes beyond the beginning of a word"
        );
        expect_eq!(
            futex(place, operation | op::PRIVATE, 0, Fourth::None, words.word(4), ANY),
            Err(EINVAL),
            "{by} bytes beyond the beginning of a word"
        );
    }
    Ok(())
}

/// `FUTEX_UNLOCK_PI` on an address 2 bytes above a multiple of 4 fails with `EINVAL`, even if the four bytes at that address hold
/// the caller's thread id, and these bytes stay as they were.
#[conformance::test(man = "futex(2)")]
fn unlock_at_an_unaligned_address_fails() -> Outcome {
    let words = words()?;
    // The caller's id, across two words.
    words.write(2, &own_id().to_ne_bytes());
    expect_eq!(futex(Place::unaligned(words.word(0), 2), op::UNLOCK_PI, 0, Fourth::None, Place::NULL, 0), Err(EINVAL));
    expect_eq!(words.read(2, 4), own_id().to_ne_bytes());
    Ok(())
}

/// Each of `FUTEX_WAIT`, `FUTEX_WAIT_BITSET`, `FUTEX_WAKE`, `FUTEX_WAKE_BITSET`, `FUTEX_WAKE_OP`, `FUTEX_REQUEUE`,
/// `FUTEX_CMP_REQUEUE`, `FUTEX_WAIT_REQUEUE_PI`, `FUTEX_LOCK_PI`, `FUTEX_LOCK_PI2`, `FUTEX_TRYLOCK_PI` and `FUTEX_UNLOCK_PI`,
/// without `FUTEX_PRIVATE_FLAG`, fails with `EFAULT` if the address of its first word is NULL, inaccessible (`PROT_NONE`) or
/// outside of the user address space.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn inaccessible_address_fails(
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
    check_supported(operation)?;
    let words = words()?;
    let guarded = Guarded::new()?;
    for place in [Place::NULL, Place::forbidden(&guarded), Place::outside()] {
        expect_eq!(futex(place, operation, 0, Fourth::None, words.word(4), ANY), Err(EFAULT), "{place:?}");
    }
    Ok(())
}

/// Each of `FUTEX_WAIT`, `FUTEX_WAIT_BITSET`, `FUTEX_CMP_REQUEUE`, `FUTEX_WAIT_REQUEUE_PI`, `FUTEX_LOCK_PI`, `FUTEX_TRYLOCK_PI`
/// and `FUTEX_UNLOCK_PI`, with `FUTEX_PRIVATE_FLAG`, fails with `EFAULT` if the address of its first word is NULL, inaccessible
/// (`PROT_NONE`) or outside of the user address space.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn inaccessible_address_with_private_flag_fails(
    #[values(op::WAIT, op::WAIT_BITSET, op::CMP_REQUEUE, op::LOCK_PI, op::UNLOCK_PI, op::TRYLOCK_PI, op::WAIT_REQUEUE_PI)]
    operation: u32,
) -> Outcome {
    check_supported(operation)?;
    let words = words()?;
    let guarded = Guarded::new()?;
    for place in [Place::NULL, Place::forbidden(&guarded), Place::outside()] {
        expect_eq!(futex(place, operation | op::PRIVATE, 0, Fourth::None, words.word(4), ANY), Err(EFAULT), "{place:?}");
    }
    Ok(())
}

/// `futex` fails with `ENOSYS` for the removed operation `FUTEX_FD`, for the unknown operations 14 and 127, for `FUTEX_WAKE` with
/// the unknown option bit 512 and for `FUTEX_WAIT` with 0x80000000, each of them also with `FUTEX_PRIVATE_FLAG` or
/// `FUTEX_CLOCK_REALTIME`. The word stays as it was.
#[rstest]
#[case::futex_fd(op::FD)]
#[case::operation_14(14)]
#[case::operation_127(127)]
#[case::unknown_option_512(op::WAKE | 512)]
#[case::unknown_option_bit_31(op::WAIT | 0x8000_0000)]
#[conformance::test(man = "futex(2)")]
fn unknown_operation_fails(#[case] operation: u32) -> Outcome {
    let words = words()?;
    words.word(0).store(TID, SeqCst);
    for option in [0, op::PRIVATE, op::CLOCK_REALTIME] {
        let returned = futex(words.word(0), operation | option, 1, Fourth::None, words.word(1), ANY);
        expect_eq!((returned, words.word(0).load(SeqCst)), (Err(ENOSYS), TID));
    }
    Ok(())
}
