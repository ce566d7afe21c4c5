//! POSIX shared memory objects (`shm_open`, `shm_unlink`).

#[cfg(linux)]
mod advice;
mod attributes;
mod beyond_end;
mod contention;
#[cfg(linux)]
mod directory;
mod faults;
#[cfg(linux)]
mod file_calls;
mod fixture;
mod inheritance;
mod lifetime;
#[cfg(linux)]
mod locking;
mod mode;
mod model;
mod names;
mod opening;
mod permission;
mod placement;
mod private_mapping;
mod protection;
#[cfg(linux)]
mod remapping;
mod resizing;
mod shared_mapping;
mod size;
mod storm;
mod sync;
mod visibility;
