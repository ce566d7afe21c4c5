//! [`Clause`]: where a requirement is written.

use std::fmt;

/// Where a requirement comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clause {
    /// A function's or header's page of POSIX.1-2024 (Issue 8), for instance `read` or `limits.h`.
    Posix(&'static str),
    /// A manual page of the platform, for instance `pipe(7)`.
    Man(&'static str),
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clause::Posix(page) => write!(f, "POSIX {page}"),
            Clause::Man(page) => f.write_str(page),
        }
    }
}
