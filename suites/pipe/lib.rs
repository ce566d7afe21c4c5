//! Pipes (`pipe`, `pipe2`).

#[cfg(linux)]
mod allocation;
mod atomicity;
mod bad_pointer;
mod bad_pointer_later;
mod blocking;
mod broken_pipe;
mod capacity;
mod creation;
mod direction;
#[cfg(has_epoll)]
mod edge;
mod eof;
#[cfg(has_epoll)]
mod epoll;
mod identity;
mod inheritance;
mod interruption;
#[cfg(has_pipe_size)]
mod max_size;
#[cfg(has_pipe_size)]
mod max_size_setting;
#[cfg(linux)]
mod merging;
mod model;
mod nonblocking;
mod normal_data;
#[cfg(linux)]
mod notification;
mod numbers;
mod ownership;
#[cfg(has_splice)]
mod packet;
mod pollers;
#[cfg(has_pipe_size)]
mod quota;
#[cfg(has_pipe_size)]
mod quota_privilege;
mod readers;
mod readiness;
mod records;
#[cfg(linux)]
mod reopening;
#[cfg(has_pipe_size)]
mod resize;
mod sigpipe;
mod sigpipe_blocked;
mod status;
mod stopping;
mod storm;
mod stream;
mod sweep;
mod unread;
mod vectors;
mod waiters;
mod zero_length;
