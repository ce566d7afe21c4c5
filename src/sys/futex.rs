//! Futexes: the system calls themselves, below every C library. A futex word is a word of a [`super::mapping::Mapping`].
//!
//! Nothing here waits or wakes in user space, and nothing follows a protocol: what a word holds is the case's business.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::AtomicU32;

use super::point::around;
use super::{Errno, errno};

/// Operations of `futex(2)`, as in `linux/futex.h`.
pub mod op {
    #![allow(missing_docs, reason = "named as in the manual")]
    pub const WAIT: u32 = 0;
    pub const WAKE: u32 = 1;
    pub const FD: u32 = 2;
    pub const REQUEUE: u32 = 3;
    pub const CMP_REQUEUE: u32 = 4;
    pub const WAKE_OP: u32 = 5;
    pub const LOCK_PI: u32 = 6;
    pub const UNLOCK_PI: u32 = 7;
    pub const TRYLOCK_PI: u32 = 8;
    pub const WAIT_BITSET: u32 = 9;
    pub const WAKE_BITSET: u32 = 10;
    pub const WAIT_REQUEUE_PI: u32 = 11;
    pub const CMP_REQUEUE_PI: u32 = 12;
    pub const LOCK_PI2: u32 = 13;
    pub const PRIVATE: u32 = 128;
    pub const CLOCK_REALTIME: u32 = 256;
}

/// Somebody waits for the lock (`FUTEX_WAITERS`).
pub const WAITERS: u32 = 0x8000_0000;
/// The owner died while it held the lock (`FUTEX_OWNER_DIED`).
pub const OWNER_DIED: u32 = 0x4000_0000;
/// The owner's thread id (`FUTEX_TID_MASK`).
pub const TID: u32 = 0x3fff_ffff;
/// `FUTEX_BITSET_MATCH_ANY`.
pub const ANY: u32 = u32::MAX;
/// Most entries of a robust list that the kernel walks (`ROBUST_LIST_LIMIT`).
pub const ROBUST_LIST_LIMIT: usize = 2048;

/// The calling thread's id, as it stands in the word of a lock that it owns.
pub fn own_id() -> u32 {
    super::thread_id().unsigned_abs()
}

/// Where a call is to find a word: at one, or at an address without any.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    address: *mut u32,
    of: PhantomData<&'a AtomicU32>,
}

impl<'a> From<&'a AtomicU32> for Place<'a> {
    fn from(word: &'a AtomicU32) -> Self {
        Place { address: word.as_ptr(), of: PhantomData }
    }
}

impl<'a> Place<'a> {
    /// A null pointer, where nothing is ever mapped.
    pub const NULL: Place<'static> = Place { address: ptr::null_mut(), of: PhantomData };

    /// So many bytes (1 to 3) behind the beginning of a word, where no word can be.
    ///
    /// # Panics
    /// It is another number of bytes.
    pub fn unaligned(word: &'a AtomicU32, by: usize) -> Self {
        assert!((1..4).contains(&by), "{by} bytes off is no place between words");
        Place { address: word.as_ptr().wrapping_byte_add(by), of: PhantomData }
    }

    /// The first word of memory that nobody may touch.
    pub fn forbidden(guarded: &'a super::memory::Guarded) -> Self {
        Place { address: guarded.address(0).cast(), of: PhantomData }
    }

    /// In the half of the address space that no process has.
    pub fn outside() -> Place<'static> {
        Place { address: ptr::without_provenance_mut(usize::MAX & !0xfff), of: PhantomData }
    }
}

/// A time: an interval, or an instant of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Whole seconds.
    pub seconds: i64,
    /// The rest, which is below 1,000,000,000 where the time is valid.
    pub nanoseconds: i64,
}

/// Clocks that a timeout can be measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`.
    Monotonic,
    /// `CLOCK_REALTIME`.
    Real,
}

impl Clock {
    /// The bit that selects the clock in an operation.
    pub fn bit(self) -> u32 {
        if self == Clock::Real { op::CLOCK_REALTIME } else { 0 }
    }

    fn id(self) -> libc::clockid_t {
        if self == Clock::Real { libc::CLOCK_REALTIME } else { libc::CLOCK_MONOTONIC }
    }
}

impl Time {
    /// An interval, or an instant since the clock's beginning.
    pub const fn new(seconds: i64, nanoseconds: i64) -> Self {
        Time { seconds, nanoseconds }
    }

    /// The instant that a clock shows.
    ///
    /// # Errors
    /// None that can be expected.
    pub fn now(clock: Clock) -> Result<Self, Errno> {
        let now = nix::time::clock_gettime(nix::time::ClockId::from_raw(clock.id()))?;
        #[allow(clippy::useless_conversion, reason = "narrower on some systems")]
        Ok(Time { seconds: now.tv_sec().into(), nanoseconds: now.tv_nsec().into() })
    }

    /// The last that the kernel can be told of.
    #[allow(clippy::unnecessary_cast, reason = "narrower on some systems")]
    pub const LAST: Time = Time { seconds: libc::c_long::MAX as i64, nanoseconds: 999_999_999 };

    /// A second earlier, or the clock's beginning where that is later: a guest may have started just now.
    #[must_use]
    pub fn earlier(self) -> Self {
        if self.seconds > 0 { self.plus(-1) } else { Time::new(0, 0) }
    }

    /// So many seconds later.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Time { seconds: self.seconds + seconds, ..self }
    }

    /// So many milliseconds later.
    #[must_use]
    pub fn plus_milliseconds(self, milliseconds: i64) -> Self {
        self.plus_microseconds(milliseconds * 1000)
    }

    /// So many microseconds later.
    #[must_use]
    pub fn plus_microseconds(self, microseconds: i64) -> Self {
        let nanoseconds = self.nanoseconds + microseconds * 1000;
        Time { seconds: self.seconds + nanoseconds.div_euclid(1_000_000_000), nanoseconds: nanoseconds.rem_euclid(1_000_000_000) }
    }

    /// Whether this instant is not before the other one.
    pub fn has_come(self, other: Time) -> bool {
        (self.seconds, self.nanoseconds) >= (other.seconds, other.nanoseconds)
    }
}

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

fn count(returned: libc::c_long) -> Result<u32, Errno> {
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

/// Whether the system says that it has no call of that kind.
pub fn is_missing<T>(answer: &Result<T, Errno>) -> bool {
    matches!(answer, Err(errno::ENOSYS))
}
