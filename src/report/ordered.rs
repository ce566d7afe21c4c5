//! Events in the cases' order, whatever the order in which the workers finish. What is decided is held back until everything
//! before it is decided; at the end of the run the rest follows.

use crate::record::{Event, EventKind, ReportError, Reporter};
use std::collections::{BTreeMap, HashMap};

/// Where a case execution stands in the order: index of the case and repetition, or the other way round in an endless run.
type Turn = (u64, u64);

/// Passes events on in the order of cases and, for each of them, of repetitions. In a run that repeats without end, rounds come
/// first, for otherwise nothing but the first case would ever be reported.
pub struct Ordered<R> {
    inner: R,
    index: HashMap<String, u64>,
    repeat: u64,
    next: Turn,
    waiting: BTreeMap<Turn, Slot>,
}

/// What is known of a case execution and not passed on yet.
#[derive(Default)]
struct Slot {
    started: Option<Event>,
    decided: Option<Event>,
}

impl<R: Reporter> Ordered<R> {
    /// Puts the events for these cases, each run `repeat` times (0: without end), in order for `inner`.
    pub fn new(inner: R, cases: &[String], repeat: u32) -> Self {
        let index = (0..).zip(cases).map(|(index, case)| (case.clone(), index)).collect();
        Ordered { inner, index, repeat: repeat.into(), next: (0, 0), waiting: BTreeMap::new() }
    }

    fn turn(&self, case: &str, iteration: u32) -> Option<Turn> {
        let (index, iteration) = (*self.index.get(case)?, u64::from(iteration));
        Some(if self.repeat == 0 { (iteration, index) } else { (index, iteration) })
    }

    fn after(&self, (major, minor): Turn) -> Turn {
        let minors = if self.repeat == 0 { self.index.len() as u64 } else { self.repeat };
        if minor + 1 < minors { (major, minor + 1) } else { (major + 1, 0) }
    }

    /// Passes on whatever has nothing undecided before it.
    fn release(&mut self) -> Result<(), ReportError> {
        while let Some(slot) = self.waiting.get_mut(&self.next) {
            if let Some(started) = slot.started.take() {
                self.inner.event(&started)?;
            }
            let Some(decided) = slot.decided.take() else { break };
            self.inner.event(&decided)?;
            self.waiting.remove(&self.next);
            self.next = self.after(self.next);
        }
        Ok(())
    }

    /// Passes on everything: nothing more will be decided.
    fn flush(&mut self) -> Result<(), ReportError> {
        let slots = std::mem::take(&mut self.waiting);
        slots.into_values().flat_map(|slot| [slot.started, slot.decided]).flatten().try_for_each(|event| self.inner.event(&event))
    }
}

impl<R: Reporter> Reporter for Ordered<R> {
    fn event(&mut self, event: &Event) -> Result<(), ReportError> {
        match &event.kind {
            EventKind::RunStarted(_) => self.inner.event(event),
            EventKind::CaseStarted { case, iteration, .. } => {
                let Some(turn) = self.turn(case, *iteration) else { return self.inner.event(event) };
                self.waiting.entry(turn).or_default().started = Some(event.clone());
                self.release()
            }
            EventKind::Decided(decided) => {
                let Some(turn) = self.turn(&decided.case, decided.iteration) else { return self.inner.event(event) };
                self.waiting.entry(turn).or_default().decided = Some(event.clone());
                self.release()
            }
            EventKind::RunEnded(_) => {
                self.flush()?;
                self.inner.event(event)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Decided, Verdict};
    use crate::report::samples;

    /// Notes what it is given: `+a0` for a start, `a0` for an end.
    #[derive(Default)]
    struct Notes(Vec<String>);

    impl Reporter for Notes {
        fn event(&mut self, event: &Event) -> Result<(), ReportError> {
            self.0.push(match &event.kind {
                EventKind::RunStarted(_) => "begin".to_owned(),
                EventKind::CaseStarted { case, iteration, .. } => format!("+{case}{iteration}"),
                EventKind::Decided(decided) => format!("{}{}", decided.case, decided.iteration),
                EventKind::RunEnded(_) => "end".to_owned(),
            });
            Ok(())
        }
    }

    fn decided(case: &str, iteration: u32) -> Event {
        samples::ended_case(Decided { iteration, ..samples::decided(case, Verdict::Ok) })
    }

    fn order(repeat: u32, events: &[Event]) -> String {
        let mut ordered = Ordered::new(Notes::default(), &["a".to_owned(), "b".to_owned()], repeat);
        for event in events {
            ordered.event(event).unwrap();
        }
        ordered.inner.0.join(" ")
    }

    #[test]
    fn the_decided_prefix_is_released() {
        let (a, b) = (samples::started("a", 0), samples::started("b", 0));
        assert_eq!(order(1, &[a.clone(), b.clone(), decided("b", 0)]), "+a0");
        assert_eq!(order(1, &[a, b, decided("b", 0), decided("a", 0)]), "+a0 a0 +b0 b0");
    }

    #[test]
    fn repetitions_stand_beside_each_other() {
        let events = [decided("a", 0), decided("b", 0), decided("b", 1), decided("a", 1)];
        assert_eq!(order(2, &events), "a0 a1 b0 b1");
    }

    #[test]
    fn an_endless_run_goes_round_by_round() {
        let events = [decided("b", 0), decided("a", 0), decided("a", 1), decided("b", 1)];
        assert_eq!(order(0, &events), "a0 b0 a1 b1");
    }

    #[test]
    fn the_end_releases_the_rest() {
        let events = [samples::run_started(2), samples::started("a", 0), decided("b", 0), samples::run_ended(&[])];
        assert_eq!(order(1, &events), "begin +a0 b0 end");
    }
}
