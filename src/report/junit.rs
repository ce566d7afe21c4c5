//! The XML of `JUnit`, for CI systems: a suite for each mechanism, sorted, and the same for the same results.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::text;
use crate::outcome::CaseResult;
use crate::record::{Decided, Event, EventKind, ReportError, Reporter, RunStarted, Verdict};

/// Collects what is decided, and writes the report at the end of the run.
pub struct Junit<W> {
    out: W,
    run: Option<RunStarted>,
    cases: BTreeMap<(String, u32), Decided>,
}

impl<W: Write> Junit<W> {
    /// A report to `out`.
    pub fn new(out: W) -> Self {
        Junit { out, run: None, cases: BTreeMap::new() }
    }

    fn report(&self, duration: Duration) -> Report {
        let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
        for decided in self.cases.values() {
            let mechanism = decided.case.split("::").next().unwrap_or_default();
            let suite = suites.entry(mechanism).or_insert_with(|| suite(mechanism, self.run.as_ref()));
            suite.add_test_case(test_case(mechanism, decided));
        }
        let mut report = Report::new("ipc-conformance");
        report.set_time(duration);
        for mut suite in suites.into_values() {
            let time = suite.test_cases.iter().filter_map(|case| case.time).sum();
            suite.set_time(time);
            report.add_test_suite(suite);
        }
        report
    }
}

impl<W: Write> Reporter for Junit<W> {
    fn event(&mut self, event: &Event) -> Result<(), ReportError> {
        match &event.kind {
            EventKind::RunStarted(run) => {
                self.run = Some(run.clone());
                Ok(())
            }
            EventKind::CaseStarted { .. } => Ok(()),
            EventKind::Decided(decided) => {
                self.cases.insert((decided.case.clone(), decided.iteration), Decided::clone(decided));
                Ok(())
            }
            EventKind::RunEnded(end) => {
                let report = self.report(Duration::from_micros(end.duration_us));
                // In memory first: its own error hides what the file system said.
                let xml = report.to_string().map_err(std::io::Error::other).map_err(ReportError::writing("junit"))?;
                self.out.write_all(xml.as_bytes()).and_then(|()| self.out.flush()).map_err(ReportError::writing("junit"))
            }
        }
    }
}

/// An empty suite, with what is known of the run: the form has no other place for it.
fn suite(mechanism: &str, run: Option<&RunStarted>) -> TestSuite {
    let mut suite = TestSuite::new(mechanism);
    if let Some(RunStarted { platform, system, isolation, seed, remarks, .. }) = run {
        let facts = [("platform", platform), ("system", system), ("isolation", isolation), ("run seed", &seed.to_string())];
        for (name, value) in facts.into_iter().chain(remarks.iter().map(|remark| ("remark", remark))) {
            suite.add_property((name, value.as_str()));
        }
    }
    suite
}

fn test_case(mechanism: &str, decided: &Decided) -> TestCase {
    let name = match decided.iteration {
        0 => decided.case.clone(),
        again => format!("{} (run {})", decided.case, u64::from(again) + 1),
    };
    let mut case = TestCase::new(name, status(decided));
    case.set_classname(mechanism);
    case.set_time(Duration::from_micros(decided.duration_us));
    case.add_property(("requirement", decided.requirement.as_str()));
    case.add_property(("clauses", decided.clauses.join("; ").as_str()));
    case.add_property(("level", decided.level.to_string().as_str()));
    if let Some(listed) = &decided.listed {
        let reason = format!("listed as {}, because {} ({})", listed.result, listed.because, listed.source);
        case.add_property(("listed", reason.as_str()));
        if decided.verdict == Verdict::Xfail {
            case.set_system_out(format!("{reason}\n\n{}", text::finding(decided)));
        }
    }
    for (key, value) in &decided.observations {
        case.add_property((format!("observed {key}").as_str(), value.to_string().as_str()));
    }
    case
}

fn status(decided: &Decided) -> TestCaseStatus {
    match decided.verdict {
        Verdict::Xfail if decided.result == CaseResult::Unsupported => skipped(&missing(decided)),
        Verdict::Ok | Verdict::Xfail => TestCaseStatus::success(),
        Verdict::Untested => skipped(&text::untested(decided)),
        Verdict::UnexpectedFail | Verdict::Xpass | Verdict::UnexpectedUnsupported | Verdict::Unresolved => failure(decided),
    }
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}

fn missing(decided: &Decided) -> String {
    let reason = decided.listed.as_ref().map(|listed| listed.because.as_str());
    format!("unsupported, as listed: {}", reason.unwrap_or_default())
}

fn failure(decided: &Decided) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let message = decided.finding.as_ref().map(|finding| finding.message.as_str());
    status.set_type(decided.verdict.to_string());
    status.set_message(message.unwrap_or("a listed deviation is gone"));
    status.set_description(text::finding(decided));
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_file_is_sorted_and_whole() {
        let unsupported =
            Decided { result: CaseResult::Unsupported, finding: None, ..samples::decided("sem::a::lacks", Verdict::Xfail) };
        let mut seen = samples::decided("pipe::a::passes", Verdict::Ok);
        seen.observations.insert("pipe.buf".to_owned(), 4096.into());
        let cases = [
            unsupported,
            samples::decided("sem::a::untested", Verdict::Untested),
            samples::decided("pipe::a::xfails", Verdict::Xfail),
            seen,
            samples::decided("pipe::a::fails", Verdict::UnexpectedFail),
        ];
        let mut out = Vec::new();
        let mut junit = Junit::new(&mut out);
        for event in samples::run(&cases) {
            junit.event(&event).unwrap();
        }
        samples::assert_golden("junit.xml", &String::from_utf8(out).unwrap());
    }
}
