//! What a report is to the runner: something that takes events, one after the other.

use std::io;
use std::path::PathBuf;

use crate::run::event::{Event, RunEnded};

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
    pub(super) fn writing(report: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::BrokenPipe => ReportError::Closed,
            _ => ReportError::Write { report, source },
        }
    }
}

/// Whether a run may exit with 0: everything planned was decided, as expected, and what was required is there.
pub fn is_green(end: &RunEnded) -> bool {
    end.bad() == 0 && end.required.is_empty() && end.interrupted.is_none() && end.decided() > 0
}

/// Feeds several reporters. One whose reader has gone is dropped; when the last one goes, the run has no reader.
#[derive(Default)]
pub struct Fan {
    reporters: Vec<Box<dyn Reporter>>,
}

impl Fan {
    /// A fan of these reporters.
    pub fn new(reporters: Vec<Box<dyn Reporter>>) -> Self {
        Fan { reporters }
    }
}

impl Reporter for Fan {
    fn event(&mut self, event: &Event) -> Result<(), ReportError> {
        let mut failed = None;
        self.reporters.retain_mut(|reporter| match reporter.event(event) {
            Ok(()) => true,
            Err(ReportError::Closed) => false,
            Err(error @ (ReportError::Open { .. } | ReportError::Write { .. })) => {
                failed.get_or_insert(error);
                true
            }
        });
        match failed {
            Some(error) => Err(error),
            None if self.reporters.is_empty() => Err(ReportError::Closed),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::report::samples;

    struct Counting(Rc<Cell<u32>>, bool);

    impl Reporter for Counting {
        fn event(&mut self, _event: &Event) -> Result<(), ReportError> {
            self.0.set(self.0.get() + 1);
            if self.1 { Ok(()) } else { Err(ReportError::Closed) }
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_dropped_and_the_others_go_on() {
        let (gone, stays) = (Rc::default(), Rc::default());
        let mut fan = Fan::new(vec![Box::new(Counting(Rc::clone(&gone), false)), Box::new(Counting(Rc::clone(&stays), true))]);
        for _ in 0..2 {
            fan.event(&samples::started("a", 0)).unwrap();
        }
        assert_eq!((gone.get(), stays.get()), (1, 2));
    }

    #[test]
    fn without_any_reader_the_run_ends() {
        let mut fan = Fan::new(vec![Box::new(Counting(Rc::default(), false))]);
        assert!(matches!(fan.event(&samples::started("a", 0)), Err(ReportError::Closed)));
    }
}
