//! Process-shared barriers, in a mapping.

use std::sync::atomic::AtomicU32;

use super::attributes::{BarrierAttributes, SHARED};
use super::room::Room;
use crate::sys::Errno;
use crate::sys::memory::mapping::Mapping;
use crate::sys::point::around;

/// The first word of a mapping that holds an initialised barrier.
const MARK: u32 = 0x6261_7272;

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
        let room = Room::fill(mapping, MARK, |barrier| {
            // SAFETY: room for a barrier, in which none is yet; the attributes are initialised.
            Errno::from_pthread(around(|| unsafe { libc::pthread_barrier_init(barrier, attributes.raw(), count) }))
        })?;
        Ok(SharedBarrier { room })
    }

    /// The one that another process has made in the object that is mapped.
    ///
    /// # Errors
    /// `EINVAL` where there is none.
    pub fn attach(mapping: Mapping) -> Result<Self, Errno> {
        Ok(SharedBarrier { room: Room::enter(mapping, MARK)? })
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
