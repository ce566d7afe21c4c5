//! The file system in memory (`tmpfs`) that holds shared memory objects on Linux: names, directories, limits and mount options.

#![cfg(linux)]

mod directories;
mod full;
mod full_directory;
mod inode_flags;
mod inodes;
mod mounts;
mod names;
mod space;
