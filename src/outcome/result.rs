//! [`CaseResult`]: what a case came to, before it is held against a platform.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Result of a case, in the terms of POSIX test methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseResult {
    /// Everything was as required.
    Pass,
    /// Something was not as required.
    Fail,
    /// The case could not reach its assertion: a step that sets it up failed.
    Unresolved,
    /// The platform says that it lacks the feature, and says so in the documented way.
    Unsupported,
    /// A declared need of the case is not met here.
    Untested,
}

impl fmt::Display for CaseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CaseResult::Pass => "pass",
            CaseResult::Fail => "fail",
            CaseResult::Unresolved => "unresolved",
            CaseResult::Unsupported => "unsupported",
            CaseResult::Untested => "untested",
        })
    }
}
