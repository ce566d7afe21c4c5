//! Process-shared `pthread` mutexes, in a mapping.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU32, Ordering};

pub use super::attributes::{self as attributes, MutexAttributes};
use super::room::Room;
use crate::sys::memory::mapping::Mapping;
use crate::sys::point::around;
#[cfg(has_timed_locks)]
use crate::sys::time::Time;
use crate::sys::{Errno, errno};

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
    /// Not dropped while this process holds the mutex: a C library keeps a list of those that a thread holds, in their own memory.
    room: ManuallyDrop<Room<libc::pthread_mutex_t>>,
    /// How often it has been locked through this value and not unlocked.
    held: AtomicU32,
}

// SAFETY: the calls of a mutex are made to be called by several threads; the words and the count are atomics; nothing else of the
// mapping can be reached through a shared reference, but for the word that says what is in it, an atomic too.
unsafe impl Sync for SharedMutex {}

impl SharedMutex {
    fn of(room: Room<libc::pthread_mutex_t>) -> Self {
        SharedMutex { room: ManuallyDrop::new(room), held: AtomicU32::new(0) }
    }

    /// Takes note of a call that has locked the mutex, if it has.
    fn locked(&self, answer: Result<(), Errno>) -> Result<(), Errno> {
        if matches!(answer, Ok(()) | Err(errno::EOWNERDEAD)) {
            self.held.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

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
        Ok(Self::of(room))
    }

    /// The mutex that another process has made in the object that is mapped.
    ///
    /// # Errors
    /// `EINVAL` where there is none.
    pub fn attach(mapping: Mapping) -> Result<Self, Errno> {
        Room::enter(mapping, MARK).map(Self::of)
    }

    /// `pthread_mutex_lock`.
    ///
    /// # Errors
    /// What the system answers; after `EOWNERDEAD` the caller holds the mutex.
    pub fn lock(&self) -> Result<(), Errno> {
        // SAFETY: the mutex is initialised, as every room is, and lives as long as the mapping. So in the calls below.
        self.locked(around(|| Errno::from_pthread(unsafe { libc::pthread_mutex_lock(self.raw()) })))
    }

    /// `pthread_mutex_trylock`.
    ///
    /// # Errors
    /// What the system answers; after `EOWNERDEAD` the caller holds the mutex.
    pub fn try_lock(&self) -> Result<(), Errno> {
        // SAFETY: as for `lock`.
        self.locked(around(|| Errno::from_pthread(unsafe { libc::pthread_mutex_trylock(self.raw()) })))
    }

    /// `pthread_mutex_timedlock`, on the real-time clock.
    ///
    /// # Errors
    /// What the system answers; after `EOWNERDEAD` the caller holds the mutex.
    #[cfg(has_timed_locks)]
    pub fn timed_lock(&self, until: Time) -> Result<(), Errno> {
        let until = until.raw();
        // SAFETY: as for `lock`; the time is only read.
        self.locked(around(|| Errno::from_pthread(unsafe { pthread_mutex_timedlock(self.raw(), &raw const until) })))
    }

    /// `pthread_mutex_clocklock`, on the clock with that number.
    ///
    /// # Errors
    /// What the system answers; after `EOWNERDEAD` the caller holds the mutex.
    #[cfg(has_clock_locks)]
    pub fn clock_lock(&self, clock: libc::clockid_t, until: Time) -> Result<(), Errno> {
        let until = until.raw();
        // SAFETY: as for `timed_lock`; a clock that does not exist is an error code.
        self.locked(around(|| Errno::from_pthread(unsafe { pthread_mutex_clocklock(self.raw(), clock, &raw const until) })))
    }

    /// `pthread_mutex_unlock`. POSIX promises nothing to one that does not own the mutex, unless the kind of the mutex makes that an
    /// error: glibc and musl then let go of what another holds.
    ///
    /// # Errors
    /// What the system answers.
    pub fn unlock(&self) -> Result<(), Errno> {
        // SAFETY: as for `lock`. What it protects are atomics, so that an unlock too many is no data race.
        around(|| Errno::from_pthread(unsafe { libc::pthread_mutex_unlock(self.raw()) }))?;
        // It may have been locked through another value.
        let mut held = self.held.load(Ordering::Relaxed);
        while held > 0 {
            match self.held.compare_exchange_weak(held, held - 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => held = now,
            }
        }
        Ok(())
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
    ///
    /// # Panics
    /// It was destroyed although this process holds it.
    pub fn destroy(self) -> Result<Mapping, Errno> {
        self.try_destroy().map_err(|(_, errno)| errno)
    }

    /// `pthread_mutex_destroy` of a mutex that may be in use: gives the mapping back, or the mutex.
    ///
    /// # Errors
    /// What the system answers, and the mutex as it was.
    ///
    /// # Panics
    /// It was destroyed although this process holds it.
    pub fn try_destroy(mut self) -> Result<Mapping, (Self, Errno)> {
        // SAFETY: as for `lock`. The memory stays, and what the C libraries leave in it is at worst an invalid mutex, which their
        // calls answer with an error.
        if let Err(errno) = Errno::from_pthread(around(|| unsafe { libc::pthread_mutex_destroy(self.raw()) })) {
            return Err((self, errno));
        }
        // Its memory cannot be given back then: the C library may have it in a list of what a thread holds.
        assert_eq!(self.held.load(Ordering::Relaxed), 0, "a mutex was destroyed although this process holds it");
        // SAFETY: taken once, as `self` is forgotten.
        let room = unsafe { ManuallyDrop::take(&mut self.room) };
        std::mem::forget(self);
        Ok(room.vacate())
    }

    /// A word that the mutex protects.
    pub fn word(&self, index: usize) -> &AtomicU32 {
        self.room.word(index)
    }

    pub(super) fn raw(&self) -> *mut libc::pthread_mutex_t {
        self.room.raw()
    }
}

impl Drop for SharedMutex {
    fn drop(&mut self) {
        if *self.held.get_mut() == 0 {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.room) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::page_size;

    fn mutex() -> SharedMutex {
        SharedMutex::create(Mapping::anonymous(page_size()).unwrap()).unwrap()
    }

    /// Whether something is mapped there.
    fn is_mapped(address: *mut libc::pthread_mutex_t) -> bool {
        let page = address.addr() - address.addr() % page_size();
        // SAFETY: the call changes nothing of an anonymous mapping, and takes any address.
        unsafe { libc::msync(std::ptr::with_exposed_provenance_mut(page), page_size(), libc::MS_ASYNC) == 0 }
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no shared memory")]
    fn the_memory_of_a_mutex_that_is_held_stays() {
        let held = mutex();
        let address = held.raw();
        held.lock().unwrap();
        drop(held);
        assert!(is_mapped(address));
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no shared memory")]
    #[cfg(all(linux, target_env = "gnu"))]
    fn a_mutex_in_use_is_given_back() {
        let held = mutex();
        held.lock().unwrap();
        let (held, errno) = held.try_destroy().unwrap_err();
        assert_eq!((errno, held.unlock()), (errno::EBUSY, Ok(())));
        assert!(held.try_destroy().is_ok());
    }

    #[test]
    #[cfg_attr(miri, ignore = "Miri maps no shared memory")]
    #[cfg(linux)]
    fn is_made_once_in_the_same_memory() {
        let memory = crate::sys::memory::memfd::memfd_create(b"mutex", nix::sys::memfd::MFdFlags::empty()).unwrap();
        crate::sys::fd::size::ftruncate(&memory, 4096).unwrap();
        let map = || Mapping::new(&memory, page_size(), crate::sys::memory::mapping::Access::ReadWrite).unwrap();
        let first = SharedMutex::create(map()).unwrap();
        assert_eq!(SharedMutex::create(map()).map(drop), Err(errno::EEXIST));
        assert!(SharedMutex::attach(map()).is_ok());
        drop(first.destroy().unwrap());
        assert_eq!(SharedMutex::attach(map()).map(drop), Err(errno::EINVAL));
    }
}
