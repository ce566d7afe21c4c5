//! Hand-made events for the tests of the reporters.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::case::Level;
use crate::outcome::{CaseResult, Cause, Finding, ProcessSnapshot, TimelineEntry, Unmet};
use crate::record::{Decided, Event, EventKind, Listed, RunEnded, RunStarted, Verdict};

/// A failed expectation, as in the design's example.
pub(super) fn failed_expectation() -> Finding {
    let mut finding = Finding::new(Cause::Expectation, "expected reader.join()? == Ok(0) to hold");
    finding.location = Some(("suites/pipe/eof.rs".to_owned(), 41));
    finding.expression = Some("reader.join()? == Ok(0)".to_owned());
    finding.expected = Some("Ok(0)".to_owned());
    finding.seen = Some("Err(EAGAIN)".to_owned());
    finding.timeline = [(120, "spawned"), (200, "asleep in read"), (310, "woke"), (330, "exited")]
        .map(|(at_us, what)| TimelineEntry { at_us, who: "reader".to_owned(), what: what.to_owned() })
        .to_vec();
    finding
}

/// A case that was still running at its deadline.
pub(super) fn deadline() -> Finding {
    let mut finding = Finding::new(Cause::Deadline, "still running after 10 s");
    finding.processes = vec![ProcessSnapshot {
        pid: 12,
        name: "reader".to_owned(),
        state: "sleeping".to_owned(),
        system_call: Some("read".to_owned()),
        wait_channel: Some("pipe_read".to_owned()),
        descriptors: vec!["3 → pipe:[77]".to_owned()],
    }];
    finding.output = "one\ntwo\n".to_owned();
    finding.detail("injection point", "killed after write #2 returned").detail("input", "[\n  1,\n]")
}

/// A case of that name with a verdict.
pub(super) fn decided(case: &str, verdict: Verdict) -> Decided {
    let result = match verdict {
        Verdict::Ok | Verdict::Xpass => CaseResult::Pass,
        Verdict::Xfail | Verdict::UnexpectedFail => CaseResult::Fail,
        Verdict::UnexpectedUnsupported => CaseResult::Unsupported,
        Verdict::Unresolved => CaseResult::Unresolved,
        Verdict::Untested => CaseResult::Untested,
    };
    let is_listed = matches!(verdict, Verdict::Xfail | Verdict::Xpass);
    let listed = Listed { because: "it is broken".to_owned(), source: "x.c".to_owned(), result: CaseResult::Fail };
    Decided {
        case: case.to_owned(),
        behaviour: case.split("::").take(3).collect::<Vec<_>>().join("::"),
        iteration: 0,
        level: Level::Required,
        result,
        verdict,
        duration_us: 900,
        requirement: "A reader sees the end.".to_owned(),
        clauses: vec!["POSIX read".to_owned(), "pipe(7)".to_owned()],
        fixed_in: None,
        finding: match result {
            CaseResult::Pass => None,
            CaseResult::Untested => {
                let why = Some("EPERM".to_owned());
                Some(Finding::unmet(Unmet { need: "second user".to_owned(), phrase: "a second user".to_owned(), why }))
            }
            CaseResult::Fail => Some(failed_expectation()),
            CaseResult::Unsupported => Some(Finding::new(Cause::Missing, "mq_open is missing here: ENOSYS")),
            CaseResult::Unresolved => Some(Finding::new(Cause::Setup, "a step that sets the case up failed with ENOSPC")),
        },
        listed: is_listed.then_some(listed),
        observations: BTreeMap::new(),
        weak: Vec::new(),
        case_seed: 7,
        run_seed: 3,
        again: format!("cargo conformance run --exact '{case}'"),
    }
}

fn event(at_us: u64, kind: EventKind) -> Event {
    Event { at_us, kind }
}

pub(super) fn run_started(planned: usize) -> Event {
    event(
        0,
        EventKind::RunStarted(RunStarted {
            version: "0.1.0".to_owned(),
            platform: "Linux".to_owned(),
            system: "Linux 6.1.0 x86_64, glibc 2.36".to_owned(),
            isolation: "private".to_owned(),
            jobs: 2,
            seed: 7,
            time_scale: 1.0,
            planned,
            behaviours: planned,
            remarks: vec!["the kernel's log cannot be read".to_owned()],
        }),
    )
}

pub(super) fn started(case: &str, iteration: u32) -> Event {
    event(1, EventKind::CaseStarted { case: case.to_owned(), iteration, alone: false })
}

pub(super) fn ended_case(decided: Decided) -> Event {
    event(2, EventKind::Decided(Box::new(decided)))
}

/// The end of a run with these cases.
pub(super) fn run_ended(cases: &[Decided]) -> Event {
    let mut end = RunEnded { duration_us: 1_234_567, ..RunEnded::default() };
    for case in cases {
        end.count(case);
    }
    event(3, EventKind::RunEnded(end))
}

/// A whole run of these cases.
pub(super) fn run(cases: &[Decided]) -> Vec<Event> {
    let mut events = vec![run_started(cases.len())];
    for case in cases {
        events.push(started(&case.case, case.iteration));
        events.push(ended_case(case.clone()));
    }
    events.push(run_ended(cases));
    events
}

/// Compares with a file in `fixtures/golden/`, or writes it where `BLESS` is set.
pub(super) fn assert_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden").join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, actual).unwrap();
    }
    assert_eq!(actual, fs::read_to_string(&path).unwrap(), "{name} differs");
}
