//! The command that a finding prints brings the same finding again.

use conformance::record::Decided;
use rstest::rstest;

use crate::suite::Suite;

#[rstest]
fn brings_the_same_finding(
    #[values(
        "bad::fault::property_of_small_numbers",
        "bad::fault::property_of_the_seed",
        "bad::outcome::differs_in_one_of_many",
        "bad::hang::in_a_participant"
    )]
    case: &str,
) {
    // Not the first repetition, whose seed is that of the run.
    let first = Suite::run(["--repeat", "2", "--exact", case]).wait();
    let second = first.decided()[1];
    let arguments = words(second.again.strip_prefix("cargo conformance run ").unwrap());
    let again = Suite::run(arguments).wait();
    assert_eq!(essence(again.case(case)), essence(second));
}

/// What is not time or process.
fn essence(decided: &Decided) -> impl PartialEq + std::fmt::Debug {
    let finding = decided.finding.clone().unwrap();
    let timeline: Vec<String> = finding.timeline.into_iter().map(|entry| entry.who).collect();
    (decided.verdict, finding.cause, finding.message, finding.location, finding.details, finding.seen, decided.case_seed, timeline)
}

/// The words of a command line whose quotes are single.
fn words(line: &str) -> Vec<String> {
    line.split('\'').enumerate().fold(Vec::new(), |mut words, (index, part)| {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
        words
    })
}

#[test]
fn a_seed_decides_the_input() {
    let input = |seed: &str| {
        let ran = Suite::run(["--seed", seed, "--exact", "bad::fault::property_of_the_seed"]).wait();
        ran.case("bad::fault::property_of_the_seed").finding.clone().unwrap().details
    };
    assert_eq!(input("1"), input("1"));
    assert_ne!(input("1"), input("2"));
}
