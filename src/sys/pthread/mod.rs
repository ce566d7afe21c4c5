//! Process-shared `pthread` objects, each in a mapping of its own.

pub mod attributes;
#[cfg(has_barriers)]
pub mod barrier;
pub mod condition;
pub mod mutex;
mod room;
pub mod rwlock;
#[cfg(has_barriers)]
pub mod spin_lock;

pub use attributes::MutexAttributes;
pub use mutex::SharedMutex;
