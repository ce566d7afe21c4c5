//! System V message queues: `msgget`, `msgsnd`, `msgrcv`, `msgctl`.

use std::ffi::{c_int, c_long};
use std::{mem, ptr};

use serde::{Deserialize, Serialize};

use super::keys::{IPC_CREAT, IPC_EXCL};
use crate::sys::Errno;
use crate::sys::point::around;

#[cfg(linux)]
use libc::{msgctl, msgget, msgrcv, msgsnd, msqid_ds as Status};

/// Flag of `msgrcv`: cut off what does not fit.
pub const MSG_NOERROR: c_int = 0o10000;

// The libc crate has none of this for macOS, and not all of it for the BSDs.
#[cfg(not(linux))]
mod other {
    use std::ffi::{c_int, c_long, c_void};

    unsafe extern "C" {
        pub fn msgget(key: libc::key_t, flags: c_int) -> c_int;
        pub fn msgsnd(id: c_int, message: *const c_void, size: usize, flags: c_int) -> c_int;
        pub fn msgrcv(id: c_int, message: *mut c_void, size: usize, wanted: c_long, flags: c_int) -> isize;
        pub fn msgctl(id: c_int, command: c_int, status: *mut c_void) -> c_int;
    }
}
#[cfg(not(linux))]
use other::{msgctl, msgget, msgrcv, msgsnd};

/// `struct msqid_ds`: the header packs it to four bytes.
#[cfg(apple)]
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
pub struct Status {
    msg_perm: libc::ipc_perm,
    first: i32,
    last: i32,
    bytes: libc::c_ulong,
    msg_qnum: libc::c_ulong,
    msg_qbytes: libc::c_ulong,
    msg_lspid: libc::pid_t,
    msg_lrpid: libc::pid_t,
    times: [Time; 3],
    reserved: [i32; 4],
}

/// A time of `struct msqid_ds`, and the room that is left behind it.
#[cfg(apple)]
#[repr(C, packed(4))]
#[derive(Clone, Copy)]
struct Time {
    seconds: libc::time_t,
    padding: i32,
}

#[cfg(not(any(linux, apple)))]
use libc::msqid_ds as Status;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `mtype`.
    pub kind: i64,
    /// `mtext`.
    pub bytes: Vec<u8>,
}

impl Message {
    /// A message of that type.
    pub fn new(kind: i64, bytes: impl Into<Vec<u8>>) -> Self {
        Message { kind, bytes: bytes.into() }
    }
}

/// What `IPC_STAT` tells of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueStatus {
    /// `msg_qnum`.
    pub messages: usize,
    /// `msg_qbytes`.
    pub capacity: usize,
    /// `msg_lspid`.
    pub last_sender: i32,
    /// `msg_lrpid`.
    pub last_receiver: i32,
}

/// The id of the queue with that key (`msgget`), made if the flags say so; nobody owns the answer.
///
/// # Errors
/// What the system answers.
pub fn find_queue(key: i32, flags: c_int) -> Result<c_int, Errno> {
    #[allow(clippy::useless_conversion, reason = "a key is wider on some systems")]
    let key = key.into();
    // SAFETY: takes integers only.
    Errno::result(around(|| unsafe { msgget(key, flags) }))
}

/// A queue, removed when it is dropped by the process that made it. Copies in forked children leave it alone.
#[derive(Debug)]
pub struct MessageQueue {
    id: c_int,
    owner: u32,
}

impl MessageQueue {
    /// Makes a queue that did not exist, for its owner only.
    ///
    /// # Errors
    /// What `msgget` answers.
    pub fn create(key: i32) -> Result<Self, Errno> {
        let id = find_queue(key, IPC_CREAT | IPC_EXCL | 0o600)?;
        Ok(MessageQueue { id, owner: std::process::id() })
    }

    /// Its id.
    pub fn id(&self) -> c_int {
        self.id
    }

    /// `msgsnd`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn send(&self, kind: i64, bytes: &[u8], flags: c_int) -> Result<(), Errno> {
        let mut buffer = Buffer::new(bytes.len());
        buffer.0[0] = c_long::try_from(kind).map_err(|_| crate::sys::errno::EINVAL)?;
        buffer.text(bytes.len()).copy_from_slice(bytes);
        // SAFETY: the buffer is a type field followed by at least `bytes.len()` bytes, and is only read.
        Errno::result(around(|| unsafe { msgsnd(self.id, buffer.0.as_ptr().cast(), bytes.len(), flags) })).map(drop)
    }

    /// `msgrcv` into `room` bytes.
    ///
    /// # Errors
    /// What the system answers.
    pub fn receive(&self, wanted: i64, room: usize, flags: c_int) -> Result<Message, Errno> {
        let mut buffer = Buffer::new(room);
        let wanted = c_long::try_from(wanted).map_err(|_| crate::sys::errno::EINVAL)?;
        // SAFETY: the buffer is a type field followed by at least `room` bytes, and borrowed mutably for the call.
        let count = around(|| unsafe { msgrcv(self.id, buffer.0.as_mut_ptr().cast(), room, wanted, flags) });
        let count = usize::try_from(Errno::result(count)?).unwrap_or(0);
        #[allow(clippy::useless_conversion, reason = "a message's type has 32 bits on some systems")]
        Ok(Message::new(buffer.0[0].into(), buffer.text(count)))
    }

    /// `msgctl(IPC_STAT)`.
    ///
    /// # Errors
    /// What the system answers.
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_possible_truncation,
        reason = "the types of these members differ between systems"
    )]
    pub fn status(&self) -> Result<QueueStatus, Errno> {
        // SAFETY: all zeros is a valid structure, which is plain integers; the kernel fills it in.
        let status = unsafe {
            let mut status: Status = mem::zeroed();
            Errno::result(around(|| msgctl(self.id, libc::IPC_STAT, (&raw mut status).cast())))?;
            status
        };
        Ok(QueueStatus {
            messages: status.msg_qnum as usize,
            capacity: status.msg_qbytes as usize,
            last_sender: status.msg_lspid,
            last_receiver: status.msg_lrpid,
        })
    }

    /// `msgctl(IPC_RMID)`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn remove(&self) -> Result<(), Errno> {
        // SAFETY: `IPC_RMID` ignores the buffer, which may be null.
        Errno::result(around(|| unsafe { msgctl(self.id, libc::IPC_RMID, ptr::null_mut()) })).map(drop)
    }
}

impl Drop for MessageQueue {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // Removed already, mostly; ids are not used again soon enough to hit another's object.
            let _ = self.remove();
        }
    }
}

/// `struct msgbuf`: the type, and the text in the words that follow.
struct Buffer(Vec<c_long>);

impl Buffer {
    fn new(size: usize) -> Self {
        Buffer(vec![0; 1 + size.div_ceil(mem::size_of::<c_long>())])
    }

    fn text(&mut self, size: usize) -> &mut [u8] {
        let words = &mut self.0[1..];
        let size = size.min(mem::size_of_val(words));
        // SAFETY: as many bytes lie in the words, borrowed mutably; every bit pattern is valid for both.
        unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size) }
    }
}
