//! The calls of their own that came after `futex(2)`: `futex_waitv`, `futex_wake`, `futex_wait` and `futex_requeue`.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::AtomicU32;

use super::call::count;
use super::place::Place;
use crate::sys::Errno;
use crate::sys::point::around;
use crate::sys::time::{Clock, Time};

/// Numbers of the younger calls. They are the same on all but a few old architectures, and the C library's header may not have
/// them yet; their distance from `futex_waitv` is the same everywhere.
const OFFSET: libc::c_long = if cfg!(target_arch = "mips64") {
    5000
} else if cfg!(target_arch = "mips") {
    4000
} else {
    0
};
const SYS_FUTEX_WAITV: libc::c_long = OFFSET + 449;
const SYS_FUTEX_WAKE: libc::c_long = OFFSET + 454;
const SYS_FUTEX_WAIT: libc::c_long = OFFSET + 455;
const SYS_FUTEX_REQUEUE: libc::c_long = OFFSET + 456;

/// A word of 32 bits (`FUTEX2_SIZE_U32`), without which no flags are valid.
pub const SIZE_32: u32 = 2;
/// Within this process only (`FUTEX2_PRIVATE`).
pub const WITHIN_PROCESS: u32 = 128;

/// The time as the younger calls take it.
#[repr(C)]
struct WideTime {
    seconds: i64,
    nanoseconds: i64,
}

impl From<Time> for WideTime {
    fn from(time: Time) -> Self {
        WideTime { seconds: time.seconds, nanoseconds: time.nanoseconds }
    }
}

/// One of several words to wait at (`struct futex_waitv`).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Waiter<'a> {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
    of: PhantomData<&'a AtomicU32>,
}

impl<'a> Waiter<'a> {
    /// At a word that all processes share, while it has that value.
    pub fn new(place: impl Into<Place<'a>>, value: u32) -> Self {
        let address = place.into().address.expose_provenance() as u64;
        Waiter { value: value.into(), address, flags: SIZE_32, reserved: 0, of: PhantomData }
    }

    /// With other flags.
    #[must_use]
    pub fn with_flags(self, flags: u32) -> Self {
        Waiter { flags, ..self }
    }

    /// With something in the member that is reserved.
    #[must_use]
    pub fn with_reserved(self, reserved: u32) -> Self {
        Waiter { reserved, ..self }
    }

    /// With a value that may have more than 32 bits.
    #[must_use]
    pub fn with_value(self, value: u64) -> Self {
        Waiter { value, ..self }
    }
}

/// `futex_waitv`, until an instant of a clock, if there is one: the index of one that was woken.
///
/// # Errors
/// What the system answers.
pub fn waitv(waiters: &[Waiter<'_>], flags: u32, until: Option<(Clock, Time)>) -> Result<u32, Errno> {
    let clock = until.map_or(libc::CLOCK_MONOTONIC, |(clock, _)| clock.id());
    waitv_on(waiters, flags, until.map(|(_, time)| time), clock)
}

/// `futex_waitv` with any clock's number.
///
/// # Errors
/// What the system answers.
pub fn waitv_on(waiters: &[Waiter<'_>], flags: u32, until: Option<Time>, clock: i32) -> Result<u32, Errno> {
    let until = until.map(WideTime::from);
    let until: *const WideTime = until.as_ref().map_or(ptr::null(), ptr::from_ref);
    let length = waiters.len();
    // SAFETY: the kernel reads as many waiters as it is told there are, and the time; it checks the addresses in them, and only
    // reads there.
    count(around(|| unsafe { libc::syscall(SYS_FUTEX_WAITV, waiters.as_ptr(), length, flags, until, clock) }))
}

/// `futex_waitv` of so many waiters that are said to be where none can be.
///
/// # Errors
/// What the system answers.
pub fn waitv_nowhere(place: Place<'_>, length: u32) -> Result<u32, Errno> {
    let none: *const WideTime = ptr::null();
    // SAFETY: the kernel checks the address, and only reads.
    count(around(|| unsafe { libc::syscall(SYS_FUTEX_WAITV, place.address, length, 0, none, libc::CLOCK_MONOTONIC) }))
}

/// `futex_wake` (a call of its own): how many were woken.
///
/// # Errors
/// What the system answers.
pub fn wake2<'a>(place: impl Into<Place<'a>>, bits: u64, most: i32, flags: u32) -> Result<u32, Errno> {
    let (place, bits) = (place.into(), native(bits));
    // SAFETY: the kernel checks the address.
    count(around(|| unsafe { libc::syscall(SYS_FUTEX_WAKE, place.address, bits, most, flags) }))
}

/// `futex_wait` (a call of its own), until an instant of a clock, if there is one.
///
/// # Errors
/// What the system answers.
pub fn wait2<'a>(
    place: impl Into<Place<'a>>,
    value: u64,
    bits: u64,
    flags: u32,
    until: Option<(Clock, Time)>,
) -> Result<(), Errno> {
    let (place, value, bits) = (place.into(), native(value), native(bits));
    let clock = until.map_or(libc::CLOCK_MONOTONIC, |(clock, _)| clock.id());
    let until = until.map(|(_, time)| WideTime::from(time));
    let until: *const WideTime = until.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the kernel checks the address, and only reads there and at the time.
    let done = around(|| unsafe { libc::syscall(SYS_FUTEX_WAIT, place.address, value, bits, flags, until, clock) });
    count(done).map(drop)
}

/// As an `unsigned long`, which is what the call takes.
#[allow(clippy::cast_possible_truncation, reason = "where it is narrower a case uses 32 bits")]
fn native(value: u64) -> libc::c_ulong {
    value as libc::c_ulong
}

/// `futex_requeue` (a call of its own), from the first waiter's word, if it has that value, to the second's.
///
/// # Errors
/// What the system answers.
pub fn requeue2(waiters: &[Waiter<'_>; 2], flags: u32, most_woken: i32, most_moved: i32) -> Result<u32, Errno> {
    // SAFETY: the kernel reads the two waiters and checks the addresses in them.
    count(around(|| unsafe { libc::syscall(SYS_FUTEX_REQUEUE, waiters.as_ptr(), flags, most_woken, most_moved) }))
}
