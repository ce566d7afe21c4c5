//! Platforms: what is known about a system, so that a run is red for news only.
//!
//! - `file.rs`: the format of a platform file
//! - `deviation.rs`: what stands in one
//! - `load.rs`: the embedded files, inheritance, and what a run may be held against
//! - `detect.rs`: which file fits the system that this runs on
//! - `judge.rs`: a result held against a platform: the verdict
//! - `version.rs`: release numbers, for deviations that come and go
//! - `error.rs`: what can be wrong with a file, and where

mod detect;
mod deviation;
mod error;
mod file;
mod judge;
mod load;
mod version;

pub use detect::System;
pub use deviation::{Category, Deviation, Expected, Pin};
pub use error::{Place, PlatformError};
pub use judge::Judgement;
pub use load::Platform;
pub use version::{Bounds, Library, Release, Releases};
