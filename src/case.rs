//! What a case *is*, as data: its name, requirement, clauses, level and needs, and the registry of all cases.
//!
//! Suites register cases with [`crate::test`]; everything else in the crate sees them only through [`Registry`].

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::outcome::Outcome;

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

/// Something a case declares that it cannot do without; probed where the case would run, before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A capability by its kernel name, for instance `CAP_SYS_RESOURCE`.
    Capability(&'static str),
    /// The right to become a second, unprivileged user (and to give files to it).
    SecondUser,
    /// A soft or raisable limit on open descriptors of at least this many.
    Descriptors(u64),
    /// Permission to trace a child with `ptrace`.
    Ptrace,
    /// A readable file, by absolute path.
    File(&'static str),
    /// A file that can be opened for writing, by absolute path.
    Writable(&'static str),
    /// A working `procfs` on `/proc`.
    Procfs,
    /// A kernel that lets single allocations fail on request (`/proc/thread-self/fail-nth`), and the right to ask for it.
    FaultInjection,
    /// A program that can be found through `PATH`.
    Program(&'static str),
    /// At least this many processors that can run at the same time.
    Processors(usize),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Capability(name) => f.write_str(name),
            Need::SecondUser => f.write_str("second user"),
            Need::Descriptors(count) => write!(f, "{count} descriptors"),
            Need::Ptrace => f.write_str("ptrace"),
            Need::File(path) => f.write_str(path),
            Need::Writable(path) => write!(f, "writable {path}"),
            Need::Procfs => f.write_str("procfs"),
            Need::FaultInjection => f.write_str("fault injection"),
            Need::Program(name) => write!(f, "program {name}"),
            Need::Processors(count) => write!(f, "{count} processors"),
        }
    }
}

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

inventory::collect!(Submission);

/// A case under its stable name.
#[derive(Debug)]
pub struct Case {
    /// `suite::topic::behaviour[::parameters]`; expectations and histories hang on it.
    pub name: String,
    /// The name without parameters: one behaviour, in however many variants.
    pub behaviour: String,
    /// The requirement in one or more sentences.
    pub requirement: String,
    /// Everything else, as submitted.
    pub submission: &'static Submission,
}

impl Case {
    /// The mechanism: the first part of the name.
    pub fn suite(&self) -> &str {
        self.name.split("::").next().unwrap_or_default()
    }

    /// The command line that runs this case and no other.
    pub fn command(&self) -> String {
        format!("cargo conformance run --exact '{}'", self.name)
    }
}

/// All cases of this executable, sorted by name.
#[derive(Debug)]
pub struct Registry {
    cases: Vec<Case>,
}

/// Why the registered cases cannot be used; a mistake in a suite.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Two submissions have one name.
    #[error("two cases are called {name}: at {first} and at {second}; rename one, or name the parameters apart")]
    Duplicate {
        /// The name.
        name: String,
        /// Place of one.
        first: String,
        /// Place of the other.
        second: String,
    },
    /// A function has no doc comment.
    #[error("{name} at {place} has no requirement: give the function a doc comment")]
    NoRequirement {
        /// The name.
        name: String,
        /// Its place.
        place: String,
    },
    /// A row of a table has no name of its own, or a value has none.
    #[error("a row or value of {behaviour} at {place} has no name: write #[case::name(…)], or a constant for the value")]
    UnnamedRow {
        /// The behaviour.
        behaviour: String,
        /// Its place.
        place: String,
    },
}

impl Registry {
    /// Collects what the suites submitted.
    ///
    /// # Errors
    /// Two cases of one name, a case without a requirement, an unnamed row of a table.
    pub fn collect() -> Result<Self, RegistryError> {
        let submissions: Vec<&'static Submission> = inventory::iter::<Submission>.into_iter().collect();
        let mut requirements: BTreeMap<String, &'static str> = BTreeMap::new();
        for submission in &submissions {
            let (behaviour, _) = names(submission)?;
            let known = requirements.entry(behaviour).or_default();
            if known.is_empty() {
                *known = submission.requirement;
            }
        }
        let mut cases = Vec::with_capacity(submissions.len());
        for submission in submissions {
            let (behaviour, parameters) = names(submission)?;
            let name = [vec![behaviour.clone()], parameters].concat().join("::");
            let requirement = requirements.get(&behaviour).copied().unwrap_or_default().to_owned();
            if requirement.is_empty() {
                return Err(RegistryError::NoRequirement { name, place: place(submission) });
            }
            cases.push(Case { name, behaviour, requirement, submission });
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        for pair in cases.windows(2) {
            if pair[0].name == pair[1].name {
                return Err(RegistryError::Duplicate {
                    name: pair[0].name.clone(),
                    first: place(pair[0].submission),
                    second: place(pair[1].submission),
                });
            }
        }
        Ok(Registry { cases })
    }

    /// The cases, sorted by name.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The case of that name.
    pub fn find(&self, name: &str) -> Option<&Case> {
        let index = self.cases.binary_search_by(|case| case.name.as_str().cmp(name)).ok()?;
        self.cases.get(index)
    }
}

fn place(submission: &Submission) -> String {
    format!("{}:{}", submission.file, submission.line)
}

/// The behaviour's name, and the parameters that tell its variants apart.
///
/// A plain function lives in `suite::topic`, a topic being the file that it stands in. rstest puts the rows of a table into a module
/// named as the function, as `case_2_page`, and values into `argument_1_value`, alone or in a module named as the row. Its running
/// numbers are dropped, so that adding a row renames no other.
fn names(submission: &Submission) -> Result<(String, Vec<String>), RegistryError> {
    let mut path: Vec<&str> = submission.module.split("::").collect();
    path.push(submission.function);
    let file = Path::new(submission.file).file_stem().and_then(OsStr::to_str).unwrap_or_default();
    // The file's own module, and the function in it.
    let plain = path.iter().skip(1).position(|&module| module == file).map_or(2, |topic| topic + 3);
    let generated = path.split_off(plain.min(path.len()));
    let behaviour = path.join("::");
    let mut parameters = Vec::with_capacity(generated.len());
    for part in generated {
        match parameter(part) {
            Some(text) => parameters.push(text),
            None => return Err(RegistryError::UnnamedRow { behaviour, place: place(submission) }),
        }
    }
    Ok((behaviour, parameters))
}

/// `case_2_page` → `page`; `kind_1_Kind__FifoReadWrite` → `kind=fifo_read_write`; a row without a name, or a value of which no letter is
/// left → `None`.
fn parameter(part: &str) -> Option<String> {
    let number = part.match_indices('_').find_map(|(at, _)| {
        let digits = part[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let end = at + 1 + digits;
        (digits > 0 && part.as_bytes().get(end).is_none_or(|&next| next == b'_')).then_some((at, end))
    });
    let Some((start, end)) = number else { return Some(part.to_owned()) };
    let (argument, value) = (&part[..start], part[end..].trim_matches('_'));
    let value = value.rsplit("__").next().unwrap_or(value);
    match (argument, value) {
        (_, "") => None,
        ("case", _) => Some(part[end..].trim_matches('_').to_owned()),
        _ => Some(format!("{argument}={}", in_words(value))),
    }
}

/// `FifoReadWrite` → `fifo_read_write`; names of constants, `SIGKILL`, stay as they are.
fn in_words(value: &str) -> String {
    if !value.starts_with(|first: char| first.is_ascii_uppercase()) || !value.contains(|letter: char| letter.is_ascii_lowercase()) {
        return value.to_owned();
    }
    let mut words = String::new();
    for (index, letter) in value.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            words.push('_');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::parameter;

    #[test]
    fn names_are_free_of_running_numbers() {
        assert_eq!(parameter("case_2_page").as_deref(), Some("page"));
        assert_eq!(parameter("case_12_two_pages").as_deref(), Some("two_pages"));
        assert_eq!(parameter("kind_1_Kind__Fifo").as_deref(), Some("kind=fifo"));
        assert_eq!(parameter("kind_3_Kind__FifoReadWrite").as_deref(), Some("kind=fifo_read_write"));
        assert_eq!(parameter("signal_1_Signal__SIGKILL").as_deref(), Some("signal=SIGKILL"));
        assert_eq!(parameter("k_1_1").as_deref(), Some("k=1"));
        assert_eq!(parameter("case_3"), None);
        assert_eq!(parameter("mode_1_EpollFlags__empty__").as_deref(), Some("mode=empty"));
        assert_eq!(parameter("mode_1____"), None);
    }
}
