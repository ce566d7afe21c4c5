//! From the command line to the exit code: one function a subcommand.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::thread;

use anstream::ColorChoice as Colours;
use clap::{ColorChoice, Parser as _};

use super::args::{Cli, Command, ListFormat, RunArgs};
use super::error::CliError;
use super::explain::explain;
use super::facts::facts;
use super::select;
use crate::case::{Case, Level, Registry};
use crate::platform::{Platform, System};
use crate::process::exec;
use crate::record::RunEnded;
use crate::report::{self, Context, Fan, grouped, plural};
use crate::run::{RunOptions, execute};
use crate::sandbox::{self, IsolationChoice, journal};
use crate::sys::process::threads;

/// The `main` of an executable with suites.
pub fn main() -> ExitCode {
    threads::count_foreign_threads();
    exec::run_if_asked();
    match dispatch(Cli::parse()) {
        Ok(code) => code,
        Err(error) => error.report(io::stderr()),
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, CliError> {
    let registry = Registry::collect()?;
    match cli.command {
        None => run_or_list(&registry, &cli.run),
        Some(Command::Run(args)) => run_or_list(&registry, &args),
        Some(Command::List { filter, levels }) => {
            print(&listing(&select::containing(registry.cases(), filter.as_deref().unwrap_or_default(), &levels)?))
        }
        Some(Command::Explain { case }) => {
            let cases = select::named(registry.cases(), &case)?;
            print(&explain(&cases, registry.cases(), &Platform::embedded()?))
        }
        Some(Command::Facts { platform }) => print_facts(platform.as_deref()),
        Some(Command::Clean) => print(&format!("{}\n", journal::clean()?.sentences().join("\n"))),
    }
}

fn print(text: &str) -> Result<ExitCode, CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn print_facts(platform: Option<&str>) -> Result<ExitCode, CliError> {
    let system = System::detect();
    let platform = Platform::load(platform, &system)?;
    let isolation = sandbox::choose(IsolationChoice::Auto)?;
    print(&facts(&system, &platform, isolation.facts()))
}

fn run_or_list(registry: &Registry, args: &RunArgs) -> Result<ExitCode, CliError> {
    if args.list {
        return print(&libtest_listing(&select::list(registry.cases(), args), args.format));
    }
    run(registry, args)
}

fn run(registry: &Registry, args: &RunArgs) -> Result<ExitCode, CliError> {
    let cases = select::select(registry.cases(), args)?;
    select::check_needs(registry.cases(), &args.require)?;
    let platform = Platform::load(args.platform.as_deref(), &System::detect())?;
    let names: Vec<&str> = registry.cases().iter().map(|case| case.name.as_str()).collect();
    platform.check(&names)?;
    let context = Context {
        cases: cases.iter().map(|case| case.name.clone()).collect(),
        repeat: args.repetitions(),
        filtered_out: registry.cases().len() - cases.len(),
    };
    let mut reporter = reporters(args, &context)?;
    let end = execute(&options(cases, args), &platform, &mut reporter)?;
    Ok(ExitCode::from(code(&end)))
}

/// 0 for a good run, 2 for one in which nothing ran, 1 for any other.
fn code(end: &RunEnded) -> u8 {
    match (end.is_green(), end.decided()) {
        (true, _) => 0,
        (false, 0) => 2,
        (false, _) => 1,
    }
}

fn reporters(args: &RunArgs, context: &Context) -> Result<Fan, CliError> {
    let is_quiet = args.quiet || args.format == ListFormat::Terse;
    let mut reporters = vec![report::console(context, is_quiet, colours(args.color))];
    for spec in &args.reports {
        reporters.push(report::open(spec, context)?);
    }
    Ok(Fan::new(reporters))
}

fn colours(choice: ColorChoice) -> Colours {
    match choice {
        ColorChoice::Auto => anstream::AutoStream::choice(&io::stdout()),
        ColorChoice::Always => Colours::Always,
        ColorChoice::Never => Colours::Never,
    }
}

fn options<'r>(cases: Vec<&'r Case>, args: &RunArgs) -> RunOptions<'r> {
    // A case spends part of its time waiting for one of its processes to be woken: one case a processor left a fifth of them idle.
    let usual = || 2 * thread::available_parallelism().map_or(1, NonZeroUsize::get);
    RunOptions {
        cases,
        jobs: args.jobs.map_or_else(usual, NonZeroUsize::get),
        isolation: args.isolation,
        time_scale: args.time_scale,
        seed: args.seed.unwrap_or_else(random_seed),
        property_cases: args.property_cases,
        repeat: args.repetitions(),
        until_fail: args.until_fail,
        require: args.require.clone(),
        nocapture: args.nocapture,
    }
}

/// A seed that is short enough to be typed.
fn random_seed() -> u64 {
    RandomState::new().build_hasher().finish() % 1_000_000_000
}

/// For people: names with level and clauses, in columns.
fn listing(cases: &[&Case]) -> String {
    let column = cases.iter().map(|case| case.name.chars().count()).max().unwrap_or_default();
    let line = |case: &&Case| {
        let clauses: Vec<String> = case.submission.clauses.iter().map(ToString::to_string).collect();
        format!("{:column$}  {:10}  {}\n", case.name, case.submission.level, clauses.join("; "))
    };
    let lines: String = cases.iter().map(line).collect();
    let behaviours: BTreeSet<&str> = cases.iter().map(|case| case.behaviour.as_str()).collect();
    let of_level = |level| cases.iter().filter(|case| case.submission.level == level).count();
    let levels: Vec<String> = Level::ALL
        .into_iter()
        .map(|level| (level, of_level(level)))
        .filter(|&(_, count)| count > 0)
        .map(|(level, count)| format!("{level} {}", grouped(count)))
        .collect();
    format!("{lines}\n{} in {}: {}\n", plural(behaviours.len(), "behaviour"), plural(cases.len(), "variant"), levels.join(", "))
}

/// For `cargo test` and nextest: as libtest lists.
fn libtest_listing(cases: &[&Case], format: ListFormat) -> String {
    let mut lines = String::new();
    for case in cases {
        let _ = writeln!(lines, "{}: test", case.name);
    }
    match format {
        ListFormat::Terse => lines,
        ListFormat::Pretty => format!("{lines}\n{}, 0 benchmarks\n", plural(cases.len(), "test")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cli::explain::tests::{case, case_of};
    use crate::record::Verdict;

    #[test]
    fn a_list_is_aligned_and_counted() {
        let (page, wakes) = (case("fifo::eof::follows::page"), case_of(Level::Observed, "pipe::eof::wakes"));
        let expected = "\
fifo::eof::follows::page  required    POSIX read; pipe(7)
pipe::eof::wakes          observed    POSIX read; pipe(7)

2 behaviours in 2 variants: required 1, observed 1
";
        assert_eq!(listing(&[&page, &wakes]), expected);
    }

    #[test]
    fn test_runners_get_the_list_that_they_know() {
        let case = case("pipe::eof::wakes");
        assert_eq!(libtest_listing(&[&case], ListFormat::Terse), "pipe::eof::wakes: test\n");
        assert_eq!(libtest_listing(&[&case], ListFormat::Pretty), "pipe::eof::wakes: test\n\n1 test, 0 benchmarks\n");
        assert_eq!(libtest_listing(&[], ListFormat::Terse), "");
    }

    #[test]
    fn the_exit_code_goes_by_verdicts_and_requirements() {
        let end = |verdict, required: &[&str], interrupted: Option<&str>| RunEnded {
            totals: BTreeMap::from([(verdict, 1)]),
            required: required.iter().map(ToString::to_string).collect(),
            interrupted: interrupted.map(str::to_owned),
            ..RunEnded::default()
        };
        for verdict in [Verdict::Ok, Verdict::Xfail, Verdict::Untested] {
            assert_eq!(code(&end(verdict, &[], None)), 0, "{verdict}");
        }
        for verdict in [Verdict::UnexpectedFail, Verdict::Xpass, Verdict::UnexpectedUnsupported, Verdict::Unresolved] {
            assert_eq!(code(&end(verdict, &[], None)), 1, "{verdict}");
        }
        assert_eq!(code(&end(Verdict::Untested, &["second user"], None)), 1);
        assert_eq!(code(&end(Verdict::Ok, &[], Some("Ctrl-C"))), 1);
        assert_eq!(code(&RunEnded { totals: BTreeMap::new(), ..end(Verdict::Ok, &[], None) }), 2);
    }
}
