//! Processes: forking them and waiting for them, who they are, how they are scheduled. Most of it is the harness's own tool.

#[cfg(linux)]
pub mod capability;
#[cfg(linux)]
pub mod fail_nth;
pub mod fork;
pub mod identity;
pub mod procfs;
#[cfg(linux)]
pub mod scheduling;
#[cfg(linux)]
pub mod syscall_info;
pub mod threads;
pub mod wait;
