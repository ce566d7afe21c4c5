//! A finding as text: the one place that knows the form in which people read it, on a terminal as in a `JUnit` file.

use std::fmt::Write as _;

use textwrap::Options;

use crate::outcome::{Cause, Finding, ProcessSnapshot, TimelineEntry};
use crate::record::{Decided, Verdict};

/// Columns of everything that is wrapped.
pub const WIDTH: usize = 120;

/// Columns of the shortest label column.
const LABELS: usize = "requirement".len();

/// Longest pair of expected and seen value that shares a line.
const PAIR: usize = 80;

/// Most entries of a timeline that are shown.
const ENTRIES: usize = 40;

/// Everything that there is to say about a case that did not come out well. Ends with a newline.
pub fn finding(decided: &Decided) -> String {
    format!("{}{}", word(decided.verdict), after_word(decided))
}

/// The finding without its first word, for a caller that colours the word.
pub(super) fn after_word(decided: &Decided) -> String {
    let rows = rows(decided);
    let column = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default().max(LABELS);
    let mut text = heading(decided);
    for (label, value) in rows {
        for (index, line) in value.lines(WIDTH - column - 4).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            text.push_str(format!("  {label:column$}  {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

/// The verdict, as the first word of a finding.
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "OK",
        Verdict::Xfail => "XFAIL",
        Verdict::UnexpectedFail => "FAIL",
        Verdict::Xpass => "XPASS",
        Verdict::UnexpectedUnsupported => "UNSUPPORTED",
        Verdict::Unresolved => "UNRESOLVED",
        Verdict::Untested => "UNTESTED",
    }
}

/// Name and duration, with the space before them.
fn heading(decided: &Decided) -> String {
    let duration = duration(decided.duration_us);
    let width = WIDTH - duration.len() - 3 - word(decided.verdict).len();
    format!(" {:<width$}  {duration}\n", decided.case)
}

/// What stands behind a label.
enum Value {
    /// Words, which are wrapped.
    Words(String),
    /// Something to be copied or to be seen as it is.
    Verbatim(String),
}

impl Value {
    fn lines(&self, width: usize) -> Vec<String> {
        match self {
            Value::Words(text) => wrapped(text, width),
            Value::Verbatim(text) => text.lines().map(str::to_owned).collect(),
        }
    }
}

fn rows(decided: &Decided) -> Vec<(&str, Value)> {
    let requirement = format!("{}   [{}]", decided.requirement, decided.clauses.join("; "));
    let level = format!("{}: {}", decided.level, decided.level.meaning());
    let mut rows = vec![("requirement", Value::Words(requirement)), ("level", Value::Words(level))];
    if let Some(release) = &decided.fixed_in {
        rows.push(("fixed in", Value::Words(release.clone())));
    }
    // For other verdicts the finding's details tell which deviation is listed, with the value that it expects.
    if let (Verdict::Xpass, Some(listed)) = (decided.verdict, &decided.listed) {
        let advice = "if that is over, remove the entry from the platform file";
        let text =
            format!("{}, because {} ({}); came out as {}: {advice}", listed.result, listed.because, listed.source, decided.result);
        rows.push(("listed", Value::Words(text)));
    }
    if let Some(finding) = &decided.finding {
        rows.extend(finding_rows(finding));
    }
    for weakness in &decided.weak {
        rows.push(("evidence", Value::Words(format!("weak: {weakness}"))));
    }
    rows.push(("case seed", Value::Verbatim(decided.case_seed.to_string())));
    rows.push(("run seed", Value::Verbatim(decided.run_seed.to_string())));
    rows.push(("again", Value::Verbatim(decided.again.clone())));
    rows
}

fn finding_rows(finding: &Finding) -> Vec<(&str, Value)> {
    let mut rows = Vec::new();
    if let Some((file, line)) = &finding.location {
        let expression = finding.expression.as_deref().unwrap_or_default();
        rows.push(("at", Value::Verbatim(format!("{file}:{line}  {expression}"))));
    }
    // The sentence of a failed expectation only repeats its expression.
    if finding.cause != Cause::Expectation || finding.expression.is_none() {
        rows.push(("cause", Value::Words(finding.message.clone())));
    }
    rows.extend(values(finding));
    rows.extend(finding.details.iter().map(|(label, text)| (label.as_str(), Value::Words(text.clone()))));
    if !finding.timeline.is_empty() {
        rows.push(("timeline", Value::Words(timeline(&finding.timeline))));
    }
    for (index, process) in finding.processes.iter().enumerate() {
        rows.push((if index == 0 { "processes" } else { "" }, Value::Words(snapshot(process))));
    }
    if !finding.output.trim().is_empty() {
        rows.push(("output", Value::Verbatim(finding.output.clone())));
    }
    rows
}

/// Expected and seen, on one line where both are short.
fn values(finding: &Finding) -> Vec<(&str, Value)> {
    let verbatim = |text: &String| Value::Verbatim(text.clone());
    if let (Some(expected), Some(seen)) = (&finding.expected, &finding.seen)
        && expected.chars().count() + seen.chars().count() <= PAIR
        && !expected.contains('\n')
        && !seen.contains('\n')
    {
        return vec![("expected", Value::Verbatim(format!("{expected:<13}  seen  {seen}")))];
    }
    let expected = finding.expected.as_ref().map(|text| ("expected", verbatim(text)));
    let seen = finding.seen.as_ref().map(|text| ("seen", verbatim(text)));
    expected.into_iter().chain(seen).collect()
}

/// `+0.12 ms reader spawned · +0.20 reader asleep in read`, wrapped between entries only; the middle of a long one is left out.
fn timeline(entries: &[TimelineEntry]) -> String {
    let mut parts: Vec<String> = entries.iter().enumerate().map(|(index, entry)| moment(index, entry)).collect();
    if let Some(surplus) = parts.len().checked_sub(ENTRIES).filter(|&surplus| surplus > 0) {
        let left_out = format!("… {surplus} more …");
        parts.splice(ENTRIES / 4..ENTRIES / 4 + surplus, [left_out]);
    }
    parts.iter().map(|part| part.replace(' ', NO_BREAK)).collect::<Vec<_>>().join(&format!("{NO_BREAK}· "))
}

fn moment(index: usize, TimelineEntry { at_us, who, what }: &TimelineEntry) -> String {
    let unit = if index == 0 { " ms" } else { "" };
    format!("+{}.{:02}{unit} {who} {what}", at_us / 1000, at_us % 1000 / 10)
}

fn snapshot(process: &ProcessSnapshot) -> String {
    let mut text = format!("{} {}: {}", process.pid, process.name, process.state);
    if let Some(call) = &process.system_call {
        let _ = write!(text, " in {call}");
    }
    if let Some(channel) = &process.wait_channel {
        let _ = write!(text, ", waiting at {channel}");
    }
    if !process.descriptors.is_empty() {
        let _ = write!(text, "; descriptors {}", process.descriptors.join(", "));
    }
    text
}

/// A space at which no line is broken; printed as an ordinary one.
const NO_BREAK: &str = "\u{a0}";

/// Text in lines of that width; words and commands stay whole.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width).break_words(false);
    textwrap::wrap(text.trim_end(), options).iter().map(|line| line.replace(NO_BREAK, " ")).collect()
}

/// `0.9 ms`, `12.3 s`.
fn duration(microseconds: u64) -> String {
    let tenths = microseconds.div_ceil(100);
    if tenths < 10_000 {
        return format!("{}.{} ms", tenths / 10, tenths % 10);
    }
    format!("{}.{} s", tenths / 10_000, tenths / 1000 % 10)
}

/// `1 behaviour`, `6,590 variants`.
pub fn plural(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(count))
}

/// `6590` → `6,590`.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Why an untested case is that.
pub(super) fn untested(decided: &Decided) -> String {
    match (decided.unmet(), &decided.listed) {
        (Some(unmet), _) => format!("untested: needs {unmet}"),
        (None, Some(listed)) => format!("untested: must not be run here, because {}", listed.because),
        (None, None) => "untested".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn a_failed_expectation_has_the_fixed_form() {
        let mut decided = samples::decided("pipe::eof::takes_the_last_writer::kind=Fifo", Verdict::UnexpectedFail);
        decided.fixed_in = Some("Linux 5.10.4".to_owned());
        decided.weak = vec!["no state of a process can be seen here".to_owned()];
        let expected = "\
FAIL pipe::eof::takes_the_last_writer::kind=Fifo                                                                  0.9 ms
  requirement  A reader sees the end.   [POSIX read; pipe(7)]
  level        required: POSIX says shall
  fixed in     Linux 5.10.4
  at           suites/pipe/eof.rs:41  reader.join()? == Ok(0)
  expected     Ok(0)          seen  Err(EAGAIN)
  timeline     +0.12 ms reader spawned · +0.20 reader asleep in read · +0.31 reader woke · +0.33 reader exited
  evidence     weak: no state of a process can be seen here
  case seed    7
  run seed     3
  again        cargo conformance run --exact 'pipe::eof::takes_the_last_writer::kind=Fifo'
";
        assert_eq!(finding(&decided), expected);
    }

    #[test]
    fn a_deadline_shows_processes_and_output_and_aligns_long_labels() {
        let mut decided = samples::decided("pipe::eof::x", Verdict::UnexpectedFail);
        decided.finding = Some(samples::deadline());
        decided.duration_us = 10_012_345;
        let expected = "\
FAIL pipe::eof::x                                                                                                 10.0 s
  requirement      A reader sees the end.   [POSIX read; pipe(7)]
  level            required: POSIX says shall
  cause            still running after 10 s
  injection point  killed after write #2 returned
  input            [
                     1,
                   ]
  processes        12 reader: sleeping in read, waiting at pipe_read; descriptors 3 → pipe:[77]
  output           one
                   two
  case seed        7
  run seed         3
  again            cargo conformance run --exact 'pipe::eof::x'
";
        assert_eq!(finding(&decided), expected);
    }

    #[test]
    fn a_deviation_that_is_gone_says_what_to_do() {
        let expected = "\
XPASS pipe::eof::x                                                                                                0.9 ms
  requirement  A reader sees the end.   [POSIX read; pipe(7)]
  level        required: POSIX says shall
  listed       fail, because it is broken (x.c); came out as pass: if that is over, remove the entry from the platform
               file
  case seed    7
  run seed     3
  again        cargo conformance run --exact 'pipe::eof::x'
";
        assert_eq!(finding(&samples::decided("pipe::eof::x", Verdict::Xpass)), expected);
    }

    #[test]
    fn long_values_have_lines_of_their_own() {
        let mut decided = samples::decided("pipe::eof::x", Verdict::UnexpectedFail);
        decided.finding.as_mut().unwrap().seen = Some("9".repeat(90));
        let text = finding(&decided);
        assert!(text.contains(&format!("\n  expected     Ok(0)\n  seen         {}\n", "9".repeat(90))), "{text}");
    }

    #[test]
    fn a_timeline_is_broken_between_entries_and_its_middle_left_out() {
        let entry = |at_us| TimelineEntry { at_us, who: "writer".to_owned(), what: "wrote one more byte".to_owned() };
        let entries: Vec<_> = (0..100).map(|step| entry(step * 1000)).collect();
        let lines = wrapped(&timeline(&entries), 80);
        assert_eq!(lines[0], "+0.00 ms writer wrote one more byte · +1.00 writer wrote one more byte ·");
        assert!(lines.iter().any(|line| line.contains("… 60 more …")));
        assert_eq!(lines.last().unwrap(), "+99.00 writer wrote one more byte");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((plural(1, "variant"), plural(6590, "variant")), ("1 variant".to_owned(), "6,590 variants".to_owned()));
        assert_eq!([0, 45, 999_900, 1_000_000, 65_432_000].map(duration), ["0.0 ms", "0.1 ms", "999.9 ms", "1.0 s", "65.4 s"]);
    }
}
