//! Process-shared barriers and spin locks, in a mapping.

use std::sync::atomic::AtomicU32;

use super::Errno;
use super::mapping::Mapping;
use super::point::around;
use super::pthread_attributes::{BarrierAttributes, SHARED};
use super::pthread_room::Room;

/// The first word of a mapping that holds an initialised barrier, or spin lock.
const BARRIER: u32 = 0x6261_7272;
const SPIN_LOCK: u32 = 0x7370_696e;

/// A process-shared barrier in a mapping, and words of memory behind it.
#[derive(Debug)]
pub struct SharedBarrier {
    room: Room<libc::pthread_barrier_t>,
}

/// Whether a process that came through a barrier is the one that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Passed {
    /// It is one of the others.
    Along,
    /// It was answered `PTHREAD_BARRIER_SERIAL_THREAD`.
    Chosen,
}

impl SharedBarrier {
    /// `pthread_barrier_init` at the beginning of a mapping, with `PTHREAD_PROCESS_SHARED`.
    ///
    /// # Errors
    /// What the system answers; `EEXIST` where the mapping holds one already.
    pub fn create(mapping: Mapping, count: u32) -> Result<Self, Errno> {
        let mut attributes = BarrierAttributes::new()?;
        attributes.set_shared(SHARED)?;
        let room = Room::fill(mapping, BARRIER, |barrier| {
            // SAFETY: room for a barrier, in which none is yet; the attributes are initialised.
            Errno::from_pthread(unsafe { libc::pthread_barrier_init(barrier, attributes.raw(), count) })
        })?;
        Ok(SharedBarrier { room })
    }

    /// The one that another process has made in the object that is mapped.
    ///
    /// # Errors
    /// `EINVAL` where there is none.
    pub fn attach(mapping: Mapping) -> Result<Self, Errno> {
        Ok(SharedBarrier { room: Room::enter(mapping, BARRIER)? })
    }

    /// `pthread_barrier_wait`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn wait(&self) -> Result<Passed, Errno> {
        // SAFETY: the barrier is initialised, as every room is, and lives as long as the mapping.
        match around(|| unsafe { libc::pthread_barrier_wait(self.room.raw()) }) {
            libc::PTHREAD_BARRIER_SERIAL_THREAD => Ok(Passed::Chosen),
            other => Errno::from_pthread(other).map(|()| Passed::Along),
        }
    }

    /// `pthread_barrier_destroy`: gives the mapping back. It waits for those who are about to leave.
    ///
    /// # Errors
    /// What the system answers.
    pub fn destroy(self) -> Result<Mapping, Errno> {
        // SAFETY: as for `wait`.
        Errno::from_pthread(around(|| unsafe { libc::pthread_barrier_destroy(self.room.raw()) }))?;
        Ok(self.room.vacate())
    }

    /// A word behind the barrier.
    pub fn word(&self, index: usize) -> &AtomicU32 {
        self.room.word(index)
    }
}

/// A process-shared spin lock in a mapping, and words of memory behind it for it to protect.
#[derive(Debug)]
pub struct SharedSpinLock {
    room: Room<libc::pthread_spinlock_t>,
}

impl SharedSpinLock {
    /// `pthread_spin_init` at the beginning of a mapping, with `PTHREAD_PROCESS_SHARED`.
    ///
    /// # Errors
    /// What the system answers; `EEXIST` where the mapping holds one already.
    pub fn create(mapping: Mapping) -> Result<Self, Errno> {
        let room = Room::fill(mapping, SPIN_LOCK, |lock| {
            // SAFETY: room for a spin lock, in which none is yet.
            Errno::from_pthread(unsafe { libc::pthread_spin_init(lock, SHARED) })
        })?;
        Ok(SharedSpinLock { room })
    }

    /// The one that another process has made in the object that is mapped.
    ///
    /// # Errors
    /// `EINVAL` where there is none.
    pub fn attach(mapping: Mapping) -> Result<Self, Errno> {
        Ok(SharedSpinLock { room: Room::enter(mapping, SPIN_LOCK)? })
    }

    /// `pthread_spin_lock`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn lock(&self) -> Result<(), Errno> {
        // SAFETY: the lock is initialised, as every room is, and lives as long as the mapping. So in the calls below.
        around(|| Errno::from_pthread(unsafe { libc::pthread_spin_lock(self.room.raw()) }))
    }

    /// `pthread_spin_trylock`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn try_lock(&self) -> Result<(), Errno> {
        // SAFETY: as for `lock`.
        around(|| Errno::from_pthread(unsafe { libc::pthread_spin_trylock(self.room.raw()) }))
    }

    /// `pthread_spin_unlock`. Only for its owner.
    ///
    /// # Errors
    /// What the system answers.
    pub fn unlock(&self) -> Result<(), Errno> {
        // SAFETY: as for `lock`.
        around(|| Errno::from_pthread(unsafe { libc::pthread_spin_unlock(self.room.raw()) }))
    }

    /// `pthread_spin_destroy`: gives the mapping back. Only where nobody holds it.
    ///
    /// # Errors
    /// What the system answers.
    pub fn destroy(self) -> Result<Mapping, Errno> {
        // SAFETY: as for `lock`.
        Errno::from_pthread(unsafe { libc::pthread_spin_destroy(self.room.raw()) })?;
        Ok(self.room.vacate())
    }

    /// A word that the lock protects.
    pub fn word(&self, index: usize) -> &AtomicU32 {
        self.room.word(index)
    }
}
