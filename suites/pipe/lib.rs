//! Pipes (`pipe`, `pipe2`).

#[cfg(linux)]
mod allocation_failure;
mod atomicity;
mod attributes;
mod bad_pointer;
mod bad_pointer_after_use;
mod blocking;
mod broken_pipe;
mod capacity;
mod creation;
mod descriptor_numbers;
mod direction;
mod eof;
#[cfg(has_epoll)]
mod epoll;
#[cfg(has_epoll)]
mod epoll_edge;
mod fionread;
mod flags;
mod inheritance;
mod interruption;
#[cfg(has_pipe_size)]
mod max_size;
#[cfg(has_pipe_size)]
mod max_size_sysctl;
mod model;
mod nonblocking;
#[cfg(linux)]
mod o_async;
mod ownership;
#[cfg(has_splice)]
mod packet_mode;
#[cfg(linux)]
mod page_merging;
mod poll_normal_data;
mod poll_wakeup;
mod readers;
mod readiness;
mod readv_writev;
mod record_fixture;
#[cfg(linux)]
mod reopening;
#[cfg(has_pipe_size)]
mod resize;
mod sigpipe;
mod sigpipe_while_blocked;
mod stopping;
mod storm;
mod stream;
mod sweep;
#[cfg(has_pipe_size)]
mod user_page_limit;
#[cfg(has_pipe_size)]
mod user_page_limit_privilege;
mod waiters;
mod zero_length;
