//! How a case ends: [`Outcome`], the [`Failure`] it may carry, and the macros that compare what was expected with what was seen.

use std::fmt::{self, Debug, Write as _};
use std::panic::Location;

use serde::{Deserialize, Serialize};

use crate::sys::Errno;

/// What the body of a case returns. `?` on an [`Errno`] makes the case *unresolved* at that line; the `expect` macros make it
/// *failed*.
pub type Outcome = Result<(), Failure>;

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

/// Why a case did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// An `expect` macro saw something else than it expected.
    Expectation,
    /// A panic, or a failed assertion, in the case or a participant.
    Panic,
    /// A participant ended where it should have gone on, or in another way.
    ParticipantDied,
    /// The case was still running at its deadline.
    Deadline,
    /// A signal ended the case's own process.
    Signal,
    /// The case's own process ended without a result.
    Exit,
    /// Objects or processes outlived the case.
    Leak,
    /// The kernel logged a warning or worse, or became tainted, during the case.
    Kernel,
    /// A step that sets the case up failed.
    Setup,
    /// The platform lacks the feature.
    Missing,
    /// A declared need is not met.
    Need,
    /// A value differs from the one that the platform file pins.
    Observation,
    /// The harness lost the case: its worker died, or the control channel broke.
    Harness,
}

/// Something that happened during a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// Microseconds on the monotonic clock since the case began.
    pub at_us: u64,
    /// The participant that it happened to; `case` for the case's own process.
    pub who: String,
    /// What happened.
    pub what: String,
}

/// State of one process of a case, collected when the case passed its deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSnapshot {
    /// Process id, as seen by the worker.
    pub pid: i32,
    /// Participant's name where known.
    pub name: String,
    /// Scheduler state in words: `sleeping`, `running`, `stopped`, …
    pub state: String,
    /// The system call that it is in.
    pub system_call: Option<String>,
    /// Where in the kernel it waits.
    pub wait_channel: Option<String>,
    /// Open descriptors: number and what it refers to.
    pub descriptors: Vec<String>,
}

/// Everything that a reader needs in order to act on a case that did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Why the case did not pass.
    pub cause: Cause,
    /// One sentence: what was tried and what happened.
    pub message: String,
    /// Source file and line of the case.
    pub location: Option<(String, u32)>,
    /// The expression that was evaluated.
    pub expression: Option<String>,
    /// The value that was expected.
    pub expected: Option<String>,
    /// The value that was seen.
    pub seen: Option<String>,
    /// Labelled details: the failing input, the injection point, a note.
    pub details: Vec<(String, String)>,
    /// What the participants did, in order.
    pub timeline: Vec<TimelineEntry>,
    /// Processes at the deadline.
    pub processes: Vec<ProcessSnapshot>,
    /// The end of what the case wrote to standard output and error.
    pub output: String,
    /// Seed of the case's random choices.
    pub seed: u64,
}

impl Finding {
    /// A finding with a cause and a sentence, and nothing else yet.
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Finding {
            cause,
            message: message.into(),
            location: None,
            expression: None,
            expected: None,
            seen: None,
            details: Vec::new(),
            timeline: Vec::new(),
            processes: Vec::new(),
            output: String::new(),
            seed: 0,
        }
    }

    /// The finding, with a labelled detail added.
    #[must_use]
    pub fn detail(mut self, label: &str, text: impl Into<String>) -> Self {
        self.details.push((label.to_owned(), text.into()));
        self
    }
}

/// A case that did not pass: with which result, and why. Made by the macros, and by `?` on an [`Errno`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The result, never [`CaseResult::Pass`].
    pub result: CaseResult,
    /// Why.
    pub finding: Box<Finding>,
}

impl Failure {
    /// A failure of that result and cause at the caller's line.
    #[track_caller]
    pub fn new(result: CaseResult, cause: Cause, message: impl Into<String>) -> Self {
        let mut finding = Finding::new(cause, message);
        let place = Location::caller();
        finding.location = Some((place.file().to_owned(), place.line()));
        Failure { result, finding: Box::new(finding) }
    }

    /// The platform lacks `feature` and said so with `evidence`.
    #[track_caller]
    pub fn unsupported(feature: &str, evidence: &str) -> Self {
        Failure::new(CaseResult::Unsupported, Cause::Missing, format!("{feature} is missing here: {evidence}"))
    }

    /// The case has found out by itself that something is lacking which it needs.
    #[track_caller]
    pub fn untested(lacking: impl fmt::Display) -> Self {
        Failure::new(CaseResult::Untested, Cause::Need, format!("needs {lacking}"))
    }

    /// The failure, with a labelled detail added (an injection point, an input).
    #[must_use]
    pub fn detail(mut self, label: &str, text: impl Into<String>) -> Self {
        self.finding.details.push((label.to_owned(), text.into()));
        self
    }
}

/// A step of the set-up failed: the case is *unresolved* at the line of the `?`.
impl From<Errno> for Failure {
    #[track_caller]
    fn from(errno: Errno) -> Self {
        let message = format!("a step that sets the case up failed with {errno:?} ({errno})");
        let mut failure = Failure::new(CaseResult::Unresolved, Cause::Setup, message);
        failure.finding.seen = Some(format!("{errno:?}"));
        failure
    }
}

impl From<nix::errno::Errno> for Failure {
    #[track_caller]
    fn from(errno: nix::errno::Errno) -> Self {
        Failure::from(Errno::from(errno))
    }
}

impl From<std::io::Error> for Failure {
    #[track_caller]
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Failure::from(Errno::from_raw(code)),
            None => Failure::new(CaseResult::Unresolved, Cause::Setup, format!("a step that sets the case up failed: {error}")),
        }
    }
}

/// What the macros expand to; not for direct use.
#[doc(hidden)]
#[track_caller]
pub fn mismatch(expression: &str, relation: &str, seen: &dyn Debug, expected: &dyn Debug) -> Failure {
    let (seen, expected) = (format!("{seen:?}"), format!("{expected:?}"));
    let mut failure = Failure::new(CaseResult::Fail, Cause::Expectation, format!("expected {expression} {relation}"));
    if let Some(difference) = first_difference(&seen, &expected) {
        failure.finding.details.push(("difference".to_owned(), difference));
    }
    failure.finding.expression = Some(expression.to_owned());
    failure.finding.expected = Some(shorten(&expected));
    failure.finding.seen = Some(shorten(&seen));
    failure
}

/// Longest rendering of a value that is printed whole.
const WHOLE: usize = 240;

fn shorten(text: &str) -> String {
    if text.chars().count() <= WHOLE {
        return text.to_owned();
    }
    let head: String = text.chars().take(WHOLE / 2).collect();
    let tail: String = text.chars().rev().take(WHOLE / 4).collect::<Vec<_>>().into_iter().rev().collect();
    format!("{head} … {tail} ({} items)", items(text))
}

/// Items in a rendered list; the number of separators plus one.
fn items(text: &str) -> usize {
    text.matches(", ").count() + 1
}

/// Where two long renderings part, in words; `None` while both are short enough to be compared by eye.
fn first_difference(seen: &str, expected: &str) -> Option<String> {
    if seen.len() <= WHOLE && expected.len() <= WHOLE {
        return None;
    }
    let common: usize = seen.chars().zip(expected.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let mut text = format!("item {} of {} seen and {} expected", items(&seen[..common]), items(seen), items(expected));
    let window = |whole: &str| whole[common..].chars().take(40).collect::<String>();
    let _ = write!(text, ": …{} instead of …{}", window(seen), window(expected));
    Some(text)
}

/// Expects a condition to hold; the case fails where it does not.
#[macro_export]
macro_rules! expect {
    ($condition:expr $(,)?) => {
        if !$condition {
            return ::core::result::Result::Err($crate::outcome::mismatch(stringify!($condition), "to hold", &false, &true));
        }
    };
    ($condition:expr, $($why:tt)+) => {
        if !$condition {
            return ::core::result::Result::Err(
                $crate::outcome::mismatch(stringify!($condition), "to hold", &false, &true).detail("because", format!($($why)+)),
            );
        }
    };
}

/// Expects what was seen (first) to equal what is required (second); the case fails where it does not.
#[macro_export]
macro_rules! expect_eq {
    ($seen:expr, $expected:expr $(,)?) => {
        match (&$seen, &$expected) {
            (seen, expected) => {
                if !(*seen == *expected) {
                    return ::core::result::Result::Err($crate::outcome::mismatch(
                        concat!(stringify!($seen), " == ", stringify!($expected)), "to hold", seen, expected,
                    ));
                }
            }
        }
    };
    ($seen:expr, $expected:expr, $($note:tt)+) => {
        match (&$seen, &$expected) {
            (seen, expected) => {
                if !(*seen == *expected) {
                    return ::core::result::Result::Err($crate::outcome::mismatch(
                        concat!(stringify!($seen), " == ", stringify!($expected)), "to hold", seen, expected,
                    ).detail("note", format!($($note)+)));
                }
            }
        }
    };
}

/// Expects a value to match a pattern; the case fails where it does not.
#[macro_export]
macro_rules! expect_matches {
    ($seen:expr, $pattern:pat $(if $guard:expr)? $(,)?) => {
        match $seen {
            $pattern $(if $guard)? => {}
            ref seen => {
                struct Pattern;
                impl ::core::fmt::Debug for Pattern {
                    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        f.write_str(stringify!($pattern $(if $guard)?))
                    }
                }
                return ::core::result::Result::Err($crate::outcome::mismatch(stringify!($seen), "to match", seen, &Pattern));
            }
        }
    };
}

/// Ends the case as *unsupported*: `unsupported!("feature", evidence)`.
#[macro_export]
macro_rules! unsupported {
    ($feature:expr, $evidence:expr $(,)?) => {
        return ::core::result::Result::Err($crate::outcome::Failure::unsupported(
            &$feature.to_string(),
            &format!("{:?}", $evidence),
        ))
    };
}

/// Records which choice the system made where a standard leaves one: `observe!("pipe.capacity", bytes)`.
#[macro_export]
macro_rules! observe {
    ($key:expr, $value:expr $(,)?) => {
        $crate::process::context::observe($key, &$crate::serde_json::json!($value))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_values_are_shown_whole() {
        let failure = mismatch("n == 3", "to hold", &2, &3);
        assert_eq!(failure.finding.seen.as_deref(), Some("2"));
        assert_eq!(failure.finding.expected.as_deref(), Some("3"));
        assert!(failure.finding.details.is_empty());
    }

    #[test]
    fn long_values_say_where_they_differ() {
        let expected: Vec<u8> = (0..200).collect();
        let mut seen = expected.clone();
        seen[100] = 7;
        let failure = mismatch("a == b", "to hold", &seen, &expected);
        let (label, text) = &failure.finding.details[0];
        assert_eq!(label, "difference");
        assert!(text.starts_with("item 101 of 200 seen and 200 expected: …7, 101"), "{text}");
    }

    #[test]
    fn an_errno_in_the_set_up_is_unresolved_at_the_line_of_the_question_mark() {
        fn case() -> Outcome {
            Err(crate::sys::errno::ENOSPC)?;
            Ok(())
        }
        let failure = case().unwrap_err();
        assert_eq!(failure.result, CaseResult::Unresolved);
        assert_eq!(failure.finding.seen.as_deref(), Some("ENOSPC"));
        assert!(failure.finding.location.is_some_and(|(file, _)| file.ends_with("outcome.rs")));
    }
}
