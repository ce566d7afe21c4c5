//! FIFOs: pipes with a name (`mkfifo`, `mknod`).
//!
//! The suite is about what the name adds to a pipe: creation, permission, `open` that blocks until the opposite end is open,
//! reconnection, and lifetime. What a FIFO shares with a pipe once both ends are open is in the suite `pipe`, which runs its cases
//! over both.

#[cfg(linux)]
mod allocation_failure;
mod attributes;
mod blocked_open;
mod broken_pipe;
#[cfg(has_pipe_size)]
mod capacity;
mod client_server;
mod creation;
mod creation_mode;
mod data_exchange;
mod deletion;
mod eof;
#[cfg(has_epoll)]
mod epoll;
mod fixture;
#[cfg(has_inotify)]
mod inotify;
mod interruption;
mod links;
mod locks;
mod model;
#[cfg(linux)]
mod o_path;
mod open_flags;
mod opening;
mod permission;
mod persistence;
#[cfg(linux)]
mod read_only_mount;
mod read_write;
mod readiness;
#[cfg(linux)]
mod regressions;
#[cfg(has_mkfifoat)]
mod relative_paths;
#[cfg(linux)]
mod reopening;
mod storm;
mod sweep;
mod timestamps;
