//! Moving bytes into, out of and between pipes without a copy in user space (`splice`, `tee`, `vmsplice`, `sendfile`).

#![cfg(linux)]

mod allocation;
mod blocking;
mod file;
mod model;
mod no_pipe;
mod pipes;
mod refusal;
mod sendfile;
mod sharing;
mod signal;
mod sweep;
mod tee;
mod vmsplice;
mod wakeup;
