//! `futex(2)`, with all of its arguments and by the name of each operation.

use std::ptr;

use super::operation::op;
use super::place::Place;
use crate::sys::point::around;
use crate::sys::time::{Clock, Time};
use crate::sys::{Errno, errno};

/// What stands in the fourth argument of `futex(2)`.
#[derive(Clone, Copy, Debug)]
pub enum Fourth<'a> {
    /// A null pointer, or 0.
    None,
    /// A pointer to a time.
    Timeout(Time),
    /// A pointer to where no time is.
    BadTimeout(Place<'a>),
    /// A number.
    Count(i32),
}

/// The time as the kernel takes it: two words of its own size.
#[repr(C)]
struct NarrowTime {
    seconds: libc::c_long,
    nanoseconds: libc::c_long,
}

/// `futex(2)` with all of its arguments: what it returns.
///
/// # Errors
/// What the system answers.
pub fn futex<'a>(
    place: impl Into<Place<'a>>,
    operation: u32,
    value: u32,
    fourth: Fourth<'_>,
    second: impl Into<Place<'a>>,
    third: u32,
) -> Result<u32, Errno> {
    let (place, second) = (place.into(), second.into());
    let time = match fourth {
        #[allow(clippy::cast_possible_truncation, reason = "a long has 64 bits, or a case uses small times only")]
        Fourth::Timeout(time) => Some(NarrowTime { seconds: time.seconds as _, nanoseconds: time.nanoseconds as _ }),
        _ => None,
    };
    let fourth: *const NarrowTime = match (&time, fourth) {
        (Some(time), _) => time,
        (None, Fourth::BadTimeout(place)) => place.address.cast(),
        #[allow(clippy::cast_sign_loss, reason = "a negative count is passed as the manual says: cast")]
        (None, Fourth::Count(count)) => ptr::without_provenance(count as usize),
        (None, _) => ptr::null(),
    };
    // SAFETY: the kernel checks every address. Those that are words are atomics borrowed for the call, which it changes atomically;
    // the time is read only.
    let done = around(|| unsafe { libc::syscall(libc::SYS_futex, place.address, operation, value, fourth, second.address, third) });
    count(done)
}

pub(super) fn count(returned: libc::c_long) -> Result<u32, Errno> {
    Errno::result(returned).map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

/// `FUTEX_WAIT` without a timeout.
///
/// # Errors
/// What the system answers.
pub fn wait<'a>(place: impl Into<Place<'a>>, value: u32) -> Result<(), Errno> {
    futex(place, op::WAIT, value, Fourth::None, Place::NULL, 0).map(drop)
}

/// `FUTEX_WAIT` for no longer than an interval.
///
/// # Errors
/// What the system answers.
pub fn wait_for<'a>(place: impl Into<Place<'a>>, value: u32, interval: Time) -> Result<(), Errno> {
    futex(place, op::WAIT, value, Fourth::Timeout(interval), Place::NULL, 0).map(drop)
}

/// `FUTEX_WAIT_BITSET` until an instant, if there is one.
///
/// # Errors
/// What the system answers.
pub fn wait_bitset<'a>(place: impl Into<Place<'a>>, value: u32, bits: u32, until: Option<(Clock, Time)>) -> Result<(), Errno> {
    let (bit, fourth) = until.map_or((0, Fourth::None), |(clock, time)| (clock.bit(), Fourth::Timeout(time)));
    futex(place, op::WAIT_BITSET | bit, value, fourth, Place::NULL, bits).map(drop)
}

/// `FUTEX_WAKE`: how many were woken.
///
/// # Errors
/// What the system answers.
pub fn wake<'a>(place: impl Into<Place<'a>>, most: u32) -> Result<u32, Errno> {
    futex(place, op::WAKE, most, Fourth::None, Place::NULL, 0)
}

/// `FUTEX_WAKE_BITSET`: how many were woken.
///
/// # Errors
/// What the system answers.
pub fn wake_bitset<'a>(place: impl Into<Place<'a>>, most: u32, bits: u32) -> Result<u32, Errno> {
    futex(place, op::WAKE_BITSET, most, Fourth::None, Place::NULL, bits)
}

/// `FUTEX_REQUEUE` from one word to another.
///
/// # Errors
/// What the system answers.
pub fn requeue<'a>(from: impl Into<Place<'a>>, most_woken: u32, to: impl Into<Place<'a>>, most_moved: i32) -> Result<u32, Errno> {
    futex(from, op::REQUEUE, most_woken, Fourth::Count(most_moved), to, 0)
}

/// `FUTEX_CMP_REQUEUE` from one word, if it has that value, to another.
///
/// # Errors
/// What the system answers.
pub fn cmp_requeue<'a>(
    from: impl Into<Place<'a>>,
    value: u32,
    most_woken: u32,
    to: impl Into<Place<'a>>,
    most_moved: i32,
) -> Result<u32, Errno> {
    futex(from, op::CMP_REQUEUE, most_woken, Fourth::Count(most_moved), to, value)
}

/// `FUTEX_WAKE_OP`: wakes at the first word and, if the second was as the encoded comparison asks, at the second.
///
/// # Errors
/// What the system answers.
pub fn wake_op<'a>(
    first: impl Into<Place<'a>>,
    most: u32,
    second: impl Into<Place<'a>>,
    most_second: i32,
    encoded: u32,
) -> Result<u32, Errno> {
    futex(first, op::WAKE_OP, most, Fourth::Count(most_second), second, encoded)
}

/// Whether the system says that it has no call of that kind.
pub fn is_missing<T>(answer: &Result<T, Errno>) -> bool {
    matches!(answer, Err(errno::ENOSYS))
}
