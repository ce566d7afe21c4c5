//! Options and their help texts. What libtest takes is taken here as well, so that `cargo test` and nextest can run the cases.

use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};

use crate::case::Level;
use crate::report::Spec;
use crate::sandbox::IsolationChoice;

const EXAMPLES: &str = "\
Examples:
  ipc-conformance                                          run every case
  ipc-conformance run pipe::eof --skip fifo                cases whose name contains the first and not the second
  ipc-conformance run --exact 'pipe::eof::follows::page'   this case only
  ipc-conformance run --report junit:out.xml --report jsonl:record.jsonl
  ipc-conformance run --shard 2/4 --require all            a quarter of the cases; red if a need is not met here
  ipc-conformance run --level required,documented          what is written in POSIX or a manual, without what is only customary
  ipc-conformance run --until-fail --exact NAME            repeat a case until it fails
  ipc-conformance explain pipe::eof::follows::page         what a case requires, and where that is written

Exit status:
  0  every verdict is ok, xfail or untested
  1  a verdict is anything else, a need given to --require is not met, or the run was cut short
  2  wrong usage, a filter that matches no case, a set-up that failed, or nothing ran";

/// Tests Unix inter-process communication against POSIX and the platform's manual, while participants are killed, stopped,
/// interrupted and starved.
///
/// Without a subcommand the cases are run. A subcommand stands before all options.
#[derive(Debug, Parser)]
#[command(name = "ipc-conformance", bin_name = "ipc-conformance", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run cases (the default)
    #[command(after_help = EXAMPLES)]
    Run(Box<RunArgs>),
    /// List cases, with level and clauses
    #[command(after_help = "Example:\n  ipc-conformance list posix_mqueue")]
    List {
        /// Only cases whose name contains this
        filter: Option<String>,
        /// Only cases of these levels: required, documented, customary, observed
        #[arg(long = "level", value_name = "LEVEL,…", value_delimiter = ',')]
        levels: Vec<Level>,
    },
    /// Say what a case requires, where that is written, and which platforms are known to differ
    #[command(after_help = "Example:\n  ipc-conformance explain pipe::eof::follows::page")]
    Explain {
        /// Name of a case, or of a behaviour (a case without its parameters)
        case: String,
    },
    /// Say what this system is, its limits, and what is pinned for it
    #[command(after_help = "Example:\n  ipc-conformance facts --platform posix")]
    Facts {
        /// Name or file of the platform to compare with, in place of the detected one
        #[arg(long, value_name = "NAME|FILE")]
        platform: Option<String>,
    },
    /// Remove what a killed run left behind
    #[command(after_help = "Example:\n  ipc-conformance clean")]
    Clean,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "these are the flags that libtest has")]
pub(super) struct RunArgs {
    /// Only cases whose name contains one of these; one that matches no case is an error
    #[arg(value_name = "FILTER")]
    pub filters: Vec<String>,
    /// Filters and --skip are whole names
    #[arg(long)]
    pub exact: bool,
    /// Leave out cases whose name contains this (repeatable)
    #[arg(long, value_name = "PATTERN")]
    pub skip: Vec<String>,
    /// Only cases of these levels: required (POSIX says shall), documented (in the platform's manual), customary (in no document, but
    /// relied on), observed (a choice, which is recorded) [default: all]
    #[arg(long = "level", value_name = "LEVEL,…", value_delimiter = ',')]
    pub levels: Vec<Level>,
    /// Only every Nth case, from the Ith on (from 1)
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// List the cases in place of running them
    #[arg(long)]
    pub list: bool,
    /// terse: with --list names only, else the same as --quiet
    #[arg(long, value_enum, default_value = "pretty", value_name = "FORMAT")]
    pub format: ListFormat,
    /// Only ignored cases; there are none
    #[arg(long)]
    pub ignored: bool,
    /// Ignored cases as well; there are none
    #[arg(long)]
    pub include_ignored: bool,

    /// Also write a report: human, jsonl (or json), junit; the file - is standard output (repeatable)
    #[arg(long = "report", value_name = "FORMAT:FILE")]
    pub reports: Vec<Spec>,
    /// No line for a case that is as expected
    #[arg(short, long)]
    pub quiet: bool,
    /// Let cases write to the terminal at once, in place of showing their output with a failure
    #[arg(long, visible_alias = "no-capture")]
    pub nocapture: bool,
    /// Accepted, without effect: the output of a case that does not come out well is always shown
    #[arg(long)]
    pub show_output: bool,
    /// Colours
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: ColorChoice,

    /// Cases that run at the same time [default: twice the number of processors]
    #[arg(short, long, visible_alias = "test-threads", value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// private: own namespaces, or an error; none: the surroundings as they are; auto: private where the kernel allows it
    #[arg(long, default_value_t, value_name = "KIND")]
    pub isolation: IsolationChoice,
    /// What is known about the system: a name (linux, macos, posix) or a file [default: detected]
    #[arg(long, value_name = "NAME|FILE")]
    pub platform: Option<String>,
    /// Factor on every deadline, at least 1 [default: measured]
    #[arg(long, value_name = "F", value_parser = time_scale)]
    pub time_scale: Option<f64>,
    /// Seed of all random choices [default: random, and reported]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Inputs that each property tries, and instructions at which each instruction sweep kills [default: its own number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub property_cases: Option<u32>,
    /// Run each case N times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: Option<u32>,
    /// Stop at the first bad verdict; without --repeat, repeat until there is one
    #[arg(long)]
    pub until_fail: bool,
    /// Exit with 1 if this need is not met here (by its name in `explain`, such as "second user"), or any with all (repeatable)
    #[arg(long, value_name = "NEED")]
    pub require: Vec<String>,

    /// libtest's unstable options; without effect
    #[arg(short = 'Z', hide = true, value_name = "OPTION")]
    pub unstable: Vec<String>,
}

impl RunArgs {
    /// How often each case is run; 0: without end.
    pub fn repetitions(&self) -> u32 {
        self.repeat.unwrap_or(u32::from(!self.until_fail))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    Pretty,
    Terse,
}

/// One of several parts of the cases, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part.
    pub number: usize,
    /// Number of parts.
    pub of: usize,
}

impl Shard {
    /// Whether the case at that index belongs to it. Neighbours go to different shards, as their costs are alike.
    pub fn contains(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "write I/N, such as 2/4 for the second of four parts".to_owned();
        let (number, of) = text.split_once('/').ok_or_else(form)?;
        let (number, of) = (number.parse().map_err(|_| form())?, of.parse().map_err(|_| form())?);
        if number < 1 || number > of {
            return Err(format!("there is no part {number} of {of}; parts are numbered from 1 to N"));
        }
        Ok(Shard { number, of })
    }
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale.is_finite() && scale >= 1.0 => Ok(scale),
        _ => Err("write a number that is at least 1, such as 2.5".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use rstest::rstest;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("conformance").chain(line.split_whitespace()))
    }

    /// The arguments of a run, with or without the subcommand.
    fn run(line: &str) -> RunArgs {
        let cli = parse(line).unwrap();
        match cli.command {
            None => cli.run,
            Some(Command::Run(run)) => *run,
            Some(other) => panic!("{line} is {other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[rstest]
    #[case::cargo_test("a b --skip c --nocapture --test-threads 1", &["a", "b"])]
    #[case::nextest("--exact a::b --no-capture", &["a::b"])]
    #[case::subcommand("run a -q -j 1", &["a"])]
    #[case::unstable("-Z unstable-options --show-output --include-ignored --color never a", &["a"])]
    #[case::nothing("", &[])]
    fn a_run_takes_what_test_runners_pass(#[case] line: &str, #[case] filters: &[&str]) {
        assert_eq!(run(line).filters, filters);
    }

    #[rstest]
    #[case::lists("--list --format terse", true, ListFormat::Terse, false)]
    #[case::lists_ignored("--list --format terse --ignored", true, ListFormat::Terse, true)]
    #[case::runs("", false, ListFormat::Pretty, false)]
    fn listing_is_asked_for_as_nextest_does(
        #[case] line: &str,
        #[case] list: bool,
        #[case] format: ListFormat,
        #[case] ignored: bool,
    ) {
        let run = run(line);
        assert_eq!((run.list, run.format, run.ignored), (list, format, ignored));
    }

    #[rstest]
    #[case::shard_beyond("--shard 5/4", "there is no part 5 of 4; parts are numbered from 1 to N")]
    #[case::shard_zero("--shard 0/3", "there is no part 0 of 3; parts are numbered from 1 to N")]
    #[case::shard_word("--shard x", "write I/N, such as 2/4 for the second of four parts")]
    #[case::shard_of_nothing("run --shard 1/0", "there is no part 1 of 0; parts are numbered from 1 to N")]
    #[case::time_scale("--time-scale 0.5", "write a number that is at least 1, such as 2.5")]
    #[case::not_a_number("--time-scale NaN", "write a number that is at least 1, such as 2.5")]
    #[case::report("--report tap:x", "tap is no format; known are human, jsonl (or json), junit")]
    #[case::jobs("--jobs 0", "number would be zero for non-zero type")]
    #[case::repeat("--repeat 0", "0 is not in 1..")]
    #[case::isolation("--isolation docker", "docker is no isolation; known are auto, private, none")]
    #[case::level("--level required,optional", "optional is no level; known are required, documented, customary, observed")]
    #[case::no_level("--level required,", "a level is missing; known are required, documented, customary, observed")]
    #[case::unknown("--frobnicate", "unexpected argument '--frobnicate' found")]
    #[case::explain_what("explain", "<CASE>")]
    fn wrong_usage_is_explained_and_exits_with_2(#[case] line: &str, #[case] message: &str) {
        let error = parse(line).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[rstest]
    #[case::once("", 1)]
    #[case::often("--repeat 5", 5)]
    #[case::endless("--until-fail", 0)]
    #[case::bounded("--until-fail --repeat 9", 9)]
    fn repetitions(#[case] line: &str, #[case] expected: u32) {
        assert_eq!(run(line).repetitions(), expected);
    }

    #[test]
    fn shards_share_out_every_case_once() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].map(|text| text.parse().unwrap()).to_vec();
        assert!((0..10).all(|index| shards.iter().filter(|shard| shard.contains(index)).count() == 1));
    }
}
