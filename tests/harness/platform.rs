//! Results held against a platform file.

use conformance::outcome::{CaseResult, Cause};
use conformance::record::Verdict;
use rstest::rstest;

use crate::suite::{Ran, Suite};

/// Runs some cases against a platform file of those entries.
fn against(entries: &str, cases: &[&str]) -> Ran {
    let suite = Suite::command(["run", "--time-scale", "1", "--jobs", "1", "--exact"]);
    let platform = suite.file("here.toml", &format!("name = \"here\"\n{entries}"));
    let record = suite.record();
    let suite = suite.arg("--platform").arg(platform).arg("--report").arg(format!("jsonl:{}", record.display()));
    cases.iter().fold(suite, Suite::arg).wait()
}

fn deviation(case: &str, result: &str, more: &str) -> String {
    format!(
        "[[deviation]]\ncases = \"{case}\"\nresult = \"{result}\"\ncategory = \"bug\"\nbecause = \"it is broken\"\nsource = \"x.c\"\n{more}\n"
    )
}

#[rstest]
#[case::as_listed("bad::outcome::differs", "fail", "", Verdict::Xfail, "ok (xfail: it is broken)")]
#[case::as_listed_exactly("bad::outcome::differs", "fail", "seen = \"Err(EAGAIN)\"", Verdict::Xfail, "ok (xfail: it is broken)")]
#[case::otherwise("bad::outcome::differs", "fail", "seen = \"Err(EINTR)\"", Verdict::UnexpectedFail, "FAILED")]
#[case::gone("bad::outcome::observes", "fail", "", Verdict::Xpass, "FAILED (xpass: listed as deviating because it is broken)")]
#[case::missing("bad::outcome::is_unsupported", "unsupported", "", Verdict::Xfail, "ok (xfail: it is broken)")]
#[case::another_result("bad::outcome::is_unresolved", "fail", "", Verdict::Unresolved, "FAILED (unresolved)")]
#[case::a_crash("bad::crash::aborts", "fail", "", Verdict::Xfail, "ok (xfail: it is broken)")]
#[case::of_another_kernel("bad::outcome::differs", "fail", "until = \"0.1\"", Verdict::UnexpectedFail, "FAILED")]
fn a_deviation_is_expected(
    #[case] case: &str,
    #[case] result: &str,
    #[case] more: &str,
    #[case] verdict: Verdict,
    #[case] word: &str,
) {
    let ran = against(&deviation(case, result, more), &[case]);
    assert_eq!(ran.case(case).verdict, verdict, "{}", ran.out);
    assert_eq!(ran.lines(), [format!("test {case} ... {word}")]);
    assert_eq!(ran.code(), Some(i32::from(!verdict.is_good())));
}

#[test]
fn what_must_not_be_run_is_not_run() {
    let ran = against(&deviation("bad::hang::*", "do-not-run", ""), &["bad::hang::spins", "bad::zz::is_unharmed"]);
    let spins = ran.case("bad::hang::spins");
    assert_eq!((spins.result, spins.verdict), (CaseResult::Untested, Verdict::Untested));
    assert!(spins.duration_us < 100_000, "it was run");
    assert_eq!(ran.code(), Some(0));
}

#[rstest]
#[case::as_pinned("7", Verdict::Ok, 0)]
#[case::otherwise("8", Verdict::UnexpectedFail, 1)]
fn an_observation_may_be_pinned(#[case] pin: &str, #[case] verdict: Verdict, #[case] code: i32) {
    let ran = against(&format!("[observations]\n\"bad.number\" = {pin}\n"), &["bad::outcome::observes"]);
    let decided = ran.case("bad::outcome::observes");
    assert_eq!((decided.verdict, ran.code()), (verdict, Some(code)));
    assert_eq!(decided.observations["bad.number"], 7);
    assert_eq!(decided.finding.as_ref().map(|finding| finding.cause.clone()), (code == 1).then_some(Cause::Observation));
}

#[rstest]
#[case::unknown_key("[[deviation]]\nkases = \"x\"\n", "here.toml:3:1: ")]
#[case::no_toml("a = = b\n", "here.toml:2:5: ")]
#[case::no_reason("[[deviation]]\ncases = \"bad::zz::*\"\nresult = \"fail\"\n", "here.toml:2:1: ")]
#[case::no_case(
    "[[deviation]]\ncases = \"aa::*\"\nresult = \"fail\"\ncategory = \"bug\"\nbecause = \"x\"\nsource = \"y\"\n",
    "here.toml:3:9: no case is called aa::*; "
)]
fn a_mistake_in_a_file_has_its_place(#[case] entries: &str, #[case] text: &str) {
    let ran = against(entries, &["bad::zz::is_unharmed"]);
    assert!(ran.error.starts_with("error: cannot use the platform: "), "{}", ran.error);
    assert!(ran.error.contains(text), "{}", ran.error);
    assert_eq!((ran.error.lines().count(), ran.out.as_str(), ran.code()), (1, "", Some(2)));
}
