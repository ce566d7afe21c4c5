//! Process-shared spin locks, in a mapping.

use std::sync::atomic::AtomicU32;

use super::attributes::SHARED;
use super::room::Room;
use crate::sys::Errno;
use crate::sys::memory::mapping::Mapping;
use crate::sys::point::around;

/// The first word of a mapping that holds an initialised spin lock.
const MARK: u32 = 0x7370_696e;

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
        let room = Room::fill(mapping, MARK, |lock| {
            // SAFETY: room for a spin lock, in which none is yet.
            Errno::from_pthread(around(|| unsafe { libc::pthread_spin_init(lock, SHARED) }))
        })?;
        Ok(SharedSpinLock { room })
    }

    /// The one that another process has made in the object that is mapped.
    ///
    /// # Errors
    /// `EINVAL` where there is none.
    pub fn attach(mapping: Mapping) -> Result<Self, Errno> {
        Ok(SharedSpinLock { room: Room::enter(mapping, MARK)? })
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

    /// `pthread_spin_unlock`. POSIX promises nothing to one that does not own it: glibc and musl let go of it all the same.
    ///
    /// # Errors
    /// What the system answers.
    pub fn unlock(&self) -> Result<(), Errno> {
        // SAFETY: as for `lock`.
        around(|| Errno::from_pthread(unsafe { libc::pthread_spin_unlock(self.room.raw()) }))
    }

    /// `pthread_spin_destroy`: gives the mapping back. POSIX promises nothing where it is held: the memory
    /// of others who have it stays theirs.
    ///
    /// # Errors
    /// What the system answers.
    pub fn destroy(self) -> Result<Mapping, Errno> {
        // SAFETY: as for `lock`.
        Errno::from_pthread(around(|| unsafe { libc::pthread_spin_destroy(self.room.raw()) }))?;
        Ok(self.room.vacate())
    }

    /// A word that the lock protects.
    pub fn word(&self, index: usize) -> &AtomicU32 {
        self.room.word(index)
    }
}
