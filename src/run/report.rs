//! [`Report`]: what a worker tells the runner of a case.

use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::outcome::{CaseResult, Cause, Failure, Finding};
use crate::sandbox::Complaint;

/// What came of a case, before it is held against a platform file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The result.
    pub(crate) result: CaseResult,
    /// Why it is not a pass.
    pub(crate) finding: Option<Finding>,
    /// Observations, the values as JSON text.
    pub(crate) observations: Vec<(String, String)>,
    /// Sentences about weak evidence.
    pub(crate) weak: Vec<String>,
    /// What the kernel complained of while the case ran.
    pub(crate) kernel: Option<Complaint>,
    /// From the start to the end of the audit.
    pub(crate) duration_us: u64,
}

impl Report {
    pub(crate) fn new(result: CaseResult, finding: Option<Finding>) -> Self {
        Report { result, finding, observations: Vec::new(), weak: Vec::new(), kernel: None, duration_us: 0 }
    }

    /// The report of a case that did not pass.
    pub(crate) fn of(failure: Failure) -> Self {
        Report::new(failure.result, Some(*failure.finding))
    }

    /// The report of a case that has not been run, or not to its end.
    pub(crate) fn not_run(case: &Case, result: CaseResult, finding: Finding) -> Self {
        let mut report = Report::new(result, Some(finding));
        report.locate(case);
        report
    }

    /// Gives a finding without a place that of the case.
    pub(crate) fn locate(&mut self, case: &Case) {
        if let Some(finding) = &mut self.finding {
            finding.location.get_or_insert_with(|| (case.submission.file.to_owned(), case.submission.line));
        }
    }

    /// Turns a pass into a failure, or adds to what is known of a failure.
    pub(crate) fn add_failure(&mut self, cause: Cause, label: &str, message: String) {
        match &mut self.finding {
            Some(finding) => finding.details.push((label.to_owned(), message)),
            None => self.finding = Some(Finding::new(cause, message)),
        }
        if self.result == CaseResult::Pass {
            self.result = CaseResult::Fail;
        }
    }
}
