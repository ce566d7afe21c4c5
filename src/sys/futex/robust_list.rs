//! Lists of robust futexes: what `set_robust_list(2)` registers, laid out by hand instead of by the C library.
//!
//! The kernel walks the list when the thread that registered it ends. It checks every address, but changes whatever word it is
//! led to if that holds the thread's id; so all that a list can be made to point to is inside its own memory, or nowhere.

use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use crate::sys::memory::mapping::Mapping;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// Bytes from one entry to the next.
const STRIDE: usize = 64;
/// Where in its stride an entry is.
const ENTRY: isize = 24;
/// From an entry to its word, where nothing else was asked for.
const USUAL_OFFSET: isize = 8;
/// Where in the memory the first stride is; the head stands before it.
const FIRST: usize = 128;

/// Size of the head, which is what the kernel wants to be told.
pub const HEAD_SIZE: usize = 3 * size_of::<usize>();

/// What a pointer of a list points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The entry with that index.
    Entry(usize),
    /// The entry with that index, marked as a priority-inheritance lock.
    PriorityEntry(usize),
    /// The head: the end of the list.
    Head,
    /// A page that is never mapped.
    Nowhere,
    /// Null.
    Null,
}

/// Memory for a list and its words, shared with all participants that are forked later. It is never unmapped, for the kernel looks
/// at it when a thread ends that has registered it.
#[derive(Debug)]
pub struct RobustList {
    memory: &'static Mapping,
    entries: usize,
    offset: isize,
}

// SAFETY: the memory is reached as atomics only.
unsafe impl Sync for RobustList {}

impl RobustList {
    /// An empty list with room for so many entries.
    ///
    /// # Errors
    /// What `mmap` answers.
    pub fn new(entries: usize) -> Result<Self, Errno> {
        Self::with_offset(entries, USUAL_OFFSET)
    }

    /// As [`RobustList::new`], with the words so many bytes from their entries.
    ///
    /// # Errors
    /// What `mmap` answers; `EINVAL` for a distance that leads out of the room that each entry has.
    pub fn with_offset(entries: usize, offset: isize) -> Result<Self, Errno> {
        if !(-ENTRY..=36).contains(&offset) || (-3..8).contains(&offset) {
            return Err(errno::EINVAL);
        }
        let length = entries.checked_mul(STRIDE).and_then(|length| length.checked_add(FIRST)).ok_or(errno::ENOMEM)?;
        let memory = Mapping::anonymous(length)?;
        let list = RobustList { memory: Box::leak(Box::new(memory)), entries, offset };
        list.pointer(0).store(list.address(Link::Head), Ordering::SeqCst);
        list.pointer(1).store(offset.cast_unsigned(), Ordering::SeqCst);
        Ok(list)
    }

    /// The word of an entry.
    ///
    /// # Panics
    /// There is no such entry, or the words are not aligned.
    pub fn word(&self, entry: usize) -> &'static AtomicU32 {
        assert!(entry < self.entries && self.offset % 4 == 0, "no word for entry {entry} at {} bytes", self.offset);
        let start = FIRST + entry * STRIDE;
        self.memory.word((start.cast_signed() + ENTRY + self.offset).cast_unsigned() / 4)
    }

    /// Chains what follows the head: each leads to the next, and the last to `end`.
    pub fn chain(&self, entries: &[Link], end: Link) {
        let mut from = 0;
        for &link in entries.iter().chain([&end]) {
            self.pointer(from).store(self.address(link), Ordering::SeqCst);
            if let Link::Entry(index) | Link::PriorityEntry(index) = link {
                from = (FIRST + index * STRIDE + ENTRY.cast_unsigned()) / size_of::<usize>();
            }
        }
    }

    /// Sets what is being locked or unlocked at this moment (`list_op_pending`).
    pub fn pend(&self, on: Link) {
        self.pointer(2).store(self.address(on), Ordering::SeqCst);
    }

    /// `set_robust_list` of this list, for the calling thread.
    ///
    /// # Errors
    /// What the system answers.
    pub fn register(&self) -> Result<(), Errno> {
        self.register_as(HEAD_SIZE)
    }

    /// `set_robust_list` of this list, with another size of the head.
    ///
    /// # Errors
    /// What the system answers.
    pub fn register_as(&self, size: usize) -> Result<(), Errno> {
        // SAFETY: the memory is never unmapped in this process, and leads only to words inside itself (see the module).
        Errno::result(around(|| unsafe { libc::syscall(libc::SYS_set_robust_list, self.address(Link::Head), size) })).map(drop)
    }

    /// Where the head is: what `get_robust_list` says of a thread that has registered this list.
    pub fn head(&self) -> usize {
        self.address(Link::Head)
    }

    fn address(&self, link: Link) -> usize {
        let start = self.memory.address::<u8>(0).expose_provenance();
        let entry = |index: usize| {
            assert!(index < self.entries, "no entry {index}");
            start + FIRST + index * STRIDE + ENTRY.cast_unsigned()
        };
        match link {
            Link::Entry(index) => entry(index),
            Link::PriorityEntry(index) => entry(index) | 1,
            Link::Head => start,
            Link::Nowhere => 64,
            Link::Null => 0,
        }
    }

    /// The pointer with that index, which is one of the head or an entry's.
    fn pointer(&self, index: usize) -> &AtomicUsize {
        let address = self.memory.address::<AtomicUsize>(index * size_of::<usize>());
        // SAFETY: `address` has checked that it is inside the mapping, which is never unmapped; it is aligned as a multiple of its
        // size from the beginning of a page, and only ever reached as an atomic.
        unsafe { &*address }
    }
}

/// Registers a head at an address where nothing is mapped, for the calling thread: the call does not look.
///
/// # Errors
/// What the system answers.
pub fn register_nowhere() -> Result<(), Errno> {
    // SAFETY: the kernel checks the address when the thread ends, and gives up.
    Errno::result(around(|| unsafe { libc::syscall(libc::SYS_set_robust_list, 64_usize, HEAD_SIZE) })).map(drop)
}

/// `get_robust_list` of a thread, 0 for the calling one: where its list's head is, and how large.
///
/// # Errors
/// What the system answers.
pub fn registered(thread: i32) -> Result<(usize, usize), Errno> {
    let (mut head, mut size) = (0_usize, 0_usize);
    // SAFETY: both are written by the call, and live here.
    Errno::result(around(|| unsafe { libc::syscall(libc::SYS_get_robust_list, thread, &raw mut head, &raw mut size) }))?;
    Ok((head, size))
}

/// Which part of an answer there is no place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// The address of the head.
    Head,
    /// Its size.
    Size,
}

/// `get_robust_list` of the calling thread, told to put a part of its answer where it cannot.
///
/// # Errors
/// What the system answers.
pub fn registered_nowhere(part: Misplaced) -> Result<(), Errno> {
    let (mut head, mut size) = (0_usize, 0_usize);
    let nowhere: *mut usize = ptr::null_mut();
    let (head_at, size_at) = match part {
        Misplaced::Head => (nowhere, &raw mut size),
        Misplaced::Size => (&raw mut head, nowhere),
    };
    // SAFETY: the kernel checks the addresses; what is written by the call lives here.
    Errno::result(around(|| unsafe { libc::syscall(libc::SYS_get_robust_list, 0, head_at, size_at) })).map(drop)
}
