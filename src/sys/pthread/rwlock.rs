//! Process-shared read-write locks, in a mapping.

use std::sync::atomic::AtomicU32;

use super::attributes::{LockAttributes, SHARED};
use super::room::Room;
use crate::sys::Errno;
use crate::sys::memory::mapping::Mapping;
use crate::sys::point::around;
#[cfg(has_timed_locks)]
use crate::sys::time::Time;

/// The first word of a mapping that holds an initialised lock.
const MARK: u32 = 0x7277_6c6b;

// What the libc crate leaves out, for some system or for all.
#[cfg(has_timed_locks)]
unsafe extern "C" {
    fn pthread_rwlock_timedrdlock(lock: *mut libc::pthread_rwlock_t, until: *const libc::timespec) -> libc::c_int;
    fn pthread_rwlock_timedwrlock(lock: *mut libc::pthread_rwlock_t, until: *const libc::timespec) -> libc::c_int;
}

#[cfg(has_clock_locks)]
unsafe extern "C" {
    fn pthread_rwlock_clockrdlock(
        lock: *mut libc::pthread_rwlock_t,
        clock: libc::clockid_t,
        until: *const libc::timespec,
    ) -> libc::c_int;
    fn pthread_rwlock_clockwrlock(
        lock: *mut libc::pthread_rwlock_t,
        clock: libc::clockid_t,
        until: *const libc::timespec,
    ) -> libc::c_int;
}

/// What a lock is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Wish {
    /// Reading, together with others.
    Read,
    /// Writing, alone.
    Write,
}

/// A process-shared read-write lock in a mapping, and words of memory behind it for it to protect.
#[derive(Debug)]
pub struct SharedLock {
    room: Room<libc::pthread_rwlock_t>,
}

impl SharedLock {
    /// `pthread_rwlock_init` at the beginning of a mapping, with `PTHREAD_PROCESS_SHARED`.
    ///
    /// # Errors
    /// What the system answers; `EEXIST` where the mapping holds one already.
    pub fn create(mapping: Mapping) -> Result<Self, Errno> {
        Self::create_with(mapping, |_| Ok(()))
    }

    /// As [`SharedLock::create`], with further attributes.
    ///
    /// # Errors
    /// What the system answers; `EEXIST` where the mapping holds one already.
    pub fn create_with(mapping: Mapping, configure: impl FnOnce(&mut LockAttributes) -> Result<(), Errno>) -> Result<Self, Errno> {
        let mut attributes = LockAttributes::new()?;
        attributes.set_shared(SHARED)?;
        configure(&mut attributes)?;
        let room = Room::fill(mapping, MARK, |lock| {
            // SAFETY: room for a lock, in which none is yet; the attributes are initialised.
            Errno::from_pthread(around(|| unsafe { libc::pthread_rwlock_init(lock, attributes.raw()) }))
        })?;
        Ok(SharedLock { room })
    }

    /// The one that another process has made in the object that is mapped.
    ///
    /// # Errors
    /// `EINVAL` where there is none.
    pub fn attach(mapping: Mapping) -> Result<Self, Errno> {
        Ok(SharedLock { room: Room::enter(mapping, MARK)? })
    }

    /// `pthread_rwlock_rdlock` or `pthread_rwlock_wrlock`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn lock(&self, wish: Wish) -> Result<(), Errno> {
        let call = match wish {
            Wish::Read => libc::pthread_rwlock_rdlock,
            Wish::Write => libc::pthread_rwlock_wrlock,
        };
        // SAFETY: the lock is initialised, as every room is, and lives as long as the mapping. So in the calls below.
        around(|| Errno::from_pthread(unsafe { call(self.room.raw()) }))
    }

    /// `pthread_rwlock_tryrdlock` or `pthread_rwlock_trywrlock`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn try_lock(&self, wish: Wish) -> Result<(), Errno> {
        let call = match wish {
            Wish::Read => libc::pthread_rwlock_tryrdlock,
            Wish::Write => libc::pthread_rwlock_trywrlock,
        };
        // SAFETY: as for `lock`.
        around(|| Errno::from_pthread(unsafe { call(self.room.raw()) }))
    }

    /// `pthread_rwlock_timedrdlock` or `pthread_rwlock_timedwrlock`, on the real-time clock.
    ///
    /// # Errors
    /// What the system answers.
    #[cfg(has_timed_locks)]
    pub fn timed_lock(&self, wish: Wish, until: Time) -> Result<(), Errno> {
        let call = match wish {
            Wish::Read => pthread_rwlock_timedrdlock,
            Wish::Write => pthread_rwlock_timedwrlock,
        };
        let until = until.raw();
        // SAFETY: as for `lock`; the time is only read.
        around(|| Errno::from_pthread(unsafe { call(self.room.raw(), &raw const until) }))
    }

    /// `pthread_rwlock_clockrdlock` or `pthread_rwlock_clockwrlock`, on the clock with that number.
    ///
    /// # Errors
    /// What the system answers.
    #[cfg(has_clock_locks)]
    pub fn clock_lock(&self, wish: Wish, clock: libc::clockid_t, until: Time) -> Result<(), Errno> {
        let call = match wish {
            Wish::Read => pthread_rwlock_clockrdlock,
            Wish::Write => pthread_rwlock_clockwrlock,
        };
        let until = until.raw();
        // SAFETY: as for `timed_lock`; a clock that does not exist is an error code.
        around(|| Errno::from_pthread(unsafe { call(self.room.raw(), clock, &raw const until) }))
    }

    /// `pthread_rwlock_unlock`. POSIX promises nothing to one that does not hold it: glibc and musl then miscount.
    ///
    /// # Errors
    /// What the system answers.
    pub fn unlock(&self) -> Result<(), Errno> {
        // SAFETY: as for `lock`. What it protects are atomics, so that an unlock too many is no data race.
        around(|| Errno::from_pthread(unsafe { libc::pthread_rwlock_unlock(self.room.raw()) }))
    }

    /// `pthread_rwlock_destroy`: gives the mapping back. POSIX promises nothing where it is held: the memory
    /// of others who have it stays theirs.
    ///
    /// # Errors
    /// What the system answers.
    pub fn destroy(self) -> Result<Mapping, Errno> {
        // SAFETY: as for `lock`.
        Errno::from_pthread(around(|| unsafe { libc::pthread_rwlock_destroy(self.room.raw()) }))?;
        Ok(self.room.vacate())
    }

    /// A word that the lock protects.
    pub fn word(&self, index: usize) -> &AtomicU32 {
        self.room.word(index)
    }
}
