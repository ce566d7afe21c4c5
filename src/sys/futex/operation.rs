//! Numbers of `linux/futex.h`: operations, and the bits of a lock's word.

use crate::sys::time::Clock;

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

impl Clock {
    /// The bit that selects the clock in an operation.
    pub fn bit(self) -> u32 {
        if self == Clock::Realtime { op::CLOCK_REALTIME } else { 0 }
    }
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
    crate::sys::thread_id().unsigned_abs()
}
