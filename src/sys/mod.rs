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
//!
//! # Soundness
//!
//! A safe function here, and in [`crate::process`], is sound however it is called; what only a caller can see to makes it an
//! `unsafe fn`. What this rests on:
//! - Memory that others can change is read and written as atomics, or byte by byte and volatile where no reference is ever given
//!   out. A reference into a mapping borrows it, and is one to an atomic.
//! - What the kernel or a handler goes on using is not given up before: a handler forgets a mapping or a semaphore that is dropped, a
//!   robust list is never unmapped, nor is a mutex that this process holds.
//! - A part of a region that was unmapped is somebody else's as soon as anything is mapped there, and no call touches it then.
//! - An id may have come to mean another object: what depends on its size asks for it first.
//! - No number becomes an address, but those that the kernel checks.
//!
//! An access that the kernel refuses raises a signal. That is no way to another's memory, and what many cases are about.
//!
//! What no type can rule out, and no case does:
//! - An object that holds a `pthread` lock can be written to past the lock, through another mapping, its descriptor or its file, as any
//!   memory can through `/proc/self/mem`. C libraries follow the pointers in a mutex.
//! - A descriptor is a number, and a participant closes those that it was not given, also where its body has captured an owner of one. Such an
//!   owner has a number of nothing, or of something else. Nothing here rests the safety of memory on what a descriptor refers to.
//! - Where the system does not show threads, a process is taken to have one.
//!
//! How that was checked: by reading every safe function against the manual pages and the sources of the kernel, glibc and musl; by unit
//! tests of each invariant that can be tested without a kernel's help, under Miri (`ci/miri`: byte and word accesses, holes, rooms for
//! locks, control messages, message buffers, the table of entries, taking over descriptors); by the same and those of mutexes, regions
//! and handlers under valgrind; and by a run of all suites under `AddressSanitizer`, which reported nothing (it takes `mlock` away, so that
//! seven cases about locked memory fail there). Miri has no shared mappings, signal handlers, forks, futexes or IPC objects: what is said
//! about those rests on reading, on valgrind and on `AddressSanitizer`.

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
