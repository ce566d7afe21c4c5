//! POSIX semaphores, named (`sem_open`) and unnamed (`sem_init`).
//!
//! A semaphore is mostly the work of the C library, which counts a word up and down in user space. The kernel blocks and wakes processes
//! (a futex on Linux), decides which object a word in memory belongs to, and keeps the names in a file system. A failure about blocked
//! processes or about memory mapped twice points at the kernel, one about values and `errno` at the library.

#[cfg(has_sem_clockwait)]
mod clockwait;
mod creation;
mod fixture;
mod history;
mod interruption;
mod lifetime;
mod model;
mod names;
mod opening;
mod permission;
mod post;
#[cfg(linux)]
mod priority;
mod signal_handler;
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
mod waiting;
