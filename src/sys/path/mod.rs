//! Calls on names in a file system, and on what an inode carries besides its data.

pub mod attributes;
#[cfg(linux)]
pub mod inode_flags;
#[cfg(has_inotify)]
pub mod inotify;
pub mod names;
pub mod node;
pub mod open;
pub mod status;
#[cfg(linux)]
pub mod tmpfs;
#[cfg(linux)]
pub mod xattr;
