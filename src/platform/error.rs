//! What can be wrong with a platform file: a variant for each thing that its author can act on, with file, line and column.

use std::fmt;
use std::path::PathBuf;

/// A place in a platform file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// The place of a byte in a text.
    pub fn of(file: &str, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place { file: file.to_owned(), line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Why a platform cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// Neither an embedded file nor a path.
    #[error("no platform is called {name}; give one of {known}, or the path of a file (NAME.toml)")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The embedded files.
        known: String,
    },
    /// The file cannot be read.
    #[error("{} cannot be read; give the path of a platform file, or the name of an embedded one", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of another type than its key wants.
    #[error("{place}: {message}; correct this, or see the head of fixtures/platforms/posix.toml for the form of an entry")]
    Malformed {
        /// Where.
        place: Place,
        /// What the parser says.
        message: String,
    },
    /// A key is missing.
    #[error("{place}: {subject} has no `{key}`; add the line {hint}")]
    Incomplete {
        /// Where its table begins.
        place: Place,
        /// What is incomplete.
        subject: &'static str,
        /// The key.
        key: &'static str,
        /// An example of the missing line.
        hint: &'static str,
    },
    /// A key is there and says nothing.
    #[error("{place}: `{key}` is empty; say it in words, or remove the entry")]
    Empty {
        /// Where.
        place: Place,
        /// The key.
        key: &'static str,
    },
    /// The file that it inherits does not exist.
    #[error("{place}: no platform is called {name}; inherit one of {known}")]
    UnknownParent {
        /// Where.
        place: Place,
        /// The parent's name.
        name: String,
        /// The embedded files.
        known: String,
    },
    /// Inheritance goes round in a circle.
    #[error("{place}: {name} inherits itself in the end; remove one `inherits` of the circle")]
    Circle {
        /// Where.
        place: Place,
        /// The parent's name.
        name: String,
    },
    /// A bound is no release number.
    #[error("{place}: {text:?} is not a release; write numbers and dots, such as \"5.10.4\"")]
    Bound {
        /// Where.
        place: Place,
        /// What stands there.
        text: String,
    },
    /// No case can observe a value of that type.
    #[error("{place}: a date is never observed; write a number, a string, a boolean, an array or a table")]
    Unobservable {
        /// Where.
        place: Place,
    },
    /// A pattern fits no case.
    #[error("{place}: no case is called {pattern}; correct the pattern or remove it (`list` shows the names of all cases)")]
    NoSuchCase {
        /// Where.
        place: Place,
        /// The pattern.
        pattern: String,
    },
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_counts_lines_and_characters_from_1() {
        let place = |offset| Place::of("f", "äb\nc\n", offset).to_string();
        assert_eq!(place(0), "f:1:1");
        assert_eq!(place(2), "f:1:2");
        assert_eq!(place(4), "f:2:1");
        assert_eq!(place(99), "f:3:1");
    }
}
