//! [`Finding`]: what a reader needs to know about a case that did not pass.

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::unmet::Unmet;

/// Something that happened during a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// Microseconds on the monotonic clock since the case began.
    pub at_us: u64,
    /// The participant that it happened to; `case` for the case's own process.
    pub who: String,
    /// What happened.
    pub what: String,
}

/// State of one process of a case, collected when the case passed its deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSnapshot {
    /// Process id, as seen by the worker.
    pub pid: i32,
    /// Participant's name where known.
    pub name: String,
    /// Scheduler state in words: `sleeping`, `running`, `stopped`, …
    pub state: String,
    /// The system call that it is in.
    pub system_call: Option<String>,
    /// Where in the kernel it waits.
    pub wait_channel: Option<String>,
    /// Open descriptors: number and what it refers to.
    pub descriptors: Vec<String>,
}

/// Everything that a reader needs in order to act on a case that did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Why the case did not pass.
    pub cause: Cause,
    /// One sentence: what was tried and what happened.
    pub message: String,
    /// Source file and line of the case.
    pub location: Option<(String, u32)>,
    /// The expression that was evaluated.
    pub expression: Option<String>,
    /// The value that was expected.
    pub expected: Option<String>,
    /// The value that was seen.
    pub seen: Option<String>,
    /// Labelled details: the failing input, the injection point, a note.
    pub details: Vec<(String, String)>,
    /// What the participants did, in order.
    pub timeline: Vec<TimelineEntry>,
    /// Processes at the deadline.
    pub processes: Vec<ProcessSnapshot>,
    /// The end of what the case wrote to standard output and error.
    pub output: String,
    /// What the case needs and does not find here.
    pub unmet: Option<Unmet>,
}

impl Finding {
    /// A finding with a cause and a sentence, and nothing else yet.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Finding {
            cause,
            message: message.into(),
            location: None,
            expression: None,
            expected: None,
            seen: None,
            details: Vec::new(),
            timeline: Vec::new(),
            processes: Vec::new(),
            output: String::new(),
            unmet: None,
        }
    }

    /// The finding of a case that needs what is not here.
    pub fn unmet(unmet: Unmet) -> Self {
        let mut finding = Finding::new(Cause::Need, format!("needs {unmet}"));
        finding.unmet = Some(unmet);
        finding
    }

    /// The finding, with a labelled detail added.
    #[must_use]
    pub fn detail(mut self, label: &str, text: impl Into<String>) -> Self {
        self.details.push((label.to_owned(), text.into()));
        self
    }
}
