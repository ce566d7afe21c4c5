//! What a platform is known for: deviations of cases, and pinned choices.

use std::fmt;

use serde::Deserialize;
use wildmatch::WildMatch;

use super::error::{Place, PlatformError};
use super::version::Bounds;
use crate::outcome::CaseResult;
use crate::record::Listed;

/// A known deviation of some cases.
#[derive(Clone, Debug)]
pub struct Deviation {
    pub(super) patterns: Vec<(WildMatch, Place)>,
    /// What these cases come to.
    pub expected: Expected,
    /// What kind of deviation it is.
    pub category: Category,
    /// What the finding shows as seen, exactly.
    pub seen: Option<String>,
    /// Why the platform differs.
    pub because: String,
    /// Where that can be looked up.
    pub source: String,
    /// On which releases.
    pub bounds: Bounds,
}

/// What a listed case comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// It fails.
    Fail,
    /// The platform says that it lacks the feature.
    Unsupported,
    /// It cannot be set up.
    Unresolved,
    /// It hangs or endangers the machine, and is left out.
    DoNotRun,
}

impl Expected {
    /// The result that a case reports then; what is not run is untested.
    pub fn result(self) -> CaseResult {
        match self {
            Expected::Fail => CaseResult::Fail,
            Expected::Unsupported => CaseResult::Unsupported,
            Expected::Unresolved => CaseResult::Unresolved,
            Expected::DoNotRun => CaseResult::Untested,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expected::DoNotRun => f.write_str("do-not-run"),
            Expected::Fail | Expected::Unsupported | Expected::Unresolved => self.result().fmt(f),
        }
    }
}

/// What kind of deviation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// The feature is not there.
    Missing,
    /// It does something else, on purpose.
    Differs,
    /// It does something else, by mistake.
    Bug,
    /// A limit of the system stands in the way.
    Limit,
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Category::Missing => "missing",
            Category::Differs => "differs",
            Category::Bug => "bug",
            Category::Limit => "limit",
        })
    }
}

/// The value that cases must observe under a key.
#[derive(Clone, Debug)]
pub struct Pin {
    /// The value.
    pub value: serde_json::Value,
    /// Where it is pinned.
    pub place: Place,
}

/// A pin for some releases only.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub key: String,
    pub pin: Pin,
    pub bounds: Bounds,
}

impl Deviation {
    /// Whether it is about that case.
    pub fn covers(&self, case: &str) -> bool {
        self.patterns.iter().any(|(pattern, _)| pattern.matches(case))
    }

    /// As reports show it.
    pub fn listed(&self) -> Listed {
        Listed { because: self.because.clone(), source: self.source.clone(), result: self.expected.result() }
    }

    /// Refuses a pattern that fits no case.
    pub(super) fn check(&self, cases: &[&str]) -> Result<(), PlatformError> {
        match self.patterns.iter().find(|(pattern, _)| !cases.iter().any(|case| pattern.matches(case))) {
            Some((pattern, place)) => Err(PlatformError::NoSuchCase { place: place.clone(), pattern: pattern.pattern() }),
            None => Ok(()),
        }
    }
}
