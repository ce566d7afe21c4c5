//! [`Level`]: how binding a requirement is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How binding a requirement is, the most binding first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

impl Level {
    /// All levels, the most binding first.
    pub const ALL: [Self; 4] = [Level::Required, Level::Documented, Level::Customary, Level::Observed];

    /// What the level says about a requirement.
    pub fn meaning(self) -> &'static str {
        match self {
            Level::Required => "POSIX says shall",
            Level::Documented => "the platform's own manual promises it",
            Level::Customary => "no document promises it, but the platform has long done so, and programs rely on it",
            Level::Observed => "the standard leaves a choice, and the case records which one was made",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Required => "required",
            Level::Documented => "documented",
            Level::Customary => "customary",
            Level::Observed => "observed",
        })
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = Level::ALL.into_iter().find(|level| level.to_string() == text);
        let known = || Level::ALL.map(|level| level.to_string()).join(", ");
        level.ok_or_else(|| match text {
            "" => format!("a level is missing; known are {}", known()),
            _ => format!("{text} is no level; known are {}", known()),
        })
    }
}
