//! POSIX semaphores, named (`sem_open`) and unnamed (`sem_init`).
//!
//! A semaphore is mostly the C library's: a word that is counted up and down in user space. The kernel's part is sleeping and waking
//! (a futex on Linux), which object a word in memory belongs to, and the names in a file system. A failure where somebody sleeps or is
//! woken, or where memory is mapped apart, points at the kernel; one in values and error numbers at the library.

#[cfg(has_sem_clockwait)]
mod clock;
mod creation;
mod fixture;
mod handler;
mod history;
mod interruption;
mod model;
mod name;
mod named;
mod opening;
mod permission;
mod post;
#[cfg(linux)]
mod priority;
mod stopping;
mod storm;
mod sweep;
#[cfg_attr(has_timed_semaphores, path = "timed.rs")]
#[cfg_attr(not(has_timed_semaphores), path = "without_timed.rs")]
mod timed;
#[cfg_attr(has_unnamed_semaphores, path = "unnamed.rs")]
#[cfg_attr(not(has_unnamed_semaphores), path = "without_unnamed.rs")]
mod unnamed;
mod uses;
mod value;
mod waiters;
mod waiting;
