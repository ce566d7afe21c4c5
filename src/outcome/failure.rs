//! [`Failure`]: how a case ends that does not pass, and what becomes one by `?`.

use std::fmt;
use std::panic::Location;

use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::finding::Finding;
use super::result::CaseResult;
use super::unmet::Unmet;
use crate::sys::Errno;

/// What the body of a case returns. `?` on an [`Errno`] makes the case *unresolved* at that line; the `expect` macros make it
/// *failed*.
pub type Outcome = Result<(), Failure>;

/// A case that did not pass: with which result, and why. Made by the macros, and by `?` on an [`Errno`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The result, never [`CaseResult::Pass`].
    pub result: CaseResult,
    /// Why.
    pub finding: Box<Finding>,
}

impl Failure {
    /// A failure of that result and cause at the caller's line.
    #[track_caller]
    pub fn new(result: CaseResult, cause: Cause, message: impl Into<String>) -> Self {
        let mut finding = Finding::new(cause, message);
        let place = Location::caller();
        finding.location = Some((place.file().to_owned(), place.line()));
        Failure { result, finding: Box::new(finding) }
    }

    /// The platform lacks `feature` and said so with `evidence`.
    #[track_caller]
    pub fn unsupported(feature: &str, evidence: &str) -> Self {
        Failure::new(CaseResult::Unsupported, Cause::Missing, format!("{feature} is missing here: {evidence}"))
    }

    /// The case has found out by itself that something is lacking which it needs.
    #[track_caller]
    pub fn untested(lacking: impl fmt::Display) -> Self {
        let mut failure = Failure::new(CaseResult::Untested, Cause::Need, format!("needs {lacking}"));
        failure.finding.unmet = Some(Unmet::new(lacking));
        failure
    }

    /// The failure, with a labelled detail added (an injection point, an input).
    #[must_use]
    pub fn detail(mut self, label: &str, text: impl Into<String>) -> Self {
        self.finding.details.push((label.to_owned(), text.into()));
        self
    }
}

/// A step of the set-up failed: the case is *unresolved* at the line of the `?`.
impl From<Errno> for Failure {
    #[track_caller]
    fn from(errno: Errno) -> Self {
        let message = format!("a step that sets the case up failed with {errno:?} ({errno})");
        let mut failure = Failure::new(CaseResult::Unresolved, Cause::Setup, message);
        failure.finding.seen = Some(format!("{errno:?}"));
        failure
    }
}

impl From<nix::errno::Errno> for Failure {
    #[track_caller]
    fn from(errno: nix::errno::Errno) -> Self {
        Failure::from(Errno::from(errno))
    }
}

impl From<std::io::Error> for Failure {
    #[track_caller]
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Failure::from(Errno::from_raw(code)),
            None => Failure::new(CaseResult::Unresolved, Cause::Setup, format!("a step that sets the case up failed: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_in_the_set_up_is_unresolved_at_the_line_of_the_question_mark() {
        fn case() -> Outcome {
            Err(crate::sys::errno::ENOSPC)?;
            Ok(())
        }
        let failure = case().unwrap_err();
        assert_eq!(failure.result, CaseResult::Unresolved);
        assert_eq!(failure.finding.seen.as_deref(), Some("ENOSPC"));
        assert!(failure.finding.location.is_some_and(|(file, _)| file.ends_with("failure.rs")));
    }
}
