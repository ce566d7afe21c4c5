//! The end of a run: its totals, and whether it is green.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::decided::Decided;
use super::verdict::Verdict;
use crate::case::Level;

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunEnded {
    /// Number of each verdict.
    pub totals: BTreeMap<Verdict, usize>,
    /// What was decided at each level.
    pub levels: BTreeMap<Level, Count>,
    /// What untested cases need, by the need's name. Cases that must not be run on the platform are not in it.
    pub untested: BTreeMap<String, Lack>,
    /// Needs that `--require` asked for and that are not met.
    pub required: Vec<String>,
    /// The run was cut short: by Ctrl-C, or by `--until-fail`.
    pub interrupted: Option<String>,
    /// Microseconds in all.
    pub duration_us: u64,
}

/// How many cases were decided, and how many of these turn the run red.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Decided in all.
    pub decided: usize,
    /// Those whose verdict turns the run red.
    pub bad: usize,
}

/// A need that is not met here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    /// The need as it reads after "needs".
    pub phrase: String,
    /// Untested cases that have it.
    pub cases: usize,
}

impl RunEnded {
    /// Counts a case.
    pub fn count(&mut self, decided: &Decided) {
        *self.totals.entry(decided.verdict).or_default() += 1;
        let level = self.levels.entry(decided.level).or_default();
        level.decided += 1;
        level.bad += usize::from(!decided.verdict.is_good());
        if let Some(unmet) = decided.unmet() {
            let lack = || Lack { phrase: unmet.phrase.clone(), cases: 0 };
            self.untested.entry(unmet.need.clone()).or_insert_with(lack).cases += 1;
        }
    }

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
