//! A case, once it is decided: all that a report or another program can know of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::verdict::Verdict;
use crate::case::Level;
use crate::outcome::{CaseResult, Finding, Unmet};

/// A case and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Name of the case.
    pub case: String,
    /// Its name without parameters.
    pub behaviour: String,
    /// Repetition, from 0.
    pub iteration: u32,
    /// How binding the requirement is.
    pub level: Level,
    /// What the case itself said.
    pub result: CaseResult,
    /// The result held against the platform file.
    pub verdict: Verdict,
    /// Microseconds from start to audit.
    pub duration_us: u64,
    /// The requirement, in words.
    pub requirement: String,
    /// Its clauses, as they are cited.
    pub clauses: Vec<String>,
    /// The kernel or library release that fixed the bug which this case is about.
    pub fixed_in: Option<String>,
    /// Why the case did not pass; absent for a pass.
    pub finding: Option<Finding>,
    /// The listed deviation that was applied: reason and source.
    pub listed: Option<Listed>,
    /// Choices that the system made where a standard leaves one.
    pub observations: BTreeMap<String, serde_json::Value>,
    /// Where the evidence is weaker than it should be, in sentences.
    pub weak: Vec<String>,
    /// Seed of the case's own random choices; it follows from the run's and from the name of the case.
    pub case_seed: u64,
    /// The seed to give to `--seed` for the same choices. That of the run, but for later repetitions.
    pub run_seed: u64,
    /// The command that runs this case alone, with the same random choices.
    pub again: String,
}

impl Decided {
    /// For an untested case: the need that is not met.
    pub fn unmet(&self) -> Option<&Unmet> {
        self.finding.as_ref()?.unmet.as_ref()
    }
}

/// A deviation as the platform file lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Why the platform differs.
    pub because: String,
    /// Where that can be looked up.
    pub source: String,
    /// The result that the file expects.
    pub result: CaseResult,
}
