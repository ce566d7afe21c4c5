//! Memory: mappings, shared memory objects, and memory whose end is known.

pub mod guarded;
pub mod mapping;
#[cfg(linux)]
pub mod memfd;
pub mod region;
pub mod shm;
pub mod vectors;

pub use mapping::page_size;
