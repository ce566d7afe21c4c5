//! System V objects of any kind: finding, removing and listing what somebody left, by key or id.

use std::ffi::c_int;

use crate::sys::Errno;

/// Which of the three System V mechanisms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemV {
    /// `shmget(2)`.
    SharedMemory,
    /// `semget(2)`.
    Semaphores,
    /// `msgget(2)`.
    Messages,
}

impl std::fmt::Display for SystemV {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SystemV::SharedMemory => "shared memory segments",
            SystemV::Semaphores => "semaphore sets",
            SystemV::Messages => "message queues",
        })
    }
}

impl SystemV {
    /// All three.
    pub const ALL: [SystemV; 3] = [SystemV::SharedMemory, SystemV::Semaphores, SystemV::Messages];
}

/// An existing System V object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemVObject {
    /// Its id.
    pub id: c_int,
    /// The key it was made with; 0 for a private one.
    pub key: i32,
}

#[cfg(target_os = "linux")]
use libc::{msgctl, msgget, semctl, semget};

#[cfg(not(target_os = "linux"))]
// Declared here because the libc crate lacks some of them on each of the other systems.
unsafe extern "C" {
    fn msgget(key: libc::key_t, flags: c_int) -> c_int;
    fn msgctl(id: c_int, command: c_int, buffer: *mut libc::c_void) -> c_int;
    fn semget(key: libc::key_t, count: c_int, flags: c_int) -> c_int;
    fn semctl(id: c_int, number: c_int, command: c_int, ...) -> c_int;
}

/// The id of the object with that key, if there is one.
///
/// # Errors
/// `ENOENT` where there is none; `ENOSYS` where the mechanism is missing.
pub fn system_v_find(kind: SystemV, key: i32) -> Result<c_int, Errno> {
    // SAFETY: the three calls take integers only. No flag asks for creation, and size or number 0 fits any existing object.
    Errno::result(unsafe {
        match kind {
            SystemV::SharedMemory => libc::shmget(key_type(key), 0, 0),
            SystemV::Semaphores => semget(key_type(key), 0, 0),
            SystemV::Messages => msgget(key_type(key), 0),
        }
    })
}

/// Keys have 32 bits on most systems, and a wider type on some.
fn key_type<T: From<i32>>(key: i32) -> T {
    T::from(key)
}

/// Makes a small private object, to see whether it is listed.
///
/// # Errors
/// The call's error number.
pub fn system_v_make(kind: SystemV) -> Result<c_int, Errno> {
    let flags = libc::IPC_CREAT | 0o600;
    // SAFETY: the three calls take integers only.
    Errno::result(unsafe {
        match kind {
            SystemV::SharedMemory => libc::shmget(libc::IPC_PRIVATE, 1, flags),
            SystemV::Semaphores => semget(libc::IPC_PRIVATE, 1, flags),
            SystemV::Messages => msgget(libc::IPC_PRIVATE, flags),
        }
    })
}

/// Removes the object with that id (`IPC_RMID`).
///
/// # Errors
/// `EINVAL` or `EIDRM` where there is none; `EPERM` where it is another user's.
pub fn system_v_remove(kind: SystemV, id: c_int) -> Result<(), Errno> {
    // SAFETY: `IPC_RMID` ignores the buffer, which may be null; an id that does not exist is an error code.
    Errno::result(unsafe {
        match kind {
            SystemV::SharedMemory => libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()),
            SystemV::Semaphores => semctl(id, 0, libc::IPC_RMID),
            SystemV::Messages => msgctl(id, libc::IPC_RMID, std::ptr::null_mut()),
        }
    })
    .map(drop)
}

/// All objects of that kind that can be seen, for a kernel that does not list them in `/proc/sysvipc`: the walk over the
/// kernel's table that `ipcs` used before there was such a file.
///
/// # Errors
/// `ENOSYS` where the mechanism is missing.
#[cfg(target_os = "linux")]
pub fn system_v_walk(kind: SystemV) -> Result<Vec<SystemVObject>, Errno> {
    let highest = table_call(kind, 0, true)?.0;
    Ok((0..=highest).filter_map(|index| table_call(kind, index, false).ok()).map(|(id, key)| SystemVObject { id, key }).collect())
}

/// `…_INFO` (the highest index in use) or `…_STAT` (the id at an index, and its key).
#[cfg(target_os = "linux")]
fn table_call(kind: SystemV, index: c_int, info: bool) -> Result<(c_int, i32), Errno> {
    // glibc marks commands that return times with this bit where `time_t` is wider than the kernel's.
    const TIME_BIT: c_int = libc::IPC_STAT & 0x100;
    const SHM_STAT: c_int = 0xd | TIME_BIT;
    const SHM_INFO: c_int = 0xe;
    // Every structure that these commands fill in starts with the key and has less than 256 bytes.
    let mut buffer = [0_u64; 64];
    let place = buffer.as_mut_ptr();
    // SAFETY: `buffer` is larger and at least as aligned as `shmid_ds`, `semid_ds`, `msqid_ds` and the `…info` structures of
    // every Linux C library, and is borrowed mutably for the call. `semctl` takes the address as its fourth argument.
    let result = Errno::result(unsafe {
        match kind {
            SystemV::SharedMemory => libc::shmctl(index, if info { SHM_INFO } else { SHM_STAT }, place.cast()),
            SystemV::Semaphores => semctl(index, 0, if info { libc::SEM_INFO } else { libc::SEM_STAT }, place),
            SystemV::Messages => msgctl(index, if info { libc::MSG_INFO } else { libc::MSG_STAT }, place.cast()),
        }
    })?;
    let mut key = [0; 4];
    key.copy_from_slice(&buffer[0].to_ne_bytes()[..4]);
    Ok((result, i32::from_ne_bytes(key)))
}
