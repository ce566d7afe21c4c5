//! What is done with a [`Semaphore`]: waiting, posting, and asking for its value.

#[cfg(has_timed_semaphores)]
use nix::sys::time::TimeSpec;
#[cfg(has_sem_clockwait)]
use nix::time::ClockId;

use super::handle::Semaphore;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

#[cfg(not(apple))]
use libc::sem_getvalue;

// In the C library, where it answers ENOSYS; the libc crate leaves it out.
#[cfg(apple)]
unsafe extern "C" {
    fn sem_getvalue(semaphore: *mut libc::sem_t, value: *mut libc::c_int) -> libc::c_int;
}

// Not in the libc crate.
#[cfg(has_sem_clockwait)]
unsafe extern "C" {
    fn sem_clockwait(semaphore: *mut libc::sem_t, clock: libc::clockid_t, deadline: *const libc::timespec) -> libc::c_int;
}

impl Semaphore {
    /// Where this process has it: what `sem_open` returned.
    pub fn address(&self) -> usize {
        self.handle.as_ptr() as usize
    }

    /// `sem_wait`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn wait(&self) -> Result<(), Errno> {
        // SAFETY: the handle is open (or initialised) for as long as `self` lives, here and in the calls below.
        Errno::result(around(|| unsafe { libc::sem_wait(self.handle.as_ptr()) })).map(drop)
    }

    /// `sem_timedwait`.
    ///
    /// # Errors
    /// What the system answers.
    #[cfg(has_timed_semaphores)]
    pub fn timed_wait(&self, deadline: TimeSpec) -> Result<(), Errno> {
        // SAFETY: as for `wait`; the time is read during the call, and one that is out of range is an error code.
        Errno::result(around(|| unsafe { libc::sem_timedwait(self.handle.as_ptr(), deadline.as_ref()) })).map(drop)
    }

    /// `sem_clockwait`.
    ///
    /// # Errors
    /// What the system answers.
    #[cfg(has_sem_clockwait)]
    pub fn clock_wait(&self, clock: ClockId, deadline: TimeSpec) -> Result<(), Errno> {
        // SAFETY: as for `timed_wait`; a clock that does not exist is an error code.
        Errno::result(around(|| unsafe { sem_clockwait(self.handle.as_ptr(), clock.as_raw(), deadline.as_ref()) })).map(drop)
    }

    /// `sem_trywait`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn try_wait(&self) -> Result<(), Errno> {
        // SAFETY: as for `wait`.
        Errno::result(around(|| unsafe { libc::sem_trywait(self.handle.as_ptr()) })).map(drop)
    }

    /// `sem_post`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn post(&self) -> Result<(), Errno> {
        // SAFETY: as for `wait`.
        Errno::result(around(|| unsafe { libc::sem_post(self.handle.as_ptr()) })).map(drop)
    }

    /// `sem_getvalue`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn value(&self) -> Result<i32, Errno> {
        let mut value = 0;
        // SAFETY: as for `wait`; `value` is the `int` that is written.
        Errno::result(around(|| unsafe { sem_getvalue(self.handle.as_ptr(), &raw mut value) }))?;
        Ok(value)
    }

    /// Takes what can be taken without waiting, and counts it: the value, also where `sem_getvalue` is missing.
    ///
    /// # Errors
    /// What `sem_trywait` answers, but for the `EAGAIN` that says that nothing is left.
    pub fn drain(&self) -> Result<u32, Errno> {
        let mut taken = 0;
        loop {
            match self.try_wait() {
                Ok(()) => taken += 1,
                Err(errno::EAGAIN) => return Ok(taken),
                Err(other) => return Err(other),
            }
        }
    }
}
