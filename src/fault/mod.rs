//! Faults: what the harness does to participants, and the ways to choose when.
//!
//! Kill, stop and interruption of one participant are methods of [`crate::process::Participant`].

#[cfg(linux)]
pub mod allocation;
pub mod exhaust;
pub mod model;
pub mod property;
pub mod storm;
pub mod sweep;
