//! System V IPC: shared memory, semaphore sets and message queues.

mod keys;
pub mod msg;
pub mod objects;
pub mod sem;
pub mod shm;

pub use keys::{IPC_CREAT, IPC_EXCL, IPC_NOWAIT, IPC_PRIVATE, ftok};
