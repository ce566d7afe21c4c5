//! Histories: what several participants did to one object, when each call began and when it was seen to return, and whether a
//! sequential specification can explain all of it, kills included.
//!
//! [`recorder`] takes down, [`checker`] judges; the specification belongs to the suite of the mechanism.
//!
//! The crates for this (stateright's testers, todc-utils) know only operations that return. Under kills that is not enough: a call
//! whose caller was killed may have taken effect or not, at any time after it began, and both has to be tried. So the search is
//! ours, and small: histories here have tens of operations, not thousands.

pub mod checker;
pub mod recorder;

pub use checker::{Specification, expect_linearisable};
pub use recorder::{Operation, Pen, Recorder};
