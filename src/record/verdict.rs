//! [`Verdict`]: what a result means on a platform.

use std::fmt;

use serde::{Deserialize, Serialize};

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
