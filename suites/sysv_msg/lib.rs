//! System V message queues.

mod removal;
mod selection;
