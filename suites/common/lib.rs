//! Fixtures that several suites share. This crate contains no cases.

pub mod ends;
#[cfg(linux)]
pub mod memory_file;
pub mod pipe;
pub mod sysv;
#[cfg(has_splice)]
pub mod transfer;
