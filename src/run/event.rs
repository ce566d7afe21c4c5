//! What a run says about itself: serialisable events. Verdicts are decided before an event is made, reporters only format.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::outcome::{CaseResult, Finding};

/// A result held against what the platform file expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Passed, or is an absence that the platform file lists as such.
    Ok,
    /// A listed deviation, seen exactly as listed.
    Xfail,
    /// Failed, and is not listed so.
    UnexpectedFail,
    /// A listed deviation that is gone, or that shows itself differently.
    Xpass,
    /// Says it is unsupported, and is not listed so.
    UnexpectedUnsupported,
    /// Could not reach its assertion.
    Unresolved,
    /// A need is not met here.
    Untested,
}

impl Verdict {
    /// Whether a run that contains this verdict may still exit with 0.
    pub fn is_good(self) -> bool {
        matches!(self, Verdict::Ok | Verdict::Xfail | Verdict::Untested)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Ok => "ok",
            Verdict::Xfail => "xfail",
            Verdict::UnexpectedFail => "unexpected fail",
            Verdict::Xpass => "xpass",
            Verdict::UnexpectedUnsupported => "unexpected unsupported",
            Verdict::Unresolved => "unresolved",
            Verdict::Untested => "untested",
        })
    }
}

/// One thing that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds on the monotonic clock since the run began.
    pub at_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The kinds of event. Adding one: give it a reporter's answer in each file of `report/` (no `match` has a catch-all arm).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// The plan is made and the sandbox found.
    RunStarted(RunStarted),
    /// A worker began a case.
    CaseStarted {
        /// Name of the case.
        case: String,
        /// Repetition, from 0.
        iteration: u32,
    },
    /// A case has its verdict.
    Decided(Box<Decided>),
    /// Everything is decided, or the run was interrupted.
    RunEnded(RunEnded),
}

/// The surroundings of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Version of this suite.
    pub version: String,
    /// Name of the platform file in force.
    pub platform: String,
    /// Kernel name, release and machine, as `uname` gives them, and the C library where there are several.
    pub system: String,
    /// `private` or `none`, and in the second case why.
    pub isolation: String,
    /// Parallel workers.
    pub jobs: usize,
    /// Seed of all random choices.
    pub seed: u64,
    /// Factor on every deadline.
    pub time_scale: f64,
    /// Number of case executions planned, repetitions counted.
    pub planned: usize,
    /// Number of behaviours among them.
    pub behaviours: usize,
    /// What this sandbox can't do, in sentences (weak evidence, no kernel log, …).
    pub remarks: Vec<String>,
}

/// A case and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// Name of the case.
    pub case: String,
    /// Its name without parameters.
    pub behaviour: String,
    /// Repetition, from 0.
    pub iteration: u32,
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
    /// For an untested case: the need that is not met.
    pub need: Option<String>,
    /// The command that runs this case alone, with the same random choices.
    pub again: String,
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
}
