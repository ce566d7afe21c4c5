//! POSIX shared memory objects (`shm_open`, `shm_unlink`).

#[cfg(linux)]
mod accounting;
#[cfg(linux)]
mod advice;
#[cfg(linux)]
mod allocation;
mod attributes;
#[cfg(linux)]
mod bad_pointer;
mod beyond_end;
#[cfg(linux)]
mod bytes;
mod contention;
#[cfg(linux)]
mod directories;
#[cfg(linux)]
mod directory;
mod faults;
#[cfg(linux)]
mod file_calls;
#[cfg(linux)]
mod file_model;
#[cfg(linux)]
mod full;
#[cfg(linux)]
mod full_directory;
#[cfg(linux)]
mod holes;
mod inheritance;
#[cfg(linux)]
mod inodes;
mod lifetime;
#[cfg(linux)]
mod limits;
#[cfg(linux)]
mod locking;
#[cfg(linux)]
mod marks;
#[cfg(linux)]
mod memfd;
#[cfg(linux)]
mod memory_file;
mod mode;
mod model;
#[cfg(linux)]
mod mounts;
mod names;
mod object;
#[cfg(linux)]
mod objects;
mod opening;
mod permission;
mod placement;
mod private_mapping;
mod protection;
#[cfg(linux)]
mod remapping;
mod resizing;
#[cfg(linux)]
mod seals;
#[cfg(linux)]
mod seals_added;
#[cfg(linux)]
mod seals_mapping;
#[cfg(linux)]
mod seeking;
mod shared_mapping;
mod size;
#[cfg(linux)]
mod space;
mod storm;
mod sync;
mod visibility;
