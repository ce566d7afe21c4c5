//! Process-shared condition variables, in a mapping.

use super::attributes::{ConditionAttributes, SHARED};
use super::mutex::SharedMutex;
use super::room::Room;
use crate::sys::Errno;
use crate::sys::memory::mapping::Mapping;
use crate::sys::point::around;
use crate::sys::time::Time;

/// The first word of a mapping that holds an initialised condition variable.
const MARK: u32 = 0x636f_6e64;

// Absent from the libc crate.
#[cfg(has_clock_locks)]
unsafe extern "C" {
    fn pthread_cond_clockwait(
        condition: *mut libc::pthread_cond_t,
        mutex: *mut libc::pthread_mutex_t,
        clock: libc::clockid_t,
        until: *const libc::timespec,
    ) -> libc::c_int;
}

/// A process-shared condition variable in a mapping.
#[derive(Debug)]
pub struct SharedCondition {
    room: Room<libc::pthread_cond_t>,
}

impl SharedCondition {
    /// `pthread_cond_init` at the beginning of a mapping, with `PTHREAD_PROCESS_SHARED`.
    ///
    /// # Errors
    /// What the system answers; `EEXIST` where the mapping holds one already.
    pub fn create(mapping: Mapping) -> Result<Self, Errno> {
        Self::create_with(mapping, |_| Ok(()))
    }

    /// As [`SharedCondition::create`], with further attributes.
    ///
    /// # Errors
    /// What the system answers; `EEXIST` where the mapping holds one already.
    pub fn create_with(
        mapping: Mapping,
        configure: impl FnOnce(&mut ConditionAttributes) -> Result<(), Errno>,
    ) -> Result<Self, Errno> {
        let mut attributes = ConditionAttributes::new()?;
        attributes.set_shared(SHARED)?;
        configure(&mut attributes)?;
        let room = Room::fill(mapping, MARK, |condition| {
            // SAFETY: room for a condition variable, in which none is yet; the attributes are initialised.
            Errno::from_pthread(around(|| unsafe { libc::pthread_cond_init(condition, attributes.raw()) }))
        })?;
        Ok(SharedCondition { room })
    }

    /// The one that another process has made in the object that is mapped.
    ///
    /// # Errors
    /// `EINVAL` where there is none.
    pub fn attach(mapping: Mapping) -> Result<Self, Errno> {
        Ok(SharedCondition { room: Room::enter(mapping, MARK)? })
    }

    /// `pthread_cond_wait`.
    ///
    /// # Errors
    /// What the system answers; after `EOWNERDEAD` the caller holds the mutex.
    pub fn wait(&self, mutex: &SharedMutex) -> Result<(), Errno> {
        // SAFETY: both are initialised, as every room is, and live as long as their mappings. So in the calls below.
        around(|| Errno::from_pthread(unsafe { libc::pthread_cond_wait(self.room.raw(), mutex.raw()) }))
    }

    /// `pthread_cond_timedwait`, on the clock of the condition variable.
    ///
    /// # Errors
    /// What the system answers; after `ETIMEDOUT` and `EOWNERDEAD` the caller holds the mutex.
    pub fn timed_wait(&self, mutex: &SharedMutex, until: Time) -> Result<(), Errno> {
        let until = until.raw();
        // SAFETY: as for `wait`; the time is only read.
        around(|| Errno::from_pthread(unsafe { libc::pthread_cond_timedwait(self.room.raw(), mutex.raw(), &raw const until) }))
    }

    /// `pthread_cond_clockwait`, on the clock with that number.
    ///
    /// # Errors
    /// What the system answers; after `ETIMEDOUT` and `EOWNERDEAD` the caller holds the mutex.
    #[cfg(has_clock_locks)]
    pub fn clock_wait(&self, mutex: &SharedMutex, clock: libc::clockid_t, until: Time) -> Result<(), Errno> {
        let until = until.raw();
        // SAFETY: as for `timed_wait`; a clock that does not exist is an error code.
        around(|| Errno::from_pthread(unsafe { pthread_cond_clockwait(self.room.raw(), mutex.raw(), clock, &raw const until) }))
    }

    /// `pthread_cond_signal`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn signal(&self) -> Result<(), Errno> {
        // SAFETY: as for `wait`.
        around(|| Errno::from_pthread(unsafe { libc::pthread_cond_signal(self.room.raw()) }))
    }

    /// `pthread_cond_broadcast`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn broadcast(&self) -> Result<(), Errno> {
        // SAFETY: as for `wait`.
        around(|| Errno::from_pthread(unsafe { libc::pthread_cond_broadcast(self.room.raw()) }))
    }

    /// `pthread_cond_destroy`: gives the mapping back. glibc waits for those who wait.
    ///
    /// # Errors
    /// What the system answers.
    pub fn destroy(self) -> Result<Mapping, Errno> {
        // SAFETY: as for `wait`.
        Errno::from_pthread(around(|| unsafe { libc::pthread_cond_destroy(self.room.raw()) }))?;
        Ok(self.room.vacate())
    }
}
