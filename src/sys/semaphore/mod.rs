//! POSIX semaphores, named and unnamed.

mod handle;
mod handler;
mod operation;
mod posting;

pub use handle::{ROOM, Semaphore, largest_value, sem_unlink};
pub use handler::PostOnSignal;
