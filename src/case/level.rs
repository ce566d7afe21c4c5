//! [`Level`]: how binding a requirement is.

use std::fmt;

/// How binding a requirement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// POSIX says *shall*.
    Required,
    /// The platform's own manual promises it.
    Documented,
    /// No document promises it, but the platform has long done so and programs rely on it; another system may differ without being
    /// wrong.
    Customary,
    /// Implementation-defined or unspecified: the case records which choice the system made, and fails only where the choice is outside
    /// what the standard allows or is not the one that is pinned for the platform. A case that records nothing fails.
    Observed,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Required => "required",
            Level::Documented => "documented",
            Level::Customary => "customary",
            Level::Observed => "observed",
        })
    }
}
