//! FIFOs: pipes with a name (`mkfifo`, `mknod`).
//!
//! What a FIFO shares with a pipe once both sides are open is in the suite `pipe`, which runs over both. Here is what comes from
//! the name: making it, who may open it, who waits for whom, and what outlives whom.

#[cfg(linux)]
mod allocation;
#[cfg(has_mkfifoat)]
mod at;
mod attributes;
mod both_ways;
mod broken;
mod creation;
mod deletion;
mod eof;
#[cfg(has_epoll)]
mod epoll;
mod fixture;
mod flags;
#[cfg(linux)]
mod history;
#[cfg(has_inotify)]
mod inotify;
mod links;
mod locks;
mod meeting;
mod mode;
mod model;
mod opening;
#[cfg(linux)]
mod path_only;
mod permission;
mod persistence;
#[cfg(linux)]
mod read_only;
mod readiness;
#[cfg(linux)]
mod reopening;
mod server;
#[cfg(has_pipe_size)]
mod size;
mod sleeper;
mod storm;
mod sweep;
mod times;
mod waiting;
