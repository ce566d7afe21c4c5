//! [`Submission`]: what `#[conformance::test]` says about a function, as constants of the executable.

use std::time::Duration;

use super::clause::Clause;
use super::level::Level;
use super::need::Need;
use crate::outcome::Outcome;

/// One requirement with its parameters filled in, as `#[conformance::test]` submits it.
#[derive(Debug)]
pub struct Submission {
    /// `module_path!()` at the function: suite (the crate), topics, and for a table the groups that rstest makes.
    pub module: &'static str,
    /// Name of the function (rstest's own for a row of a table).
    pub function: &'static str,
    /// The doc comment; empty for all but the first row of a table.
    pub requirement: &'static str,
    /// Source file as the compiler names it.
    pub file: &'static str,
    /// Line of the function.
    pub line: u32,
    /// Where the requirement comes from; never empty.
    pub clauses: &'static [Clause],
    /// How binding it is.
    pub level: Level,
    /// What the case cannot do without.
    pub needs: &'static [Need],
    /// A deadline other than the usual one, before scaling.
    pub deadline: Option<Duration>,
    /// The release or commit that fixed the bug which the case is about.
    pub fixed_in: Option<&'static str>,
    /// The case runs in the ambient surroundings even when the others are isolated.
    pub ambient: bool,
    /// The body.
    pub body: fn() -> Outcome,
}

impl Submission {
    /// Where the function stands, as `FILE:LINE`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

inventory::collect!(Submission);
