//! What the harness costs, at one job: an empty case, a case with two participants, one point of a sweep.
//!
//! Measured from the first case's start to the last verdict, so that the sandbox of the run is not counted, but everything that
//! a case costs is: fork, audit, verdict and report.

use std::time::Duration;

use conformance::case::Registry;
use conformance::platform::{Platform, System};
use conformance::record::{Event, EventKind, ReportError, Reporter, Verdict};
use conformance::run::{RunOptions, execute};
use conformance::sandbox::IsolationChoice;
use criterion::Criterion;

mod bench {
    pub mod cost {
        use conformance::prelude::*;

        /// Nothing is required.
        #[expect(clippy::unnecessary_wraps, reason = "the shape of a case")]
        #[conformance::test(man = "fork(2)")]
        fn of_an_empty_case() -> Outcome {
            Ok(())
        }

        /// Two participants are made and heard from.
        #[conformance::test(man = "fork(2)")]
        fn of_two_participants() -> Outcome {
            let one = Participant::spawn("one", (), |(), _| 1)?;
            let two = Participant::spawn("two", (), |(), _| 2)?;
            expect_eq!((one.join()?, two.join()?), (1, 2));
            Ok(())
        }

        /// A victim of two calls, so of four points, and the run in which it finishes.
        #[conformance::test(man = "ptrace(2)")]
        fn of_a_sweep() -> Outcome {
            sweep(|run| {
                let (reader, writer) = pipe()?;
                let victim = run.victim("writer", writer, |end, _| (write(&end, b"one"), write(&end, b"two")))?;
                expect_eq!(read_to_end(&reader).map(|bytes| bytes.len()), Ok(3 * victim.returned("write").len()));
                Ok(())
            })
        }
    }
}

/// Takes the time between the first start and the last verdict.
#[derive(Default)]
struct Stopwatch {
    first: Option<u64>,
    last: u64,
    bad: Option<String>,
}

impl Reporter for Stopwatch {
    fn event(&mut self, event: &Event) -> Result<(), ReportError> {
        match &event.kind {
            EventKind::CaseStarted { .. } => self.first = self.first.or(Some(event.at_us)),
            EventKind::Decided(decided) => {
                self.last = event.at_us;
                if decided.verdict != Verdict::Ok {
                    self.bad = Some(format!("{decided:?}"));
                }
            }
            EventKind::RunStarted(_) | EventKind::RunEnded(_) => {}
        }
        Ok(())
    }
}

fn time(registry: &Registry, platform: &Platform, name: &str, iterations: u64) -> Duration {
    let options = RunOptions {
        cases: registry.find(name).into_iter().collect(),
        jobs: 1,
        isolation: IsolationChoice::Auto,
        time_scale: None,
        seed: 1,
        property_cases: None,
        repeat: u32::try_from(iterations).expect("few iterations"),
        until_fail: false,
        require: Vec::new(),
        nocapture: false,
    };
    let mut stopwatch = Stopwatch::default();
    execute(&options, platform, &mut stopwatch).expect("a run");
    assert_eq!(stopwatch.bad, None);
    Duration::from_micros(stopwatch.last - stopwatch.first.expect("a case"))
}

fn main() {
    conformance::sys::process::threads::count_foreign_threads();
    let registry = Registry::collect().expect("cases");
    let platform = Platform::load(None, &System::detect()).expect("a platform file");
    let mut criterion = Criterion::default().configure_from_args();
    for case in registry.cases() {
        criterion.bench_function(&case.name, |bencher| {
            bencher.iter_custom(|iterations| time(&registry, &platform, &case.name, iterations));
        });
    }
    criterion.final_summary();
}
