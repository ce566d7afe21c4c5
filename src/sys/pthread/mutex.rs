//! Process-shared `pthread` mutexes, in a mapping.

use std::sync::atomic::AtomicU32;

pub use super::attributes::{self as attributes, MutexAttributes};
use super::room::Room;
use crate::sys::Errno;
use crate::sys::memory::mapping::Mapping;
use crate::sys::point::around;
#[cfg(has_timed_locks)]
use crate::sys::time::Time;

/// The first word of a mapping that holds an initialised mutex.
const MARK: u32 = 0x6d75_7478;

#[cfg(has_timed_locks)]
unsafe extern "C" {
    fn pthread_mutex_timedlock(mutex: *mut libc::pthread_mutex_t, until: *const libc::timespec) -> libc::c_int;
}

// Absent from the libc crate.
#[cfg(has_clock_locks)]
unsafe extern "C" {
    fn pthread_mutex_clocklock(
        mutex: *mut libc::pthread_mutex_t,
        clock: libc::clockid_t,
        until: *const libc::timespec,
    ) -> libc::c_int;
}

#[cfg(has_priority_ceilings)]
unsafe extern "C" {
    fn pthread_mutex_getprioceiling(mutex: *const libc::pthread_mutex_t, ceiling: *mut libc::c_int) -> libc::c_int;
    fn pthread_mutex_setprioceiling(mutex: *mut libc::pthread_mutex_t, new: libc::c_int, old: *mut libc::c_int) -> libc::c_int;
}

/// A process-shared mutex in a mapping, and words of memory behind it for it to protect.
#[derive(Debug)]
pub struct SharedMutex {
    room: Room<libc::pthread_mutex_t>,
}

// SAFETY: the calls of a mutex are made to be called by several threads; the words are atomics; nothing else of the mapping can be
// reached through a shared reference, but for the word that says what is in it, an atomic too.
unsafe impl Sync for SharedMutex {}

impl SharedMutex {
    /// `pthread_mutex_init` at the beginning of a mapping, with `PTHREAD_PROCESS_SHARED`.
    ///
    /// # Errors
    /// What the system answers; `EEXIST` where the mapping holds a mutex already.
    pub fn create(mapping: Mapping) -> Result<Self, Errno> {
        Self::create_with(mapping, |_| Ok(()))
    }

    /// As [`SharedMutex::create`], with `PTHREAD_MUTEX_ROBUST` too.
    ///
    /// # Errors
    /// What the system answers; `EEXIST` where the mapping holds a mutex already.
    #[cfg(has_robust_mutexes)]
    pub fn create_robust(mapping: Mapping) -> Result<Self, Errno> {
        Self::create_with(mapping, |attributes| attributes.set_robust(attributes::ROBUST))
    }

    /// As [`SharedMutex::create`], with further attributes.
    ///
    /// # Errors
    /// What the system answers; `EEXIST` where the mapping holds a mutex already.
    pub fn create_with(mapping: Mapping, configure: impl FnOnce(&mut MutexAttributes) -> Result<(), Errno>) -> Result<Self, Errno> {
        let mut attributes = MutexAttributes::new()?;
        attributes.set_shared(attributes::SHARED)?;
        configure(&mut attributes)?;
        let room = Room::fill(mapping, MARK, |mutex| {
            // SAFETY: room for a mutex, in which none is yet; the attributes are initialised.
            Errno::from_pthread(around(|| unsafe { libc::pthread_mutex_init(mutex, attributes.raw()) }))
        })?;
        Ok(SharedMutex { room })
    }

    /// The mutex that another process has made in the object that is mapped.
    ///
    /// # Errors
    /// `EINVAL` where there is none.
    pub fn attach(mapping: Mapping) -> Result<Self, Errno> {
        Ok(SharedMutex { room: Room::enter(mapping, MARK)? })
    }

    /// `pthread_mutex_lock`.
    ///
    /// # Errors
    /// What the system answers; after `EOWNERDEAD` the caller holds the mutex.
    pub fn lock(&self) -> Result<(), Errno> {
        // SAFETY: the mutex is initialised, as every room is, and lives as long as the mapping. So in the calls below.
        around(|| Errno::from_pthread(unsafe { libc::pthread_mutex_lock(self.raw()) }))
    }

    /// `pthread_mutex_trylock`.
    ///
    /// # Errors
    /// What the system answers; after `EOWNERDEAD` the caller holds the mutex.
    pub fn try_lock(&self) -> Result<(), Errno> {
        // SAFETY: as for `lock`.
        around(|| Errno::from_pthread(unsafe { libc::pthread_mutex_trylock(self.raw()) }))
    }

    /// `pthread_mutex_timedlock`, on the real-time clock.
    ///
    /// # Errors
    /// What the system answers; after `EOWNERDEAD` the caller holds the mutex.
    #[cfg(has_timed_locks)]
    pub fn timed_lock(&self, until: Time) -> Result<(), Errno> {
        let until = until.raw();
        // SAFETY: as for `lock`; the time is only read.
        around(|| Errno::from_pthread(unsafe { pthread_mutex_timedlock(self.raw(), &raw const until) }))
    }

    /// `pthread_mutex_clocklock`, on the clock with that number.
    ///
    /// # Errors
    /// What the system answers; after `EOWNERDEAD` the caller holds the mutex.
    #[cfg(has_clock_locks)]
    pub fn clock_lock(&self, clock: libc::clockid_t, until: Time) -> Result<(), Errno> {
        let until = until.raw();
        // SAFETY: as for `timed_lock`; a clock that does not exist is an error code.
        around(|| Errno::from_pthread(unsafe { pthread_mutex_clocklock(self.raw(), clock, &raw const until) }))
    }

    /// `pthread_mutex_unlock`. Only for its owner, or where the kind of the mutex makes another's attempt an error.
    ///
    /// # Errors
    /// What the system answers.
    pub fn unlock(&self) -> Result<(), Errno> {
        // SAFETY: as for `lock`. What it protects are atomics, so that an unlock too many is no data race.
        around(|| Errno::from_pthread(unsafe { libc::pthread_mutex_unlock(self.raw()) }))
    }

    /// `pthread_mutex_consistent`.
    ///
    /// # Errors
    /// What the system answers.
    #[cfg(has_robust_mutexes)]
    pub fn consistent(&self) -> Result<(), Errno> {
        // SAFETY: as for `lock`.
        around(|| Errno::from_pthread(unsafe { libc::pthread_mutex_consistent(self.raw()) }))
    }

    /// `pthread_mutex_getprioceiling`.
    ///
    /// # Errors
    /// What the system answers.
    #[cfg(has_priority_ceilings)]
    pub fn ceiling(&self) -> Result<i32, Errno> {
        let mut ceiling = i32::MIN;
        // SAFETY: as for `lock`; `ceiling` is the `int` that is written.
        Errno::from_pthread(around(|| unsafe { pthread_mutex_getprioceiling(self.raw(), &raw mut ceiling) }))?;
        Ok(ceiling)
    }

    /// `pthread_mutex_setprioceiling`: the ceiling that it had.
    ///
    /// # Errors
    /// What the system answers.
    #[cfg(has_priority_ceilings)]
    pub fn set_ceiling(&self, ceiling: i32) -> Result<i32, Errno> {
        let mut old = i32::MIN;
        // SAFETY: as for `lock`; `old` is the `int` that is written.
        Errno::from_pthread(around(|| unsafe { pthread_mutex_setprioceiling(self.raw(), ceiling, &raw mut old) }))?;
        Ok(old)
    }

    /// `pthread_mutex_destroy`: gives the mapping back.
    ///
    /// # Errors
    /// What the system answers.
    pub fn destroy(self) -> Result<Mapping, Errno> {
        self.try_destroy()?;
        Ok(self.room.vacate())
    }

    /// `pthread_mutex_destroy` of a mutex that is in use, which is to be refused. Nothing but [`SharedMutex::destroy`] may follow
    /// where it is not.
    ///
    /// # Errors
    /// What the system answers.
    pub fn try_destroy(&self) -> Result<(), Errno> {
        // SAFETY: as for `lock`. The memory stays, and what the C libraries leave in it is at worst an invalid mutex, which their
        // calls answer with an error.
        Errno::from_pthread(around(|| unsafe { libc::pthread_mutex_destroy(self.raw()) }))
    }

    /// A word that the mutex protects.
    pub fn word(&self, index: usize) -> &AtomicU32 {
        self.room.word(index)
    }

    pub(super) fn raw(&self) -> *mut libc::pthread_mutex_t {
        self.room.raw()
    }
}
