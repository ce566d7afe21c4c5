//! What a report is to the runner: something that takes events, one after the other.

use std::io;
use std::path::PathBuf;

use super::event::Event;

/// Takes the events of a run.
pub trait Reporter {
    /// Takes one event.
    ///
    /// # Errors
    /// The report cannot be written.
    fn event(&mut self, event: &Event) -> Result<(), ReportError>;
}

/// Why a report cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The reader has gone (`… | head`): no reason to complain, and none to go on.
    #[error("write the report: nobody reads it any more")]
    Closed,
    /// The file cannot be made.
    #[error("write the report {}; give the path of a file that can be written", path.display())]
    Open {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Writing failed later on.
    #[error("write the {report} report; make room, or leave it out")]
    Write {
        /// Its format.
        report: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ReportError {
    /// The error of a report of that format for a failed write.
    pub(crate) fn writing(report: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::BrokenPipe => ReportError::Closed,
            _ => ReportError::Write { report, source },
        }
    }
}
