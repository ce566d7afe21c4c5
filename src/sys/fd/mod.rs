//! Calls on descriptors.

#[cfg(linux)]
pub mod async_io;
pub mod bytes;
pub mod descriptor;
#[cfg(has_epoll)]
pub mod epoll;
#[cfg(linux)]
pub mod flagged_io;
pub mod io;
pub mod lock;
pub mod pipe;
pub mod poll;
pub mod select;
pub mod size;
#[cfg(has_splice)]
pub mod splice;
