//! [`Unmet`]: what a case needs and does not find here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A need that is not met here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// The need, as `--require` takes it.
    pub need: String,
    /// The need as it reads after "needs".
    pub phrase: String,
    /// What was found in its place, where that is known.
    pub why: Option<String>,
}

impl Unmet {
    /// A need that has no other name than the words that it reads in.
    pub fn new(phrase: impl fmt::Display) -> Self {
        Unmet { need: phrase.to_string(), phrase: phrase.to_string(), why: None }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.phrase)?;
        self.why.as_ref().map_or(Ok(()), |why| write!(f, " ({why})"))
    }
}
