//! Times by which a `pthread` call gives up: absolute, on one of two clocks.

use std::mem::MaybeUninit;
use std::time::Duration;

use super::Errno;

/// `CLOCK_PROCESS_CPUTIME_ID`, by which nobody can wait here.
pub const PROCESSOR_TIME: libc::clockid_t = libc::CLOCK_PROCESS_CPUTIME_ID;

/// The clocks that `pthread` calls know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// `CLOCK_REALTIME`.
    Realtime,
    /// `CLOCK_MONOTONIC`.
    Monotonic,
}

/// A time on a clock. It may be one that there is not: nanoseconds are not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// `tv_sec`.
    pub seconds: i64,
    /// `tv_nsec`.
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

    /// `clock_gettime`.
    ///
    /// # Errors
    /// None that can be expected.
    pub fn now(self) -> Result<Time, Errno> {
        let mut now = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: the time is written by a call that succeeds, and read only then.
        let now = unsafe {
            Errno::result(libc::clock_gettime(self.id(), now.as_mut_ptr()))?;
            now.assume_init()
        };
        #[allow(clippy::useless_conversion, reason = "the members are narrower on some systems")]
        Ok(Time { seconds: now.tv_sec.into(), nanoseconds: now.tv_nsec.into() })
    }

    /// So long from now.
    ///
    /// # Errors
    /// None that can be expected.
    pub fn after(self, duration: Duration) -> Result<Time, Errno> {
        let now = self.now()?;
        let nanoseconds = now.nanoseconds + i64::from(duration.subsec_nanos());
        let seconds = now.seconds + i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4) + nanoseconds / 1_000_000_000;
        Ok(Time { seconds, nanoseconds: nanoseconds % 1_000_000_000 })
    }
}

impl Time {
    #[allow(clippy::cast_possible_truncation, reason = "where the fields are narrower, cases stay within them")]
    pub(super) fn raw(self) -> libc::timespec {
        // SAFETY: all members are integers, for which zero is a value; some systems have more members than two.
        let mut raw: libc::timespec = unsafe { MaybeUninit::zeroed().assume_init() };
        raw.tv_sec = self.seconds as _;
        raw.tv_nsec = self.nanoseconds as libc::c_long;
        raw
    }
}
