//! The end of a run: its totals, and whether it is green.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::verdict::Verdict;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEnded {
    /// Number of each verdict.
    pub totals: BTreeMap<Verdict, usize>,
    /// Number of untested cases by the need that is not met.
    pub untested: BTreeMap<String, usize>,
    /// Needs that `--require` asked for and that are not met.
    pub required: Vec<String>,
    /// The run was cut short: by Ctrl-C, or by `--until-fail`.
    pub interrupted: Option<String>,
    /// Microseconds in all.
    pub duration_us: u64,
}

impl RunEnded {
    /// Number of decided cases.
    pub fn decided(&self) -> usize {
        self.totals.values().sum()
    }

    /// Number of cases whose verdict turns the run red.
    pub fn bad(&self) -> usize {
        self.totals.iter().filter(|(verdict, _)| !verdict.is_good()).map(|(_, count)| count).sum()
    }

    /// Whether the program may exit with 0: everything planned was decided, as expected, and what was required is there.
    pub fn is_green(&self) -> bool {
        self.bad() == 0 && self.required.is_empty() && self.interrupted.is_none() && self.decided() > 0
    }
}
