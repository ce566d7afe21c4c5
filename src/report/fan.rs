//! Several reports of one run: [`Fan`] passes each event to all of them.

use crate::record::{Event, ReportError, Reporter};

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
