//! Safe wrappers for the system calls that cases use: one call each, owned or borrowed types in, `Result<T, Errno>` out, no
//! policy and no retry, for what a call does is what is under test.

#[cfg(linux)]
pub mod async_io;
#[cfg(linux)]
pub mod capability;
pub mod descriptor;
#[cfg(has_epoll)]
pub mod epoll;
pub mod errno;
#[cfg(linux)]
pub mod fail_nth;
#[cfg(linux)]
pub mod fallocate;
pub mod file;
#[cfg(linux)]
pub mod flagged_io;
pub mod fork;
#[cfg(linux)]
pub mod futex;
pub mod identity;
#[cfg(linux)]
pub mod inode_flags;
#[cfg(has_inotify)]
pub mod inotify;
pub mod io;
pub mod leftovers;
pub mod library;
pub mod mapping;
#[cfg(linux)]
pub mod memfd;
pub mod memory;
#[cfg(has_message_queues)]
pub mod mqueue;
#[cfg(linux)]
pub mod names;
pub mod node;
pub(crate) mod point;
pub mod poll;
pub mod procfs;
pub mod pthread;
pub mod pthread_attributes;
pub mod pthread_condition;
#[cfg(has_barriers)]
pub mod pthread_meeting;
#[cfg(linux)]
pub mod pthread_priority;
mod pthread_room;
pub mod pthread_rwlock;
pub mod pthread_time;
pub mod region;
#[cfg(linux)]
pub mod robust_list;
#[cfg(linux)]
pub mod scheduling;
pub mod semaphore;
pub mod shm;
pub mod signal;
pub mod socket;
#[cfg(has_splice)]
pub mod splice;
pub mod symbol;
#[cfg(linux)]
pub mod syscall_info;
pub mod sysv;
pub mod sysv_msg;
pub mod sysv_sem;
pub mod sysv_shm;
#[cfg(linux)]
pub mod tmpfs;
pub mod vectors;
pub mod waiting;

pub use errno::Errno;

/// The kernel's id of the calling thread; the process id where the system shows no other.
pub fn thread_id() -> i32 {
    #[cfg(linux)]
    return nix::unistd::gettid().as_raw();
    #[cfg(not(linux))]
    nix::unistd::getpid().as_raw()
}

/// A system call without any effect: a sweep finds points here, in a stretch of code that makes no call of its own.
pub fn mark() {
    point::around(nix::unistd::getppid);
}
