//! [`RunOptions`]: what to run, and how.

use crate::case::Case;
use crate::sandbox::IsolationChoice;

/// What to run, and how.
#[derive(Debug)]
pub struct RunOptions<'r> {
    /// The cases, selected and sharded, in the registry's order.
    pub cases: Vec<&'r Case>,
    /// Parallel workers, at least 1.
    pub jobs: usize,
    /// Which sandbox.
    pub isolation: IsolationChoice,
    /// Factor on every deadline; measured where `None`.
    pub time_scale: Option<f64>,
    /// Seed of all random choices.
    pub seed: u64,
    /// Inputs that a property tries; its own number where `None`.
    pub property_cases: Option<u32>,
    /// How often to run each case.
    pub repeat: u32,
    /// Stop at the first verdict that turns the run red (repeats for ever where `repeat` is 0).
    pub until_fail: bool,
    /// Needs that must be met here (`all`, or names as reports show them).
    pub require: Vec<String>,
    /// Let cases write to the terminal.
    pub nocapture: bool,
}
