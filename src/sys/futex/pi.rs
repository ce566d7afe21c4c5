//! `futex(2)` for locks with priority inheritance.

use super::call::{Fourth, futex};
use super::operation::op;
use super::place::Place;
use crate::sys::Errno;
use crate::sys::time::{Clock, Time};

/// `FUTEX_LOCK_PI` without a timeout.
///
/// # Errors
/// What the system answers.
pub fn lock_pi<'a>(place: impl Into<Place<'a>>) -> Result<(), Errno> {
    futex(place, op::LOCK_PI, 0, Fourth::None, Place::NULL, 0).map(drop)
}

/// `FUTEX_TRYLOCK_PI`.
///
/// # Errors
/// What the system answers.
pub fn trylock_pi<'a>(place: impl Into<Place<'a>>) -> Result<(), Errno> {
    futex(place, op::TRYLOCK_PI, 0, Fourth::None, Place::NULL, 0).map(drop)
}

/// `FUTEX_UNLOCK_PI`.
///
/// # Errors
/// What the system answers.
pub fn unlock_pi<'a>(place: impl Into<Place<'a>>) -> Result<(), Errno> {
    futex(place, op::UNLOCK_PI, 0, Fourth::None, Place::NULL, 0).map(drop)
}

/// `FUTEX_WAIT_REQUEUE_PI`: waits at one word, to be given the lock in another; until an instant, if there is one.
///
/// # Errors
/// What the system answers.
pub fn wait_requeue_pi<'a>(
    place: impl Into<Place<'a>>,
    value: u32,
    until: Option<(Clock, Time)>,
    lock: impl Into<Place<'a>>,
) -> Result<(), Errno> {
    let (bit, fourth) = until.map_or((0, Fourth::None), |(clock, time)| (clock.bit(), Fourth::Timeout(time)));
    futex(place, op::WAIT_REQUEUE_PI | bit, value, fourth, lock, 0).map(drop)
}

/// `FUTEX_CMP_REQUEUE_PI` from one word, if it has that value, to the lock in another.
///
/// # Errors
/// What the system answers.
pub fn cmp_requeue_pi<'a>(
    from: impl Into<Place<'a>>,
    value: u32,
    most_woken: u32,
    lock: impl Into<Place<'a>>,
    most_moved: i32,
) -> Result<u32, Errno> {
    futex(from, op::CMP_REQUEUE_PI, most_woken, Fourth::Count(most_moved), lock, value)
}
