//! The file system in memory (`tmpfs`) in which Linux keeps shared memory objects: `open` flags, links and renames, directories, inode flags,
//! free pages and inodes, and mount options.

#![cfg(linux)]

mod directories;
mod full;
mod inode_flags;
mod inodes;
mod links_and_renames;
mod mount_options;
mod opening;
mod space;
