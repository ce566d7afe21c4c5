//! System V shared memory.

mod attachments;
mod removal;
