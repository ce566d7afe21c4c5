//! System V semaphore sets.

mod removal;
mod undo;
