//! What a run says about itself: serialisable events, in the order in which things happened.

use serde::{Deserialize, Serialize};

use super::decided::Decided;
use super::ended::RunEnded;

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
        /// Run once more, and alone, as the kernel complained while it ran beside others.
        alone: bool,
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
