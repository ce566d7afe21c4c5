//! Which reports are written where: `--report FORMAT:FILE`, and the one on the terminal. Files are opened before anything runs,
//! so that a bad path costs no run.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anstream::{AutoStream, ColorChoice};

use super::human::{Human, Lines};
use super::jsonl::Jsonl;
use super::junit::Junit;
use super::ordered::Ordered;
use super::progress::{self, Progress};
use crate::record::{ReportError, Reporter};

/// The formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Human,
    /// One event a line.
    Jsonl,
    /// The XML of `JUnit`.
    Junit,
}

/// A format and a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The format.
    pub format: Format,
    /// The file; `-` is standard output.
    pub file: PathBuf,
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) =
            text.split_once(':').filter(|(_, file)| !file.is_empty()).ok_or("write FORMAT:FILE, such as junit:out.xml")?;
        let format = match format {
            "human" => Format::Human,
            "json" | "jsonl" => Format::Jsonl,
            "junit" => Format::Junit,
            other => return Err(format!("{other} is no format; known are human, jsonl (or json), junit")),
        };
        Ok(Spec { format, file: file.into() })
    }
}

/// What reporters have to know beside the events.
#[derive(Clone, Debug)]
pub struct Context {
    /// Names of the cases, in their order.
    pub cases: Vec<String>,
    /// How often each is run; 0: without end.
    pub repeat: u32,
    /// Number of cases that were not selected.
    pub filtered_out: usize,
}

/// Opens a report.
///
/// # Errors
/// The file cannot be made.
pub fn open(spec: &Spec, context: &Context) -> Result<Box<dyn Reporter>, ReportError> {
    let file = create(&spec.file).map_err(|source| ReportError::Open { path: spec.file.clone(), source })?;
    Ok(match spec.format {
        Format::Human => {
            let human = Human::new(AutoStream::never(file), Lines::All, context.filtered_out);
            Box::new(Ordered::new(human, &context.cases, context.repeat))
        }
        Format::Jsonl => Box::new(Jsonl::new(file)),
        Format::Junit => Box::new(Junit::new(file)),
    })
}

fn create(path: &Path) -> io::Result<File> {
    if path == Path::new("-") {
        return Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?));
    }
    File::create(path)
}

/// The report on standard output: with a bar on a terminal, a line for each case elsewhere.
pub fn console(context: &Context, quiet: bool, colour: ColorChoice) -> Box<dyn Reporter> {
    let out = AutoStream::new(io::stdout(), colour);
    if is_interactive() {
        let bar = progress::bar();
        let human = Human::new(out, if quiet { Lines::Bad } else { Lines::NotOk }, context.filtered_out).above(bar.clone());
        return Box::new(Progress::new(bar, Ordered::new(human, &context.cases, context.repeat)));
    }
    let human = Human::new(out, if quiet { Lines::Bad } else { Lines::All }, context.filtered_out);
    Box::new(Ordered::new(human, &context.cases, context.repeat))
}

/// Whether somebody watches: a terminal that can redraw a line. A serial console calls itself dumb, and gets a line a case.
fn is_interactive() -> bool {
    let capable = std::env::var_os("TERM").is_some_and(|name| name != "dumb");
    capable && io::stdout().is_terminal()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::human("human:a", Ok((Format::Human, "a")))]
    #[case::jsonl("jsonl:a.jsonl", Ok((Format::Jsonl, "a.jsonl")))]
    #[case::json("json:-", Ok((Format::Jsonl, "-")))]
    #[case::colon_in_the_path("junit:a:b", Ok((Format::Junit, "a:b")))]
    #[case::no_file("junit", Err("write FORMAT:FILE, such as junit:out.xml"))]
    #[case::empty_file("junit:", Err("write FORMAT:FILE, such as junit:out.xml"))]
    #[case::unknown("tap:a", Err("tap is no format; known are human, jsonl (or json), junit"))]
    fn a_spec_is_a_format_and_a_file(#[case] text: &str, #[case] expected: Result<(Format, &str), &str>) {
        let expected = expected.map(|(format, file)| Spec { format, file: file.into() }).map_err(str::to_owned);
        assert_eq!(text.parse(), expected);
    }

    #[test]
    fn a_bad_path_is_refused_at_once() {
        let spec: Spec = "junit:/nowhere/at/all.xml".parse().unwrap();
        let context = Context { cases: Vec::new(), repeat: 1, filtered_out: 0 };
        let error = open(&spec, &context).err().unwrap();
        assert_eq!(error.to_string(), "write the report /nowhere/at/all.xml; give the path of a file that can be written");
    }
}
