//! `FUTEX_WAKE_OP`: one word is changed, and waiters of two words are woken, as one step.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::futex::{Place, wake, wake_op};
use rstest::rstest;

use super::fixture::{ALL, NOBODY, awake, sleepers, words};

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

/// An operation and a comparison as the call takes them; the numbers have twelve bits.
fn encode(operation: u32, argument: i32, comparison: u32, with: i32) -> u32 {
    let twelve = |number: i32| number.cast_unsigned() & 0xfff;
    operation << 28 | comparison << 24 | twelve(argument) << 12 | twelve(with)
}

/// The second word is changed as the operation says, whether or not somebody waits, and the first is left as it is.
#[rstest]
#[case::set(SET, 5, 9, 5)]
#[case::set_to_the_largest_number(SET, 0x7ff, 9, 0x7ff)]
#[case::set_to_a_negative_number(SET, -1, 9, 0xffff_ffff)]
#[case::set_to_the_smallest_number(SET, -2048, 9, 0xffff_f800)]
#[case::add(ADD, 3, 4, 7)]
#[case::add_a_negative_number(ADD, -3, 4, 1)]
#[case::add_past_the_end(ADD, 1, 0xffff_ffff, 0)]
#[case::or(OR, 6, 0x8000_0003, 0x8000_0007)]
#[case::or_with_a_negative_number(OR, -2, 0, 0xffff_fffe)]
#[case::and_not(ANDN, 6, 0x8000_000f, 0x8000_0009)]
#[case::and_not_a_negative_number(ANDN, -2, 0xffff_ffff, 1)]
#[case::xor(XOR, 6, 3, 5)]
#[case::xor_with_a_negative_number(XOR, -1, 0x8000_0001, 0x7fff_fffe)]
#[case::set_a_bit(SET | SHIFT, 5, 9, 32)]
#[case::set_the_lowest_bit(SET | SHIFT, 0, 9, 1)]
#[case::set_the_highest_bit(OR | SHIFT, 31, 1, 0x8000_0001)]
#[case::clear_the_highest_bit(ANDN | SHIFT, 31, 0xc000_0001, 0x4000_0001)]
#[case::set_a_bit_by_a_number_that_is_too_large(OR | SHIFT, 33, 0, 2)]
#[case::turn_a_bit(XOR | SHIFT, 4, 16, 0)]
#[case::add_a_power_of_two(ADD | SHIFT, 12, 1, 4097)]
#[conformance::test(man = "futex(2)")]
fn changes_the_second_word(#[case] operation: u32, #[case] argument: i32, #[case] before: u32, #[case] after: u32) -> Outcome {
    let words = words()?;
    let (first, second) = (words.word(0), words.word(1));
    first.store(11, SeqCst);
    second.store(before, SeqCst);
    expect_eq!(wake_op(first, 1, second, 1, encode(operation, argument, EQ, 0)), Ok(0));
    expect_eq!((first.load(SeqCst), second.load(SeqCst), words.word(2).load(SeqCst)), (11, after, 0));
    Ok(())
}

/// The waiters of the second word are woken where what it was before compares as asked, as numbers with a sign; those of the first
/// are woken in any case.
#[rstest]
#[case::equal(EQ, 5, 5, true)]
#[case::equal_is_not_near(EQ, 5, 6, false)]
#[case::equal_to_a_negative_number(EQ, 0xffff_ffff, -1, true)]
#[case::equal_in_all_bits(EQ, 0x0000_0fff, -1, false)]
#[case::unequal(NE, 5, 6, true)]
#[case::unequal_is_not_equal(NE, 5, 5, false)]
#[case::less(LT, 4, 5, true)]
#[case::less_is_not_equal(LT, 5, 5, false)]
#[case::less_with_a_sign(LT, 0xffff_ffff, 0, true)]
#[case::less_than_a_negative_number(LT, 0x8000_0000, -2048, true)]
#[case::at_most(LE, 5, 5, true)]
#[case::at_most_is_not_greater(LE, 6, 5, false)]
#[case::at_most_with_a_sign(LE, 1, -1, false)]
#[case::greater(GT, 6, 5, true)]
#[case::greater_is_not_equal(GT, 5, 5, false)]
#[case::greater_with_a_sign(GT, 0x8000_0000, 0, false)]
#[case::at_least(GE, 5, 5, true)]
#[case::at_least_is_not_less(GE, 4, 5, false)]
#[case::at_least_a_negative_number(GE, 0, -1, true)]
#[conformance::test(man = "futex(2)")]
fn compares_what_was_there(#[case] comparison: u32, #[case] before: u32, #[case] with: i32, #[case] holds: bool) -> Outcome {
    let words = words()?;
    let (first, second) = (words.word(0), words.word(1));
    second.store(before, SeqCst);
    let mut all = sleepers(1, first)?;
    all.extend(sleepers(1, second)?);
    expect_eq!(wake_op(first, 1, second, 1, encode(ADD, 1, comparison, with)), Ok(1 + u32::from(holds)));
    expect_eq!(awake(&all)?, if holds { vec![0, 1] } else { vec![0] });
    expect_eq!((wake(second, ALL), second.load(SeqCst)), (Ok(u32::from(!holds)), before.wrapping_add(1)));
    Ok(())
}

/// The two limits hold each for its word, and the call returns the sum of those woken.
#[rstest]
#[case::one_and_one(1, 1, 1, 1)]
#[case::two_and_one(2, 1, 2, 1)]
#[case::one_and_two(1, 2, 1, 2)]
#[case::all_and_one(ALL, 1, 3, 1)]
#[case::one_and_all(1, i32::MAX, 1, 3)]
#[case::more_than_there_are(4, 4, 3, 3)]
#[conformance::test(man = "futex(2)")]
fn wakes_as_many_as_it_is_told(#[case] most: u32, #[case] most_second: i32, #[case] first: u32, #[case] second: u32) -> Outcome {
    let words = words()?;
    let mut all = sleepers(3, words.word(0))?;
    all.extend(sleepers(3, words.word(1))?);
    expect_eq!(wake_op(words.word(0), most, words.word(1), most_second, encode(OR, 0, EQ, 0)), Ok(first + second));
    let woken = awake(&all)?;
    expect_eq!(woken.iter().filter(|&&number| number < 3).count(), first as usize);
    expect_eq!((wake(words.word(0), ALL), wake(words.word(1), ALL)), (Ok(3 - first), Ok(3 - second)));
    Ok(())
}

/// Where the comparison does not hold, nobody is woken at the second word, though the first has fewer waiters than its limit.
#[conformance::test(man = "futex(2)")]
fn does_not_make_up_for_one_word_at_the_other() -> Outcome {
    let words = words()?;
    let all = sleepers(2, words.word(1))?;
    expect_eq!((wake_op(words.word(0), 2, words.word(1), 2, encode(SET, 0, NE, 0)), awake(&all)?), (Ok(0), vec![]));
    expect_eq!((wake_op(words.word(0), 2, words.word(1), 1, encode(SET, 0, EQ, 0)), awake(&all)?.len()), (Ok(1), 1));
    Ok(())
}

/// Both words may be one: the limits add up.
#[conformance::test(man = "futex(2)")]
fn can_be_about_one_word() -> Outcome {
    let words = words()?;
    let word = words.word(0);
    let all = sleepers(4, word)?;
    expect_eq!((wake_op(word, 1, word, 2, encode(ADD, 7, EQ, 0)), awake(&all)?.len()), (Ok(3), 3));
    expect_eq!((wake(word, ALL), word.load(SeqCst)), (Ok(1), 7));
    Ok(())
}

/// An operation that there is not is refused with `ENOSYS`; nobody is woken, and no word is changed.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn refuses_an_unknown_operation(#[values(5, 6, 7)] operation: u32) -> Outcome {
    let words = words()?;
    let all = sleepers(1, words.word(0))?;
    words.word(1).store(3, SeqCst);
    expect_eq!(wake_op(words.word(0), 1, words.word(1), 1, encode(operation, 1, EQ, 3)), Err(ENOSYS));
    expect_eq!((awake(&all)?, words.word(1).load(SeqCst)), (vec![], 3));
    Ok(())
}

/// A comparison that there is not is refused with `ENOSYS`, and nobody is woken; whether the word is changed is recorded.
#[rstest]
#[conformance::test(man = "futex(2)")]
fn refuses_an_unknown_comparison(#[values(6, 8, 15)] comparison: u32) -> Outcome {
    let words = words()?;
    let all = sleepers(1, words.word(0))?;
    expect_eq!(wake_op(words.word(0), 1, words.word(1), 1, encode(SET, 7, comparison, 0)), Err(ENOSYS));
    expect_eq!(awake(&all)?, NOBODY);
    observe!("futex.unknown-comparison-changes-the-word", words.word(1).load(SeqCst) == 7);
    Ok(())
}

/// Where one of the two words cannot be, the call fails, nobody is woken, and the other is not changed.
#[conformance::test(man = "futex(2)")]
fn refuses_what_is_no_word() -> Outcome {
    let words = words()?;
    let guarded = Guarded::new()?;
    let (first, second) = (words.word(0), words.word(1));
    let all = sleepers(1, first)?;
    let change = encode(SET, 7, EQ, 0);
    expect_eq!(wake_op(first, 1, Place::unaligned(second, 1), 1, change), Err(EINVAL));
    expect_eq!(wake_op(first, 1, Place::forbidden(&guarded), 1, change), Err(EFAULT));
    expect_eq!(wake_op(first, 1, Place::NULL, 1, change), Err(EFAULT));
    expect_eq!(wake_op(Place::unaligned(first, 2), 1, second, 1, change), Err(EINVAL));
    expect_eq!(wake_op(Place::NULL, 1, second, 1, change), Err(EFAULT));
    expect_eq!((awake(&all)?, second.load(SeqCst)), (vec![], 0));
    Ok(())
}
