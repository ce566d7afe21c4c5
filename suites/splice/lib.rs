//! Calls that move or copy bytes into, out of and between pipes without passing them through a process: `splice`, `tee`,
//! `vmsplice` and `sendfile`.
//!
//! What `read` and `write` do on a pipe is in the suite `pipe`.

#![cfg(linux)]

mod allocation_failure;
mod blocking;
mod files_and_devices;
mod invalid_arguments;
mod model;
mod non_pipe_descriptors;
mod page_sharing;
mod pipe_to_pipe;
mod sendfile;
mod signals;
mod sweep;
mod tee;
mod vmsplice;
mod wakeups;
