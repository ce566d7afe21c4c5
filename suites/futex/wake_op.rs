//! `FUTEX_WAKE_OP`: changes the second word, wakes waiters of the first word and, depending on the second word's old value, of
//! the second.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{Place, wake, wake_op};
use rstest::rstest;

use super::fixture::{ALL, NONE_WOKEN, waiters, woken_indexes, words};

const SET: u32 = 0;
const ADD: u32 = 1;
const OR: u32 = 2;
const ANDN: u32 = 3;
const XOR: u32 = 4;
const SHIFT: u32 = 8;
const EQ: u32 = 0;
const NE: u32 = 1;
const LT: u32 = 2;
const LE: u32 = 3;
const GT: u32 = 4;
const GE: u32 = 5;

/// Operation and comparison, encoded as in `FUTEX_OP`; both arguments have 12 bits.
fn encode(operation: u32, argument: i32, comparison: u32, with: i32) -> u32 {
    let low_12_bits = |number: i32| number.cast_unsigned() & 0xfff;
    operation << 28 | comparison << 24 | low_12_bits(argument) << 12 | low_12_bits(with)
}

/// `FUTEX_WAKE_OP` on words without waiters returns 0 and stores in the second word, for `FUTEX_OP_SET`, `FUTEX_OP_ADD`,
/// `FUTEX_OP_OR`, `FUTEX_OP_ANDN` and `FUTEX_OP_XOR`: the argument, the old value plus the argument modulo 2^32, old | argument,
/// old & ~argument, and old ^ argument. The argument is `oparg`, or 1 << `oparg` with `FUTEX_OP_ARG_SHIFT`. The first word stays
/// as it was.
#[rstest]
#[case::set(SET, 5, 9, 5)]
#[case::set_to_the_largest_argument(SET, 0x7ff, 9, 0x7ff)]
#[case::add(ADD, 3, 4, 7)]
#[case::add_wraps_around(ADD, 1, 0xffff_ffff, 0)]
#[case::or(OR, 6, 0x8000_0003, 0x8000_0007)]
#[case::and_not(ANDN, 6, 0x8000_000f, 0x8000_0009)]
#[case::xor(XOR, 6, 3, 5)]
#[case::set_a_bit(SET | SHIFT, 5, 9, 32)]
#[case::set_the_lowest_bit(SET | SHIFT, 0, 9, 1)]
#[case::set_the_highest_bit(OR | SHIFT, 31, 1, 0x8000_0001)]
#[case::clear_the_highest_bit(ANDN | SHIFT, 31, 0xc000_0001, 0x4000_0001)]
#[case::toggle_a_bit(XOR | SHIFT, 4, 16, 0)]
#[case::add_a_power_of_two(ADD | SHIFT, 12, 1, 4097)]
#[conformance::test(man = "futex(2)")]
fn stores_the_result_in_the_second_word(
    #[case] operation: u32,
    #[case] argument: i32,
    #[case] before: u32,
    #[case] after: u32,
) -> Outcome {
    changes_the_second_word(operation, argument, before, after)
}

/// `FUTEX_WAKE_OP` on words without waiters returns 0 and uses the 12-bit `oparg` sign-extended to 32 bits for `FUTEX_OP_SET`,
/// `FUTEX_OP_ADD`, `FUTEX_OP_OR`, `FUTEX_OP_ANDN` and `FUTEX_OP_XOR`. With `oparg` -1, `FUTEX_OP_SET` stores 0xffffffff in the
/// second word; with `oparg` -3, `FUTEX_OP_ADD` changes 4 to 1.
#[rstest]
#[case::set_to_a_negative_argument(SET, -1, 9, 0xffff_ffff)]
#[case::set_to_the_smallest_argument(SET, -2048, 9, 0xffff_f800)]
#[case::add_a_negative_argument(ADD, -3, 4, 1)]
#[case::or_with_a_negative_argument(OR, -2, 0, 0xffff_fffe)]
#[case::and_not_a_negative_argument(ANDN, -2, 0xffff_ffff, 1)]
#[case::xor_with_a_negative_argument(XOR, -1, 0x8000_0001, 0x7fff_fffe)]
#[conformance::test(man = "futex(2)", level = customary)]
fn sign_extends_the_argument(#[case] operation: u32, #[case] argument: i32, #[case] before: u32, #[case] after: u32) -> Outcome {
    changes_the_second_word(operation, argument, before, after)
}

/// `FUTEX_WAKE_OP` with `FUTEX_OP_OR`, `FUTEX_OP_ARG_SHIFT` and `oparg` 33 on a second word of 0 returns 0 and stores 2 in the
/// second word, since the shift is taken modulo 32.
#[conformance::test(man = "futex(2)", level = customary)]
fn shift_is_taken_modulo_32() -> Outcome {
    changes_the_second_word(OR | SHIFT, 33, 0, 2)
}

/// Expects `FUTEX_WAKE_OP` without waiters to return 0, to change the second word and to leave the words around it.
#[track_caller]
fn changes_the_second_word(operation: u32, argument: i32, before: u32, after: u32) -> Outcome {
    let words = words()?;
    let (first, second) = (words.word(0), words.word(1));
    first.store(11, SeqCst);
    second.store(before, SeqCst);
    expect_eq!(wake_op(first, 1, second, 1, encode(operation, argument, EQ, 0)), Ok(0));
    expect_eq!((first.load(SeqCst), second.load(SeqCst), words.word(2).load(SeqCst)), (11, after, 0));
    Ok(())
}

/// `FUTEX_WAKE_OP` on two words with one waiter each wakes both and returns 2 if the second word's old value is equal to
/// (`FUTEX_OP_CMP_EQ`), not equal to (`FUTEX_OP_CMP_NE`), less than (`LT`), at most (`LE`), greater than (`GT`) or at least
/// (`GE`) `cmparg`, as `val3` asks. Otherwise it wakes only the waiter of the first word and returns 1.
#[rstest]
#[case::equal(EQ, 5, 5, true)]
#[case::equal_fails_for_other(EQ, 5, 6, false)]
#[case::unequal(NE, 5, 6, true)]
#[case::unequal_fails_for_equal(NE, 5, 5, false)]
#[case::less(LT, 4, 5, true)]
#[case::less_fails_for_equal(LT, 5, 5, false)]
#[case::at_most(LE, 5, 5, true)]
#[case::at_most_fails_for_greater(LE, 6, 5, false)]
#[case::greater(GT, 6, 5, true)]
#[case::greater_fails_for_equal(GT, 5, 5, false)]
#[case::at_least(GE, 5, 5, true)]
#[case::at_least_fails_for_less(GE, 4, 5, false)]
#[conformance::test(man = "futex(2)")]
fn old_value_decides_about_the_second_word(
    #[case] comparison: u32,
    #[case] before: u32,
    #[case] with: i32,
    #[case] holds: bool,
) -> Outcome {
    compares_the_old_value(comparison, before, with, holds)
}

/// `FUTEX_WAKE_OP` with `FUTEX_OP_CMP_EQ`, `FUTEX_OP_CMP_LT`, `FUTEX_OP_CMP_LE`, `FUTEX_OP_CMP_GT` or `FUTEX_OP_CMP_GE` compares
/// the second word's old value with the sign-extended 12-bit `cmparg` as signed 32-bit numbers. On two words with one waiter
/// each, it wakes both and returns 2 if the comparison holds, and otherwise wakes only the waiter of the first word and
/// returns 1.
#[rstest]
#[case::equal_to_a_negative_argument(EQ, 0xffff_ffff, -1, true)]
#[case::equal_in_low_bits_only(EQ, 0x0000_0fff, -1, false)]
#[case::negative_value_is_less_than_0(LT, 0xffff_ffff, 0, true)]
#[case::smallest_value_is_less_than_the_smallest_argument(LT, 0x8000_0000, -2048, true)]
#[case::positive_value_is_not_at_most_minus_1(LE, 1, -1, false)]
#[case::negative_value_is_not_greater_than_0(GT, 0x8000_0000, 0, false)]
#[case::zero_is_at_least_minus_1(GE, 0, -1, true)]
#[conformance::test(man = "futex(2)", level = customary)]
fn comparison_is_signed(#[case] comparison: u32, #[case] before: u32, #[case] with: i32, #[case] holds: bool) -> Outcome {
    compares_the_old_value(comparison, before, with, holds)
}

/// Expects `FUTEX_WAKE_OP`, which adds 1 to the second word, to wake the waiter of the first word, and that of the second word if
/// the comparison is to hold.
#[track_caller]
fn compares_the_old_value(comparison: u32, before: u32, with: i32, holds: bool) -> Outcome {
    let words = words()?;
    let (first, second) = (words.word(0), words.word(1));
    second.store(before, SeqCst);
    let mut all = waiters(1, first)?;
    all.extend(waiters(1, second)?);
    expect_eq!(wake_op(first, 1, second, 1, encode(ADD, 1, comparison, with)), Ok(1 + u32::from(holds)));
    expect_eq!(woken_indexes(&all)?, if holds { vec![0, 1] } else { vec![0] });
    expect_eq!((wake(second, ALL), second.load(SeqCst)), (Ok(u32::from(!holds)), before.wrapping_add(1)));
    Ok(())
}

/// `FUTEX_WAKE_OP` with `val` and `val2` from 1 to `INT_MAX` and a comparison that holds, on two words with three waiters each,
/// wakes `val` waiters of the first word and `val2` of the second, or all three where the limit is larger, and returns the sum of
/// both numbers.
#[rstest]
#[case::limits_1_and_1(1, 1, 1, 1)]
#[case::limits_2_and_1(2, 1, 2, 1)]
#[case::limits_1_and_2(1, 2, 1, 2)]
#[case::limits_int_max_and_1(ALL, 1, 3, 1)]
#[case::limits_1_and_int_max(1, i32::MAX, 1, 3)]
#[case::limits_4_and_4(4, 4, 3, 3)]
#[conformance::test(man = "futex(2)")]
fn wakes_up_to_each_limit(#[case] val: u32, #[case] val2: i32, #[case] first: u32, #[case] second: u32) -> Outcome {
    let words = words()?;
    let mut all = waiters(3, words.word(0))?;
    all.extend(waiters(3, words.word(1))?);
    expect_eq!(wake_op(words.word(0), val, words.word(1), val2, encode(OR, 0, EQ, 0)), Ok(first + second));
    let woken = woken_indexes(&all)?;
    expect_eq!(woken.iter().filter(|&&number| number < 3).count(), first as usize);
    expect_eq!((wake(words.word(0), ALL), wake(words.word(1), ALL)), (Ok(3 - first), Ok(3 - second)));
    Ok(())
}

/// On a first word without waiters and a second word with two, `FUTEX_WAKE_OP` with `val` 2 and `val2` 1 wakes one waiter and
/// returns 1 if its comparison holds. If its comparison does not hold, `FUTEX_WAKE_OP` with `val` 2 and `val2` 2 returns 0 and
/// both waiters stay blocked.
#[conformance::test(man = "futex(2)")]
fn limits_are_independent() -> Outcome {
    let words = words()?;
    let all = waiters(2, words.word(1))?;
    expect_eq!((wake_op(words.word(0), 2, words.word(1), 2, encode(SET, 0, NE, 0)), woken_indexes(&all)?), (Ok(0), vec![]));
    expect_eq!((wake_op(words.word(0), 2, words.word(1), 1, encode(SET, 0, EQ, 0)), woken_indexes(&all)?.len()), (Ok(1), 1));
    Ok(())
}

/// `FUTEX_WAKE_OP` with the same word as first and second word, `val` 1 and `val2` 2, and a comparison that holds, wakes three of
/// four waiters and returns 3.
#[conformance::test(man = "futex(2)")]
fn same_word_adds_the_limits() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let all = waiters(4, word)?;
    expect_eq!((wake_op(word, 1, word, 2, encode(ADD, 7, EQ, 0)), woken_indexes(&all)?.len()), (Ok(3), 3));
    expect_eq!((wake(word, ALL), word.load(SeqCst)), (Ok(1), 7));
    Ok(())
}

/// `FUTEX_WAKE_OP` with operation 5, 6 or 7 encoded in bits 28 to 30 of `val3` fails with `ENOSYS`. A process blocked in
/// `FUTEX_WAIT` on the first word stays blocked, and the second word stays as it was.
#[rstest]
#[conformance::test(man = "futex(2)", level = customary)]
fn unknown_operation_fails(#[values(5, 6, 7)] operation: u32) -> Outcome {
    let words = words()?;
    let all = waiters(1, words.word(0))?;
    words.word(1).store(3, SeqCst);
    expect_eq!(wake_op(words.word(0), 1, words.word(1), 1, encode(operation, 1, EQ, 3)), Err(ENOSYS));
    expect_eq!((woken_indexes(&all)?, words.word(1).load(SeqCst)), (vec![], 3));
    Ok(())
}

/// `FUTEX_WAKE_OP` with comparison 6, 8 or 15 encoded in bits 24 to 27 of `val3` fails with `ENOSYS`, and a process blocked in
/// `FUTEX_WAIT` on the first word stays blocked. The second word is changed by the encoded operation or not; both are allowed,
/// and the case records which.
#[rstest]
#[conformance::test(man = "futex(2)", level = customary)]
fn unknown_comparison_fails(#[values(6, 8, 15)] comparison: u32) -> Outcome {
    let words = words()?;
    let all = waiters(1, words.word(0))?;
    expect_eq!(wake_op(words.word(0), 1, words.word(1), 1, encode(SET, 7, comparison, 0)), Err(ENOSYS));
    expect_eq!(woken_indexes(&all)?, NONE_WOKEN);
    observe!("futex.unknown-comparison-changes-second-word", words.word(1).load(SeqCst) == 7);
    Ok(())
}

/// `FUTEX_WAKE_OP` fails with `EINVAL` if the address of the first or second word is not a multiple of 4, and with `EFAULT` if it
/// is NULL or inaccessible. A process blocked in `FUTEX_WAIT` on the first word stays blocked, and the second word stays 0.
#[conformance::test(man = "futex(2)")]
fn invalid_address_fails() -> Outcome {
    let words = words()?;
    let guarded = Guarded::new()?;
    let (first, second) = (words.word(0), words.word(1));
    let all = waiters(1, first)?;
    let change = encode(SET, 7, EQ, 0);
    expect_eq!(wake_op(first, 1, Place::unaligned(second, 1), 1, change), Err(EINVAL));
    expect_eq!(wake_op(first, 1, Place::forbidden(&guarded), 1, change), Err(EFAULT));
    expect_eq!(wake_op(first, 1, Place::NULL, 1, change), Err(EFAULT));
    expect_eq!(wake_op(Place::unaligned(first, 2), 1, second, 1, change), Err(EINVAL));
    expect_eq!(wake_op(Place::NULL, 1, second, 1, change), Err(EFAULT));
    expect_eq!((woken_indexes(&all)?, second.load(SeqCst)), (vec![], 0));
    Ok(())
}
