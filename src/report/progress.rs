//! The bar on a terminal. It is drawn when something happens, never by a timer: a timer is a thread, and the runner forks.

use crate::record::{Event, EventKind, ReportError, Reporter};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how far a run is, and passes every event on.
pub struct Progress<R> {
    bar: ProgressBar,
    bad: u64,
    inner: R,
}

impl<R: Reporter> Progress<R> {
    /// A bar on standard error above which `inner` writes, through [`ProgressBar::suspend`].
    pub fn new(bar: ProgressBar, inner: R) -> Self {
        Progress { bar, bad: 0, inner }
    }

    fn message(&self, case: &str) {
        let bad = if self.bad == 0 { String::new() } else { format!("{} bad · ", self.bad) };
        self.bar.set_message(format!("{bad}{case}"));
    }
}

/// The bar, not drawn yet. Nothing is drawn where standard error is no terminal.
pub(super) fn bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()).with_style(style)
}

impl<R: Reporter> Reporter for Progress<R> {
    fn event(&mut self, event: &Event) -> Result<(), ReportError> {
        match &event.kind {
            EventKind::RunStarted(start) => self.bar.set_length(start.planned as u64),
            EventKind::CaseStarted { case, .. } => self.message(case),
            EventKind::Decided(decided) => {
                self.bad += u64::from(!decided.verdict.is_good());
                self.bar.inc(1);
            }
            EventKind::RunEnded(_) => self.bar.finish_and_clear(),
        }
        self.inner.event(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Verdict;
    use crate::report::{Ordered, samples};

    #[test]
    fn the_bar_follows_the_events() {
        struct Nobody;
        impl Reporter for Nobody {
            fn event(&mut self, _event: &Event) -> Result<(), ReportError> {
                Ok(())
            }
        }
        let bar = bar();
        let mut progress = Progress::new(bar.clone(), Ordered::new(Nobody, &[], 1));
        let cases = [samples::decided("a", Verdict::UnexpectedFail), samples::decided("b", Verdict::Ok)];
        let (end, events) = samples::run(&cases).split_last().map(|(end, rest)| (end.clone(), rest.to_vec())).unwrap();
        for event in events {
            progress.event(&event).unwrap();
        }
        assert_eq!((bar.length(), bar.position(), bar.message().as_str()), (Some(2), 2, "1 bad · b"));
        progress.event(&end).unwrap();
        assert!(bar.is_finished());
    }
}
