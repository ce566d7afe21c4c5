//! System V semaphore sets: `semget`, `semop`, `semctl`.

use std::ffi::{c_int, c_short, c_ushort};
use std::ptr;

use super::keys::{IPC_CREAT, IPC_EXCL, IPC_NOWAIT};
use crate::sys::point::around;
use crate::sys::{Errno, errno};

#[cfg(any(linux, apple))]
use libc::{GETALL, GETNCNT, GETPID, GETVAL, GETZCNT, SEM_UNDO, SETALL, SETVAL, semctl, semget, semop};

// The same on every BSD; the libc crate lacks most of it there.
#[cfg(not(any(linux, apple)))]
mod bsd {
    use std::ffi::c_int;

    pub const GETNCNT: c_int = 3;
    pub const GETPID: c_int = 4;
    pub const GETVAL: c_int = 5;
    pub const GETALL: c_int = 6;
    pub const GETZCNT: c_int = 7;
    pub const SETVAL: c_int = 8;
    pub const SETALL: c_int = 9;
    pub const SEM_UNDO: c_int = 0o10000;

    unsafe extern "C" {
        pub fn semget(key: libc::key_t, count: c_int, flags: c_int) -> c_int;
        pub fn semctl(id: c_int, number: c_int, command: c_int, ...) -> c_int;
        pub fn semop(id: c_int, operations: *mut super::Raw, count: usize) -> c_int;
    }
}
#[cfg(not(any(linux, apple)))]
use bsd::{GETALL, GETNCNT, GETPID, GETVAL, GETZCNT, SEM_UNDO, SETALL, SETVAL, semctl, semget, semop};

#[cfg(any(linux, apple))]
type Raw = libc::sembuf;

/// `struct sembuf`.
#[cfg(not(any(linux, apple)))]
#[repr(C)]
#[derive(Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "the names of the manual")]
pub struct Raw {
    sem_num: c_ushort,
    sem_op: c_short,
    sem_flg: c_short,
}

/// One operation of a `semop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    number: u16,
    change: i16,
    flags: c_int,
}

impl Operation {
    /// Adds to a semaphore, takes off it, or (0) waits until it is zero.
    pub const fn new(number: u16, change: i16) -> Self {
        Operation { number, change, flags: 0 }
    }

    /// With `SEM_UNDO`.
    #[must_use]
    pub const fn undo(mut self) -> Self {
        self.flags |= SEM_UNDO;
        self
    }

    /// With `IPC_NOWAIT`.
    #[must_use]
    pub const fn nowait(mut self) -> Self {
        self.flags |= IPC_NOWAIT;
        self
    }

    fn raw(self) -> Raw {
        // The flags are bits that fit into the member by definition of `struct sembuf`.
        Raw { sem_num: self.number, sem_op: self.change, sem_flg: c_short::try_from(self.flags).unwrap_or(0) }
    }
}

/// The id of the set with that key (`semget`), made if the flags say so; nobody owns the answer.
///
/// # Errors
/// What the system answers.
pub fn find_set(key: i32, count: i32, flags: c_int) -> Result<c_int, Errno> {
    #[allow(clippy::useless_conversion, reason = "a key is wider on some systems")]
    let key = key.into();
    // SAFETY: takes integers only.
    Errno::result(around(|| unsafe { semget(key, count, flags) }))
}

/// A set of semaphores, removed when it is dropped by the process that made it. Copies in forked children leave it alone.
#[derive(Debug)]
pub struct SemaphoreSet {
    id: c_int,
    count: usize,
    owner: u32,
}

impl SemaphoreSet {
    /// Makes a set that did not exist, for its owner only, and sets its values (POSIX leaves them unspecified).
    ///
    /// # Errors
    /// What `semget` or `semctl` answer.
    pub fn create(key: i32, values: &[u16]) -> Result<Self, Errno> {
        let count = i32::try_from(values.len()).map_err(|_| errno::EINVAL)?;
        let id = find_set(key, count, IPC_CREAT | IPC_EXCL | 0o600)?;
        let set = SemaphoreSet { id, count: values.len(), owner: std::process::id() };
        set.set_all(values)?;
        Ok(set)
    }

    /// Its id.
    pub fn id(&self) -> c_int {
        self.id
    }

    /// `semop`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn operate(&self, operations: &[Operation]) -> Result<(), Errno> {
        let mut raw: Vec<Raw> = operations.iter().map(|operation| operation.raw()).collect();
        // SAFETY: the array is alive and has the length given; the call does not change it.
        Errno::result(around(|| unsafe { semop(self.id, raw.as_mut_ptr(), raw.len()) })).map(drop)
    }

    /// `semctl(GETVAL)`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn value(&self, number: u16) -> Result<i32, Errno> {
        self.query(number, GETVAL)
    }

    /// `semctl(GETPID)`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn last_process(&self, number: u16) -> Result<i32, Errno> {
        self.query(number, GETPID)
    }

    /// `semctl(GETNCNT)` and `semctl(GETZCNT)`: how many wait for a semaphore to grow, and how many for it to become zero.
    ///
    /// # Errors
    /// What the system answers.
    pub fn waiters(&self, number: u16) -> Result<(i32, i32), Errno> {
        Ok((self.query(number, GETNCNT)?, self.query(number, GETZCNT)?))
    }

    fn query(&self, number: u16, command: c_int) -> Result<i32, Errno> {
        // SAFETY: these commands take no fourth argument.
        Errno::result(around(|| unsafe { semctl(self.id, c_int::from(number), command) }))
    }

    /// Refuses a set with more semaphores than this one was made with: another that has come to the same id.
    ///
    /// Not a point of a sweep, as it is no call of the case's.
    fn check(&self) -> Result<(), Errno> {
        let beyond = c_int::try_from(self.count).map_err(|_| errno::EINVAL)?;
        // SAFETY: the command takes no fourth argument.
        if unsafe { semctl(self.id, beyond, GETVAL) } == -1 { Ok(()) } else { Err(errno::EIDRM) }
    }

    /// `semctl(GETALL)`.
    ///
    /// # Errors
    /// What the system answers; `EIDRM` where the id is another, larger set's by now.
    pub fn values(&self) -> Result<Vec<u16>, Errno> {
        self.check()?;
        let mut values: Vec<c_ushort> = vec![0; self.count];
        // SAFETY: the array has a member for each semaphore of the set, as has just been checked, and is borrowed mutably for the call.
        Errno::result(around(|| unsafe { semctl(self.id, 0, GETALL, values.as_mut_ptr()) }))?;
        Ok(values)
    }

    /// `semctl(SETVAL)`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn set(&self, number: u16, value: i32) -> Result<(), Errno> {
        // SAFETY: the fourth argument of `SETVAL` is the `int` member of the union, passed as every such system passes it.
        Errno::result(around(|| unsafe { semctl(self.id, c_int::from(number), SETVAL, value) })).map(drop)
    }

    /// `semctl(SETALL)`.
    ///
    /// # Errors
    /// What the system answers; `EIDRM` where the id is another, larger set's by now.
    ///
    /// # Panics
    /// There are more or fewer values than semaphores.
    pub fn set_all(&self, values: &[u16]) -> Result<(), Errno> {
        assert_eq!(values.len(), self.count, "one value for each semaphore");
        self.check()?;
        // SAFETY: the array has a member for each semaphore of the set, as has just been checked, and is only read.
        Errno::result(around(|| unsafe { semctl(self.id, 0, SETALL, values.as_ptr()) })).map(drop)
    }

    /// `semctl(IPC_RMID)`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn remove(&self) -> Result<(), Errno> {
        // SAFETY: `IPC_RMID` takes no fourth argument; the null pointer is for systems that read one all the same.
        Errno::result(around(|| unsafe { semctl(self.id, 0, libc::IPC_RMID, ptr::null_mut::<libc::c_void>()) })).map(drop)
    }
}

impl Drop for SemaphoreSet {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // Removed already, mostly; ids are not used again soon enough to hit another's object.
            let _ = self.remove();
        }
    }
}
