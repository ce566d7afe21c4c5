//! Errors of the command line: what a user reads, and the exit code of each.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use super::select::SelectionError;
use crate::case::RegistryError;
use crate::platform::PlatformError;
use crate::record::ReportError;
use crate::run::RunError;
use crate::sandbox::SandboxError;

/// Why a command ends without a result. Each reads on from "cannot …".
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A mistake in a suite.
    #[error("use the suites")]
    Suites(#[from] RegistryError),
    /// No case is chosen.
    #[error("choose the cases")]
    Selection(#[from] SelectionError),
    /// Something is wrong with the platform or its file.
    #[error("use the platform")]
    Platform(#[from] PlatformError),
    /// A report cannot be opened.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The run cannot go on.
    #[error(transparent)]
    Run(#[from] RunError),
    /// What a killed run left cannot be removed.
    #[error("use the sandbox")]
    Sandbox(#[from] SandboxError),
    /// Standard output cannot be written.
    #[error("write to standard output")]
    Output(#[from] io::Error),
}

impl CliError {
    /// The exit code; 0 for what is no error: the reader of a text has seen enough of it.
    fn code(&self) -> u8 {
        match self {
            CliError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            CliError::Suites(_)
            | CliError::Selection(_)
            | CliError::Platform(_)
            | CliError::Report(_)
            | CliError::Run(_)
            | CliError::Sandbox(_)
            | CliError::Output(_) => 2,
        }
    }

    /// Whether to say nothing: whoever read standard output has gone.
    fn is_quiet(&self) -> bool {
        match self {
            CliError::Output(error) => error.kind() == io::ErrorKind::BrokenPipe,
            CliError::Report(ReportError::Closed) | CliError::Run(RunError::Report(ReportError::Closed)) => true,
            CliError::Suites(_)
            | CliError::Selection(_)
            | CliError::Platform(_)
            | CliError::Report(_)
            | CliError::Run(_)
            | CliError::Sandbox(_) => false,
        }
    }

    /// Tells the user, and gives the exit code.
    pub(super) fn report(&self, mut out: impl io::Write) -> ExitCode {
        if !self.is_quiet() {
            // Nobody is left to be told that standard error is closed.
            let _ = writeln!(out, "error: cannot {}", chain(self));
        }
        ExitCode::from(self.code())
    }
}

/// An error and its causes, as one line.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn unwritable() -> ReportError {
        ReportError::Open { path: "/x".into(), source: io::ErrorKind::PermissionDenied.into() }
    }

    #[rstest]
    #[case::selection(SelectionError::Ignored.into(), 2, "error: cannot choose the cases: no case is ignored; leave out --ignored\n")]
    #[case::report(
        unwritable().into(),
        2,
        "error: cannot write the report /x; give the path of a file that can be written: permission denied\n"
    )]
    #[case::sandbox(
        RunError::from(SandboxError::Refused { why: "no".to_owned() }).into(),
        2,
        "error: cannot make a sandbox: private isolation is impossible here: no; use --isolation none, or auto\n"
    )]
    #[case::full_disk(
        RunError::from(ReportError::Write { report: "jsonl", source: io::ErrorKind::StorageFull.into() }).into(),
        2,
        "error: cannot write the jsonl report; make room, or leave it out: no storage space\n"
    )]
    #[case::closed_text(CliError::Output(io::ErrorKind::BrokenPipe.into()), 0, "")]
    #[case::closed_run(CliError::Run(RunError::Report(ReportError::Closed)), 2, "")]
    fn an_error_is_one_line_and_a_code(#[case] error: CliError, #[case] code: u8, #[case] expected: &str) {
        let mut out = Vec::new();
        error.report(&mut out);
        assert_eq!((error.code(), String::from_utf8(out).unwrap().as_str()), (code, expected));
    }
}
