//! Safe wrappers for the system calls that cases use: one call each, owned or borrowed types in, `Result<T, Errno>` out, no
//! policy and no retry, for what a call does is what is under test.
//!
//! # Map
//!
//! | room | what it wraps |
//! | --- | --- |
//! | [`fd`] | calls on descriptors: reading and writing, pipes, readiness, size, locks |
//! | [`path`] | calls on names, and on what an inode carries besides its data |
//! | [`memory`] | mappings, POSIX shared memory, memory files, memory whose end is known |
//! | [`futex`] | futexes and robust lists, below every C library |
//! | [`pthread`] | process-shared mutexes, condition variables, read-write locks, barriers, spin locks |
//! | [`semaphore`], [`mqueue`] | POSIX semaphores and message queues |
//! | [`sysv`] | System V shared memory, semaphore sets and message queues |
//! | [`socket`], [`signal`] | Unix-domain sockets, signals |
//! | [`process`] | forking, waiting, users, scheduling: the harness's own tools, mostly |
//! | [`time`](mod@time), [`errno`] | instants and clocks; error numbers by name |
//! | [`library`], [`symbol`] | the C library that this executable runs with |
//!
//! # Points of a sweep
//!
//! Where a system has no system-call tracing, a sweep kills its victim before and after the calls that it makes through this module
//! (see `point`). Every wrapper is such a point but for these:
//! - the harness's own tools, by which it starts, watches and clears away: [`process`] but for users and scheduling, and
//!   [`sysv::objects`];
//! - what asks the C library about itself or for a constant: [`library`], [`symbol`], `sysconf`, [`fd::descriptor::open_descriptors`];
//! - what an owner does when it is dropped: a victim that is killed there leaves what one leaves that is killed before.

pub mod errno;
pub mod fd;
#[cfg(linux)]
pub mod futex;
pub mod library;
pub mod memory;
pub mod mqueue;
pub mod path;
pub(crate) mod point;
pub mod process;
pub mod pthread;
pub mod semaphore;
pub mod signal;
pub mod socket;
pub mod symbol;
pub mod sysv;
pub mod time;

pub use errno::Errno;
pub use point::mark;
pub use process::identity::thread_id;
