//! Fixtures that several suites share. This crate contains no cases.

#![expect(clippy::missing_errors_doc, reason = "each fails as the system calls that it makes")]

pub mod ends;
#[cfg(linux)]
pub mod memory_file;
pub mod pipe;
pub mod sysv;
#[cfg(has_splice)]
pub mod transfer;
