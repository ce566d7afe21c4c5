//! The macros that compare what was seen with what was expected; each ends the case where the two differ.

use std::fmt::Debug;

use super::cause::Cause;
use super::difference::{first_difference, shorten};
use super::failure::Failure;
use super::result::CaseResult;

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
}
