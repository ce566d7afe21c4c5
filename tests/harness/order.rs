//! The order of a run, its parts, and its repetitions.

use std::collections::BTreeSet;

use crate::suite::Suite;

/// Without what differs from run to run: process ids, times and names of objects are not in the lines.
const CASES: [&str; 6] = ["bad::crash::", "bad::left::", "bad::outcome::", "bad::participant::panics", "bad::talk::", "bad::zz::"];

fn run(options: &[&str]) -> crate::suite::Ran {
    Suite::run(CASES).arg("--skip").arg("_its_worker").args(options).wait()
}

impl Suite {
    fn args(self, arguments: &[&str]) -> Self {
        arguments.iter().fold(self, Suite::arg)
    }
}

#[test]
fn the_number_of_workers_does_not_change_what_is_printed() {
    let (one, four) = (run(&["--jobs", "1"]), run(&["--jobs", "4"]));
    assert_eq!(one.lines(), four.lines());
    let mut sorted = one.lines();
    sorted.sort_unstable();
    assert_eq!(one.lines(), sorted);
    assert_eq!(one.end().totals, four.end().totals);
    assert_eq!((one.code(), four.code()), (Some(1), Some(1)));
    four.assert_clean();
}

#[test]
fn shards_share_out_all_cases() {
    let names = |ran: &crate::suite::Ran| ran.decided().iter().map(|it| it.case.clone()).collect::<BTreeSet<_>>();
    let shards = [run(&["--shard", "1/2"]), run(&["--shard", "2/2"])];
    let (first, second) = (names(&shards[0]), names(&shards[1]));
    assert!(first.is_disjoint(&second));
    assert!(first.len().abs_diff(second.len()) <= 1);
    assert_eq!(first.union(&second).cloned().collect::<BTreeSet<_>>(), names(&run(&[])));
}

#[test]
fn repetitions_are_run_counted_and_named() {
    let ran = Suite::run(["--repeat", "3", "--exact", "bad::outcome::observes", "bad::zz::is_unharmed"]).wait();
    let expected =
        ["observes ... ok", "observes ... ok (run 2)", "observes ... ok (run 3)"].map(|end| format!("test bad::outcome::{end}"));
    assert_eq!(ran.lines()[..3], expected);
    assert_eq!(ran.decided().len(), 6);
    assert!(ran.out.ends_with("\n2 behaviours in 2 variants, 6 runs: 6 ok\ndocumented 3, observed 3\n"), "{}", ran.out);
    assert_eq!(ran.junit.matches("<testcase ").count(), 6);
    assert_eq!(ran.code(), Some(0));
}

#[test]
fn until_fail_stops_at_the_first_bad_verdict() {
    let ran = Suite::run([
        "--until-fail",
        "--jobs",
        "1",
        "--exact",
        "bad::dirt::of_the_umask",
        "bad::outcome::differs",
        "bad::zz::is_unharmed",
    ])
    .wait();
    let names: Vec<&str> = ran.decided().iter().map(|it| it.case.as_str()).collect();
    assert_eq!(names, ["bad::dirt::of_the_umask", "bad::outcome::differs"]);
    assert!(ran.out.contains("\ncut short: stopped at the first bad verdict, as --until-fail asks;"), "{}", ran.out);
    assert_eq!(ran.code(), Some(1));
}

#[test]
fn until_fail_has_rounds() {
    let ran = Suite::run(["--until-fail", "--repeat", "4", "--exact", "bad::outcome::observes"]).wait();
    assert_eq!((ran.decided().len(), ran.code()), (4, Some(0)));
}
