//! Fixtures that several suites share. This crate contains no cases. A fixture fails with the errno of the call that has failed.

#![expect(clippy::missing_errors_doc, reason = "the errors are those of the calls that a fixture makes")]

pub mod ends;
#[cfg(linux)]
pub mod memory_file;
pub mod pipe;
pub mod sysv;
#[cfg(has_splice)]
pub mod transfer;
