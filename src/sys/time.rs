//! Instants and intervals as system calls take them, and the clocks that they are measured by.

use std::time::Duration;

use super::Errno;
use super::point::around;

/// `CLOCK_PROCESS_CPUTIME_ID`, which no lock and no futex waits by.
pub const PROCESSOR_TIME: libc::clockid_t = libc::CLOCK_PROCESS_CPUTIME_ID;

/// Clocks that a timeout can be measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `CLOCK_REALTIME`.
    Realtime,
    /// `CLOCK_MONOTONIC`.
    Monotonic,
}

/// An interval, or an instant of a clock. It may be one that no clock shows: nanoseconds are not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// `tv_sec`.
    pub seconds: i64,
    /// `tv_nsec`, which is below 1,000,000,000 where the time is valid.
    pub nanoseconds: i64,
}

impl Clock {
    /// Its number.
    pub fn id(self) -> libc::clockid_t {
        match self {
            Clock::Realtime => libc::CLOCK_REALTIME,
            Clock::Monotonic => libc::CLOCK_MONOTONIC,
        }
    }

    /// So long from now.
    ///
    /// # Errors
    /// None that can be expected.
    pub fn after(self, duration: Duration) -> Result<Time, Errno> {
        let now = Time::now(self)?;
        let nanoseconds = now.nanoseconds + i64::from(duration.subsec_nanos());
        let seconds = now.seconds + i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4) + nanoseconds / 1_000_000_000;
        Ok(Time { seconds, nanoseconds: nanoseconds % 1_000_000_000 })
    }
}

impl Time {
    /// An interval, or an instant since the clock's beginning.
    pub const fn new(seconds: i64, nanoseconds: i64) -> Self {
        Time { seconds, nanoseconds }
    }

    /// The instant that a clock shows (`clock_gettime`).
    ///
    /// # Errors
    /// None that can be expected.
    pub fn now(clock: Clock) -> Result<Self, Errno> {
        let now = around(|| nix::time::clock_gettime(nix::time::ClockId::from_raw(clock.id())))?;
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
        self >= other
    }

    /// As the C library takes it.
    #[allow(clippy::cast_possible_truncation, reason = "where the members are narrower, cases stay within them")]
    pub(super) fn raw(self) -> libc::timespec {
        // SAFETY: all members are integers, for which zero is a value; some systems have more members than two.
        let mut raw: libc::timespec = unsafe { std::mem::zeroed() };
        raw.tv_sec = self.seconds as _;
        raw.tv_nsec = self.nanoseconds as libc::c_long;
        raw
    }
}
