//! Which cases are run: filters, shards, and what to suggest when nothing matches.

use std::collections::BTreeSet;

use clap::CommandFactory as _;

use super::args::{Cli, RunArgs, Shard};
use crate::case::{Case, Level};

/// Most names that are suggested.
const SUGGESTIONS: usize = 5;

/// Similarity from which a name is suggested; 1 is equality.
const SIMILAR: f64 = 0.6;

/// Why no case is chosen.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// There is no such case.
    #[error("no case is called {name}; {}", suggestion(similar))]
    Unknown {
        /// The name.
        name: String,
        /// Names like it.
        similar: Vec<String>,
    },
    /// A subcommand after an option is taken for a filter.
    #[error("no case has {name} in its name; to give the subcommand {name}, write it before all options")]
    Misplaced {
        /// The subcommand.
        name: String,
    },
    /// A filter matches nothing.
    #[error("no case has {filter} in its name; {}", suggestion(similar))]
    NoMatch {
        /// The filter.
        filter: String,
        /// Names like it.
        similar: Vec<String>,
    },
    /// All that matched is left out again.
    #[error("--skip leaves nothing of {matched} matching case(s); skip less")]
    Skipped {
        /// Cases that matched.
        matched: usize,
    },
    /// All that matched is of other levels.
    #[error("none of {matched} matching case(s) is {}; give --level others", or(levels))]
    OtherLevels {
        /// Cases that matched.
        matched: usize,
        /// The levels that were asked for.
        levels: Vec<Level>,
    },
    /// More shards than cases.
    #[error("part {} of {} is empty, as only {cases} case(s) are shared out; use fewer parts", shard.number, shard.of)]
    EmptyShard {
        /// The shard.
        shard: Shard,
        /// Cases that were shared out.
        cases: usize,
    },
    /// Only ignored cases were asked for.
    #[error("no case is ignored; leave out --ignored")]
    Ignored,
    /// A need that no case has.
    #[error("no case needs {need}; give --require one of: all, {known}")]
    UnknownNeed {
        /// The need.
        need: String,
        /// All needs.
        known: String,
    },
}

/// The cases to run, in order.
pub(super) fn select<'r>(cases: &'r [Case], args: &RunArgs) -> Result<Vec<&'r Case>, SelectionError> {
    if args.ignored {
        return Err(SelectionError::Ignored);
    }
    args.filters.iter().try_for_each(|filter| must_match(cases, filter, args.exact))?;
    let kept = kept(cases, args);
    if kept.is_empty() {
        let matched = cases.iter().filter(|case| is_wanted(case, args)).count();
        let of_level = cases.iter().any(|case| is_wanted(case, args) && is_of_level(case, &args.levels));
        let other_levels = || SelectionError::OtherLevels { matched, levels: args.levels.clone() };
        return Err(if of_level { SelectionError::Skipped { matched } } else { other_levels() });
    }
    let part = part(&kept, args.shard);
    match args.shard {
        Some(shard) if part.is_empty() => Err(SelectionError::EmptyShard { shard, cases: kept.len() }),
        _ => Ok(part),
    }
}

/// The cases to list: the same, but that there are none is no error.
pub(super) fn list<'r>(cases: &'r [Case], args: &RunArgs) -> Vec<&'r Case> {
    if args.ignored { Vec::new() } else { part(&kept(cases, args), args.shard) }
}

fn kept<'r>(cases: &'r [Case], args: &RunArgs) -> Vec<&'r Case> {
    let is_skipped = |case: &Case| args.skip.iter().any(|skip| matches(case, skip, args.exact));
    cases.iter().filter(|case| is_wanted(case, args) && is_of_level(case, &args.levels) && !is_skipped(case)).collect()
}

fn part<'r>(kept: &[&'r Case], shard: Option<Shard>) -> Vec<&'r Case> {
    let is_in = |index: usize| shard.is_none_or(|shard| shard.contains(index));
    kept.iter().enumerate().filter(|&(index, _)| is_in(index)).map(|(_, case)| *case).collect()
}

fn is_wanted(case: &Case, args: &RunArgs) -> bool {
    args.filters.is_empty() || args.filters.iter().any(|filter| matches(case, filter, args.exact))
}

fn is_of_level(case: &Case, levels: &[Level]) -> bool {
    levels.is_empty() || levels.contains(&case.submission.level)
}

fn matches(case: &Case, filter: &str, exact: bool) -> bool {
    if exact { case.name == filter } else { case.name.contains(filter) }
}

fn must_match(cases: &[Case], filter: &str, exact: bool) -> Result<(), SelectionError> {
    if cases.iter().any(|case| matches(case, filter, exact)) {
        return Ok(());
    }
    if Cli::command().get_subcommands().any(|command| command.get_name() == filter) {
        return Err(SelectionError::Misplaced { name: filter.to_owned() });
    }
    let similar = similar(cases, filter);
    let filter = filter.to_owned();
    Err(if exact { SelectionError::Unknown { name: filter, similar } } else { SelectionError::NoMatch { filter, similar } })
}

/// The cases whose name contains a filter, and that are of one of the levels (any, if there are none): at least one.
pub(super) fn containing<'r>(cases: &'r [Case], filter: &str, levels: &[Level]) -> Result<Vec<&'r Case>, SelectionError> {
    must_match(cases, filter, false)?;
    let mut found: Vec<&Case> = cases.iter().filter(|case| matches(case, filter, false)).collect();
    let matched = found.len();
    found.retain(|case| is_of_level(case, levels));
    if found.is_empty() { Err(SelectionError::OtherLevels { matched, levels: levels.to_vec() }) } else { Ok(found) }
}

/// The cases of a name: one case, or the variants of a behaviour.
pub(super) fn named<'r>(cases: &'r [Case], name: &str) -> Result<Vec<&'r Case>, SelectionError> {
    let found: Vec<&Case> = cases.iter().filter(|case| case.name == name || case.behaviour == name).collect();
    if found.is_empty() { Err(SelectionError::Unknown { name: name.to_owned(), similar: similar(cases, name) }) } else { Ok(found) }
}

/// Refuses a need that no case has: it would never be unmet.
pub(super) fn check_needs(cases: &[Case], required: &[String]) -> Result<(), SelectionError> {
    let known: BTreeSet<String> = cases.iter().flat_map(|case| case.submission.needs).map(ToString::to_string).collect();
    match required.iter().find(|need| *need != "all" && !known.contains(*need)) {
        Some(need) => {
            Err(SelectionError::UnknownNeed { need: need.clone(), known: known.into_iter().collect::<Vec<_>>().join(", ") })
        }
        None => Ok(()),
    }
}

/// Names of cases and behaviours that were perhaps meant, best first.
fn similar(cases: &[Case], wanted: &str) -> Vec<String> {
    let names: BTreeSet<&str> = cases.iter().flat_map(|case| [case.name.as_str(), case.behaviour.as_str()]).collect();
    let mut scored: Vec<(f64, &str)> = names.into_iter().map(|name| (similarity(name, wanted), name)).collect();
    scored.retain(|&(score, _)| score >= SIMILAR);
    scored.sort_by(|(a, first), (b, second)| b.total_cmp(a).then(first.len().cmp(&second.len())).then(first.cmp(second)));
    scored.into_iter().take(SUGGESTIONS).map(|(_, name)| name.to_owned()).collect()
}

/// How alike two names are, from 0 to 1: as a whole, and in the last part of what was typed, for paths are easily mistaken.
fn similarity(name: &str, wanted: &str) -> f64 {
    let last = wanted.rsplit("::").next().unwrap_or(wanted);
    let parts = name.split("::").map(|part| strsim::normalized_damerau_levenshtein(part, last)).fold(0.0, f64::max);
    let inside = if last.len() > 2 && name.contains(last) { 0.9 } else { 0.0 };
    strsim::normalized_damerau_levenshtein(name, wanted).max(0.95 * parts).max(inside)
}

/// `required, documented or customary`.
fn or(levels: &[Level]) -> String {
    let words: Vec<String> = levels.iter().map(ToString::to_string).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

fn suggestion(similar: &[String]) -> String {
    if similar.is_empty() {
        return "`list` shows the names of all cases".to_owned();
    }
    format!("did you mean {}?", similar.join(" or "))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use rstest::rstest;

    use super::*;
    use crate::cli::explain::tests::{case, case_of};

    fn cases() -> Vec<Case> {
        let names = ["fifo::eof::follows::empty", "fifo::eof::follows::page", "pipe::eof::follows", "pipe::eof::wakes"];
        let mut cases: Vec<Case> = names.map(case).into();
        cases[2] = case_of(Level::Observed, names[2]);
        cases
    }

    fn args(line: &str) -> RunArgs {
        Cli::try_parse_from(std::iter::once("conformance").chain(line.split_whitespace())).unwrap().run
    }

    #[rstest]
    #[case::everything("", "0 1 2 3")]
    #[case::substrings("wakes page", "1 3")]
    #[case::exact("--exact pipe::eof::follows", "2")]
    #[case::skip("eof --skip fifo", "2 3")]
    #[case::skip_exact("--exact --skip pipe::eof pipe::eof::wakes", "3")]
    #[case::first_shard("--shard 1/2", "0 2")]
    #[case::shard_of_what_is_left("pipe --shard 2/2", "3")]
    #[case::level("--level required", "0 1 3")]
    #[case::levels("--level required,observed", "0 1 2 3")]
    #[case::level_of_some("pipe --level observed", "2")]
    fn cases_are_selected(#[case] line: &str, #[case] expected: &str) {
        let cases = cases();
        let index = |chosen: &Case| cases.iter().position(|case| case.name == chosen.name).unwrap().to_string();
        let chosen: Vec<String> = select(&cases, &args(line)).unwrap().into_iter().map(index).collect();
        assert_eq!(chosen.join(" "), expected);
        assert_eq!(list(&cases, &args(line)).len(), chosen.len());
    }

    #[rstest]
    #[case::filter(
        "pipe::eof::wakse",
        "no case has pipe::eof::wakse in its name; did you mean pipe::eof::wakes or pipe::eof::follows?"
    )]
    #[case::one_of_two("pipe sockets", "no case has sockets in its name; `list` shows the names of all cases")]
    #[case::case(
        "--exact fifo::eof::page",
        "no case is called fifo::eof::page; did you mean fifo::eof::follows::page or \
         pipe::eof::wakes or fifo::eof::follows?"
    )]
    #[case::behaviour(
        "--exact fifo::eof::folows",
        "no case is called fifo::eof::folows; did you mean fifo::eof::follows or pipe::eof::follows or fifo::eof::follows::page or \
         fifo::eof::follows::empty?"
    )]
    #[case::subcommand("-q run", "no case has run in its name; to give the subcommand run, write it before all options")]
    #[case::skipped("fifo --skip eof", "--skip leaves nothing of 2 matching case(s); skip less")]
    #[case::shard("fifo --shard 3/3", "part 3 of 3 is empty, as only 2 case(s) are shared out; use fewer parts")]
    #[case::levels("fifo --level observed,customary", "none of 2 matching case(s) is observed or customary; give --level others")]
    #[case::ignored("--ignored", "no case is ignored; leave out --ignored")]
    fn nothing_to_run_is_explained(#[case] line: &str, #[case] expected: &str) {
        assert_eq!(select(&cases(), &args(line)).unwrap_err().to_string(), expected);
        assert!(list(&cases(), &args(line)).len() < 3);
    }

    #[test]
    fn a_name_is_a_case_or_a_behaviour() {
        let cases = cases();
        let count = |name| named(&cases, name).map(|found| found.len()).ok();
        assert_eq!([count("fifo::eof::follows"), count("fifo::eof::follows::page"), count("fifo")], [Some(2), Some(1), None]);
    }

    #[test]
    fn a_list_may_be_of_some_levels() {
        let cases = cases();
        let count =
            |levels: &[Level]| containing(&cases, "pipe", levels).map(|found| found.len()).map_err(|error| error.to_string());
        assert_eq!((count(&[]), count(&[Level::Observed])), (Ok(2), Ok(1)));
        let error = "none of 2 matching case(s) is documented; give --level others";
        assert_eq!(count(&[Level::Documented]), Err(error.to_owned()));
    }

    #[test]
    fn a_need_that_no_case_has_cannot_be_required() {
        let error = check_needs(&cases(), &["all".to_owned(), "luck".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "no case needs luck; give --require one of: all, CAP_IPC_OWNER, second user");
        check_needs(&cases(), &["second user".to_owned()]).unwrap();
    }
}
