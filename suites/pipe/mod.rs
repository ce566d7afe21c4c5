//! Pipes (`pipe`, `pipe2`).

#[cfg(linux)]
mod allocation;
#[cfg(has_splice)]
mod allocation_transfer;
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
pub mod ends;
mod eof;
#[cfg(has_epoll)]
mod epoll;
mod identity;
mod inheritance;
mod interruption;
pub mod kind;
#[cfg(has_pipe_size)]
mod max_size;
#[cfg(has_pipe_size)]
mod max_size_setting;
#[cfg(linux)]
mod merging;
mod model;
#[cfg(has_splice)]
mod no_pipe;
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
#[cfg(has_splice)]
mod sendfile;
#[cfg(has_splice)]
mod sharing;
mod sigpipe;
mod sigpipe_blocked;
#[cfg(has_splice)]
mod splice;
#[cfg(has_splice)]
mod splice_blocking;
#[cfg(has_splice)]
mod splice_file;
#[cfg(has_splice)]
mod splice_model;
#[cfg(has_splice)]
mod splice_refusal;
#[cfg(has_splice)]
mod splice_signal;
#[cfg(has_splice)]
mod splice_sweep;
#[cfg(has_splice)]
mod splice_wakeup;
mod status;
mod stopping;
mod storm;
mod stream;
mod sweep;
#[cfg(has_splice)]
mod tee;
#[cfg(has_splice)]
mod transfer;
mod unread;
mod vectors;
#[cfg(has_splice)]
mod vmsplice;
mod waiters;
mod zero_length;
