//! System V shared memory: `shmget`, `shmat`, `shmdt`, `shmctl`.

use std::ffi::c_int;
use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU8;

use super::keys::{IPC_CREAT, IPC_EXCL};
use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// Flag of `shm_perm.mode`: the segment goes with its last attachment.
#[cfg(linux)]
pub const SHM_DEST: u32 = 0o1000;

/// The id of the segment with that key (`shmget`), made if the flags say so; nobody owns the answer.
///
/// # Errors
/// What the system answers.
pub fn shmget(key: i32, size: usize, flags: c_int) -> Result<c_int, Errno> {
    #[allow(clippy::useless_conversion, reason = "a key is wider on some systems")]
    let key = key.into();
    // SAFETY: takes integers only.
    Errno::result(around(|| unsafe { libc::shmget(key, size, flags) }))
}

/// A segment, removed when it is dropped by the process that made it. Copies in forked children leave it alone.
#[derive(Debug)]
pub struct Segment {
    id: c_int,
    size: usize,
    owner: u32,
}

/// What `IPC_STAT` tells of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentStatus {
    /// `shm_segsz`.
    pub size: usize,
    /// `shm_nattch`.
    pub attached: u64,
    /// `shm_cpid`.
    pub creator: i32,
    /// `shm_lpid`.
    pub last: i32,
    /// `shm_perm.mode`, with what a system adds to the permission bits.
    pub mode: u32,
}

impl Segment {
    /// Makes a segment that did not exist, for its owner only.
    ///
    /// # Errors
    /// What `shmget` answers.
    pub fn create(key: i32, size: usize) -> Result<Self, Errno> {
        let id = shmget(key, size, IPC_CREAT | IPC_EXCL | 0o600)?;
        Ok(Segment { id, size, owner: std::process::id() })
    }

    /// Its id.
    pub fn id(&self) -> c_int {
        self.id
    }

    /// `shmat` where the system chooses.
    ///
    /// # Errors
    /// What the system answers.
    pub fn attach(&self, flags: c_int) -> Result<Attachment, Errno> {
        // SAFETY: at an address that the system chooses, the attachment covers no memory in use.
        let address = around(|| unsafe { libc::shmat(self.id, ptr::null(), flags) });
        if address.addr() == usize::MAX {
            return Err(Errno::last());
        }
        let address = NonNull::new(address.cast()).ok_or(errno::EFAULT)?;
        let mut attachment = Attachment { address, size: 0, owner: std::process::id() };
        // Of what is attached: the id may be another, smaller segment's by now.
        attachment.size = self.status()?.size.min(self.size);
        Ok(attachment)
    }

    /// `shmctl(IPC_STAT)`.
    ///
    /// # Errors
    /// What the system answers.
    #[allow(
        clippy::unnecessary_cast,
        clippy::useless_conversion,
        clippy::cast_sign_loss,
        clippy::cast_lossless,
        reason = "the types of these members differ between systems"
    )]
    pub fn status(&self) -> Result<SegmentStatus, Errno> {
        // SAFETY: all zeros is a valid `shmid_ds`, which is plain integers; the kernel fills it in.
        let status = unsafe {
            let mut status: libc::shmid_ds = mem::zeroed();
            Errno::result(around(|| libc::shmctl(self.id, libc::IPC_STAT, &raw mut status)))?;
            status
        };
        Ok(SegmentStatus {
            size: status.shm_segsz as usize,
            attached: status.shm_nattch as u64,
            creator: status.shm_cpid,
            last: status.shm_lpid,
            mode: u32::from(status.shm_perm.mode),
        })
    }

    /// `shmctl(IPC_RMID)`.
    ///
    /// # Errors
    /// What the system answers.
    pub fn remove(&self) -> Result<(), Errno> {
        // SAFETY: `IPC_RMID` ignores the buffer, which may be null.
        Errno::result(around(|| unsafe { libc::shmctl(self.id, libc::IPC_RMID, ptr::null_mut()) })).map(drop)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // Removed already, mostly; ids are not used again soon enough to hit another's object.
            let _ = self.remove();
        }
    }
}

/// A segment in the memory of this process. A forked child has it too.
#[derive(Debug)]
pub struct Attachment {
    address: NonNull<AtomicU8>,
    size: usize,
    owner: u32,
}

impl Attachment {
    /// The bytes, which others may change at any time.
    pub fn bytes(&self) -> &[AtomicU8] {
        // SAFETY: `shmat` mapped the segment, which is not smaller than that, and it stays for as long as `self` lives. Atomics
        // may be shared with other processes.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.size) }
    }

    /// `shmdt`, whose result a drop would swallow.
    ///
    /// # Errors
    /// What the system answers.
    pub fn detach(self) -> Result<(), Errno> {
        let this = ManuallyDrop::new(self);
        // SAFETY: the address is that of an attachment, and nothing borrows from it any more.
        Errno::result(around(|| unsafe { libc::shmdt(this.address.as_ptr().cast()) })).map(drop)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            // SAFETY: as in `detach`.
            let _ = unsafe { libc::shmdt(self.address.as_ptr().cast()) };
        }
    }
}
