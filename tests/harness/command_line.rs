//! The command line as a user, `cargo test` and nextest meet it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use conformance::case::Level;
use conformance::record::Verdict;
use rstest::rstest;

use crate::suite::Suite;

#[rstest]
#[case::unknown_case(&["--exact", "bad::zz::is_unharmd"], "error: cannot choose the cases: no case is called bad::zz::is_unharmd; did you mean bad::zz::is_unharmed")]
#[case::unknown_filter(&["nonsense"], "error: cannot choose the cases: no case has nonsense in its name")]
#[case::no_such_shard(&["--shard", "5/4"], "there is no part 5 of 4")]
#[case::report_in_no_directory(&["--report", "junit:/nowhere/x.xml"], "error: cannot write the report /nowhere/x.xml; ")]
#[case::report_is_a_directory(&["--report", "jsonl:/"], "error: cannot write the report /; ")]
#[case::unwritable_platform_directory(&["--platform", "/"], "/ cannot be read")]
#[case::unknown_format(&["--report", "tap:x"], "tap is no format")]
#[case::unknown_platform(&["--platform", "beos"], "error: cannot use the platform: no platform is called beos; ")]
#[case::no_platform_file(&["--platform", "/nowhere/x.toml"], "/nowhere/x.toml cannot be read")]
#[case::unknown_need(&["--require", "luck"], "no case needs luck")]
#[case::unknown_level(&["--level", "required,optional"], "optional is no level; known are required, documented, customary, observed")]
#[case::level_of_no_match(&["--level", "customary", "bad::zz::"], "none of 1 matching case(s) is customary; give --level others")]
#[case::unknown_option(&["--frobnicate"], "unexpected argument '--frobnicate'")]
fn what_cannot_be_done_is_said_in_a_sentence(#[case] arguments: &[&str], #[case] sentence: &str) {
    let suite = Suite::command(["run"]);
    let platform = suite.file("bare.toml", "name = \"bare\"\n");
    let suite = if arguments[0] == "--platform" { suite } else { suite.arg("--platform").arg(platform) };
    let ran = arguments.iter().fold(suite, Suite::arg).wait();
    assert!(ran.error.contains(sentence), "{}", ran.error);
    assert_eq!((ran.out.as_str(), ran.code()), ("", Some(2)));
    ran.assert_clean();
}

/// A report that cannot be written to its end ends the run, whose cases go with it.
#[cfg(target_os = "linux")]
#[rstest]
fn a_full_disk_is_said_in_a_sentence(#[values("human", "jsonl", "junit")] format: &str) {
    let ran = Suite::run(["--report", &format!("{format}:/dev/full"), "--exact", "bad::zz::is_unharmed"]).wait();
    assert!(
        ran.error.starts_with(&format!("error: cannot write the {format} report; make room, or leave it out: ")),
        "{}",
        ran.error
    );
    assert_eq!((ran.error.lines().count(), ran.code()), (1, Some(2)));
    ran.assert_clean();
}

#[test]
fn needs_can_be_required() {
    let run =
        |required: &str| Suite::run(["--exact", "bad::outcome::is_untested", "bad::zz::is_unharmed", "--require", required]).wait();
    let ran = run("all");
    assert_eq!((ran.code(), ran.end().required.as_slice()), (Some(1), &["10000000000 descriptors".to_owned()][..]));
    assert!(ran.out.contains("\nrequired, and not met here: 10000000000 descriptors\n"), "{}", ran.out);
    assert_eq!(run("program no-such-program").code(), Some(0));
}

#[rstest]
#[case::good(&["bad::zz::is_unharmed"], 0)]
#[case::untested(&["bad::outcome::is_untested"], 0)]
#[case::failed(&["bad::outcome::differs"], 1)]
#[case::unresolved(&["bad::outcome::is_unresolved"], 1)]
#[case::unsupported(&["bad::outcome::is_unsupported"], 1)]
#[case::one_of_many(&["bad::outcome::differs", "bad::zz::is_unharmed"], 1)]
fn the_exit_code_tells(#[case] cases: &[&str], #[case] code: i32) {
    let suite = cases.iter().fold(Suite::run(["--exact"]), Suite::arg);
    assert_eq!(suite.wait().code(), Some(code));
}

/// Two cases fail, one of what POSIX requires and one of what is only customary.
#[rstest]
#[case::all("required,documented,customary,observed", &["customary", "differs", "observes"], 1)]
#[case::without_the_required("customary,observed", &["customary", "observes"], 1)]
#[case::observed_alone("observed", &["observes"], 0)]
fn levels_select_what_decides_the_exit_code(#[case] levels: &str, #[case] cases: &[&str], #[case] code: i32) {
    let names = ["bad::outcome::customary", "bad::outcome::differs", "bad::outcome::observes"];
    let ran = names.iter().fold(Suite::run(["--jobs", "1", "--level", levels, "--exact"]), Suite::arg).wait();
    let decided: Vec<&str> = ran.decided().iter().map(|it| it.case.rsplit("::").next().unwrap()).collect();
    assert_eq!((decided.as_slice(), ran.code()), (cases, Some(code)), "{}", ran.out);
}

#[test]
fn every_report_shows_levels() {
    let ran = Suite::run(["--exact", "bad::outcome::customary", "bad::outcome::observes"]).wait();
    assert_eq!(ran.case("bad::outcome::customary").level, Level::Customary);
    assert_eq!(ran.end().levels.values().map(|count| (count.decided, count.bad)).collect::<Vec<_>>(), [(1, 1), (1, 0)]);
    assert!(ran.out.contains("\n  level        customary: no document promises it"), "{}", ran.out);
    assert!(ran.out.ends_with("\ncustomary 1 (1 red), observed 1\n"), "{}", ran.out);
    for level in ["customary", "observed"] {
        assert!(ran.junit.contains(&format!("<property name=\"level\" value=\"{level}\"/>")), "{}", ran.junit);
    }
    let listed = Suite::command(["list", "bad::outcome", "--level", "observed,customary"]).wait();
    let names: Vec<Vec<&str>> = listed.out.lines().take(3).map(|line| line.split_whitespace().take(2).collect()).collect();
    let expected = [("customary", "customary"), ("observes", "observed"), ("observes_nothing", "observed")];
    assert_eq!(names, expected.map(|(name, level)| vec![format!("bad::outcome::{name}"), level.to_owned()]), "{}", listed.out);
    let explained = Suite::command(["explain", "bad::outcome::customary"]).wait();
    assert!(explained.out.contains("\n  level        customary: no document promises it"), "{}", explained.out);
}

#[test]
fn nextest_lists_and_runs_one_case() {
    let listed = Suite::command(["--list", "--format", "terse"]).wait();
    assert_eq!((listed.code(), listed.error.as_str()), (Some(0), ""));
    assert!(listed.out.lines().count() > 80);
    assert!(listed.out.lines().all(|line| line.ends_with(": test")), "{}", listed.out);
    assert!(listed.out.contains("\nbad::outcome::differs: test\n"));
    let ignored = Suite::command(["--list", "--format", "terse", "--ignored"]).wait();
    assert_eq!((ignored.code(), ignored.out.as_str()), (Some(0), ""));
    let ran = Suite::run(["--exact", "bad::zz::is_unharmed", "--nocapture"]).wait();
    assert_eq!((ran.code(), ran.lines()), (Some(0), vec!["test bad::zz::is_unharmed ... ok"]));
}

#[test]
fn a_reader_that_leaves_ends_the_run_quietly() {
    let mut suite = Suite::run(["bad::left::", "--repeat", "20", "--jobs", "2"]);
    let mut child = suite.command_mut().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut String::new()).unwrap();
    drop(lines);
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!(error, "");
    assert!(child.wait().unwrap().code().is_some(), "a signal ended it");
    assert_eq!(std::fs::read_dir(suite.temporary_directory()).unwrap().count(), 0);
}

#[test]
fn output_may_go_to_the_terminal() {
    let ran = Suite::run(["--nocapture", "--exact", "bad::talk::ten_megabytes"]).wait();
    assert!(ran.out.len() > 10 * 1024 * 1024);
    assert_eq!(ran.case("bad::talk::ten_megabytes").verdict, Verdict::UnexpectedFail);
}

#[test]
fn cases_are_explained() {
    let ran = Suite::command(["explain", "bad::outcome::differs"]).wait();
    assert_eq!(ran.code(), Some(0));
    assert!(ran.out.contains("Expects two different values to be equal."), "{}", ran.out);
}
