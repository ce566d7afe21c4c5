//! POSIX shared memory objects (`shm_open`, `shm_unlink`): names, permissions, size and lifetime, and mappings of them.

mod attributes;
mod beyond_end;
mod contention;
#[cfg(linux)]
mod dev_shm;
mod faults;
#[cfg(linux)]
mod file_operations;
mod fixture;
#[cfg(linux)]
mod full;
mod inheritance;
mod lifetime;
#[cfg(linux)]
mod madvise;
mod mlock;
#[cfg(linux)]
mod mlock_limit;
mod mode;
mod model;
#[cfg(linux)]
mod mremap;
mod msync;
mod names;
mod opening;
mod permission;
mod placement;
mod private_mapping;
mod protection;
mod resizing;
mod shared_mapping;
mod size;
mod storm;
mod visibility;
