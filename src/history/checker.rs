//! Judging: is there an order of the operations, one after the other, that respects what was over before something else began and
//! that the specification allows?
//!
//! The search is Wing and Gong's with Lowe's memory of what has been tried: a set of operations that are done, and the state that
//! they led to, is never tried twice. An operation that may have happened can be put anywhere after its beginning, or left out.

use std::collections::HashSet;
use std::fmt::{Debug, Write as _};
use std::hash::Hash;

use super::recorder::Operation;
use crate::outcome::{CaseResult, Cause, Failure, Outcome};

/// What an object does when it is used by one caller at a time.
pub trait Specification {
    /// What the object remembers.
    type State: Clone + Eq + Hash + Debug;
    /// What it can be called for.
    type Call: Debug;
    /// What it answers.
    type Answer: Debug;

    /// What it remembers in the beginning.
    fn initial(&self) -> Self::State;

    /// The states that it can be in after a call: none if the call cannot be answered so in that state (a call that would have to
    /// wait cannot be answered at all). Without an answer, nobody has seen what the answer was.
    fn after(&self, state: &Self::State, call: &Self::Call, answer: Option<&Self::Answer>) -> Vec<Self::State>;
}

/// Operations that a set can hold.
const MOST_OPERATIONS: usize = 64;

/// Sets of done operations, with a state, that are tried at most.
const MOST_TRIED: usize = 500_000;

/// Why there is no verdict, or the wrong one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No order explains the history: the longest part that can be explained, as indices in their order.
    NotLinearisable(Vec<usize>),
    /// More than can be searched: an error of the case.
    TooLarge,
}

/// An order that explains the history, as indices; operations that are not in it have not happened.
///
/// # Errors
/// There is none, or the history is too large.
pub fn linearise<S: Specification>(specification: &S, history: &[Operation<S::Call, S::Answer>]) -> Result<Vec<usize>, Refusal> {
    if history.len() > MOST_OPERATIONS {
        return Err(Refusal::TooLarge);
    }
    let mut search = Search {
        specification,
        history,
        before: (0..history.len()).map(|index| before(history, index)).collect(),
        wanted: set_of(history.iter().map(|operation| operation.returned.is_some())),
        tried: HashSet::new(),
        order: Vec::new(),
        longest: Vec::new(),
    };
    if search.goes_on(0, &specification.initial()) {
        Ok(search.order)
    } else if search.tried.len() >= MOST_TRIED {
        Err(Refusal::TooLarge)
    } else {
        Err(Refusal::NotLinearisable(search.longest))
    }
}

/// Expects that some order of the operations is one that the specification allows.
///
/// # Errors
/// The case *fails* where there is none, with the longest part that can be explained; it is unresolved where the history is too
/// large to be searched.
#[track_caller]
pub fn expect_linearisable<S: Specification>(specification: &S, history: &[Operation<S::Call, S::Answer>]) -> Outcome {
    match linearise(specification, history) {
        Ok(_) => Ok(()),
        Err(Refusal::TooLarge) => {
            let message = format!("a history of {} operations is too large to be searched", history.len());
            Err(Failure::new(CaseResult::Unresolved, Cause::Setup, message))
        }
        Err(Refusal::NotLinearisable(longest)) => {
            let message = "expected the history to be that of one operation after the other";
            let failure = Failure::new(CaseResult::Fail, Cause::Expectation, message);
            let left: Vec<usize> = (0..history.len()).filter(|index| !longest.contains(index)).collect();
            Err(failure.detail("can be explained", told(history, &longest)).detail("cannot follow", told(history, &left)))
        }
    }
}

/// The operations with these indices, one a line: who, when from and until (microseconds since the first), what, with what answer.
fn told<O: Debug, R: Debug>(history: &[Operation<O, R>], indices: &[usize]) -> String {
    let start = history.iter().map(|operation| operation.invoked).min().unwrap_or(0);
    let mut text = String::new();
    for operation in indices.iter().map(|&index| &history[index]) {
        let since = (operation.invoked - start) / 1000;
        let _ = write!(text, "\n  {:>2} {since:>8}..", operation.who);
        let _ = match &operation.returned {
            Some((at, answer)) => write!(text, "{:<8} {:?} = {answer:?}", at.saturating_sub(start) / 1000, operation.call),
            None => write!(text, "?        {:?}", operation.call),
        };
    }
    text
}

/// The operations that were over before this one began.
fn before<O, R>(history: &[Operation<O, R>], index: usize) -> u64 {
    let this = &history[index];
    set_of(history.iter().enumerate().map(|(other, operation)| {
        // A coarse clock shows one participant's operations as simultaneous, which they never are.
        let own = operation.who == this.who && other < index;
        other != index && (own || operation.returned.as_ref().is_some_and(|&(at, _)| at < this.invoked))
    }))
}

fn set_of(members: impl Iterator<Item = bool>) -> u64 {
    members.enumerate().filter(|&(_, member)| member).fold(0, |set, (index, _)| set | 1 << index)
}

struct Search<'a, S: Specification> {
    specification: &'a S,
    history: &'a [Operation<S::Call, S::Answer>],
    before: Vec<u64>,
    wanted: u64,
    tried: HashSet<(u64, S::State)>,
    order: Vec<usize>,
    longest: Vec<usize>,
}

impl<S: Specification> Search<'_, S> {
    fn goes_on(&mut self, done: u64, state: &S::State) -> bool {
        if done & self.wanted == self.wanted {
            return true;
        }
        if self.tried.len() >= MOST_TRIED || !self.tried.insert((done, state.clone())) {
            return false;
        }
        if self.order.len() > self.longest.len() {
            self.longest.clone_from(&self.order);
        }
        for (index, operation) in self.history.iter().enumerate() {
            let possible = done & 1 << index == 0 && self.before[index] & self.wanted & !done == 0;
            if !possible {
                continue;
            }
            let answer = operation.returned.as_ref().map(|(_, answer)| answer);
            for next in self.specification.after(state, &operation.call, answer) {
                self.order.push(index);
                if self.goes_on(done | 1 << index, &next) {
                    return true;
                }
                self.order.pop();
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A queue that never blocks.
    struct Queue;

    #[derive(Clone, Copy, Debug)]
    enum Call {
        Put(u8),
        Take,
    }

    use Call::{Put, Take};

    impl Specification for Queue {
        type State = Vec<u8>;
        type Call = Call;
        type Answer = Option<u8>;

        fn initial(&self) -> Vec<u8> {
            Vec::new()
        }

        fn after(&self, state: &Vec<u8>, call: &Call, answer: Option<&Option<u8>>) -> Vec<Vec<u8>> {
            let (left, given) = match *call {
                Put(item) => ([&state[..], &[item]].concat(), None),
                Take => (state.get(1..).unwrap_or_default().to_vec(), state.first().copied()),
            };
            if answer.is_none_or(|&answer| answer == given) { vec![left] } else { Vec::new() }
        }
    }

    type Queued = Operation<Call, Option<u8>>;

    fn seen(who: u32, invoked: u64, returned: u64, call: Call, answer: Option<u8>) -> Queued {
        Operation { who, call, invoked, returned: Some((returned, answer)) }
    }

    fn unseen(who: u32, invoked: u64, call: Call) -> Queued {
        Operation { who, call, invoked, returned: None }
    }

    fn refused(history: &[Queued]) -> bool {
        matches!(linearise(&Queue, history), Err(Refusal::NotLinearisable(_)))
    }

    #[test]
    fn nothing_is_explained_by_nothing() {
        assert_eq!(linearise(&Queue, &[]), Ok(Vec::new()));
    }

    #[test]
    fn one_after_the_other_is_explained_in_that_order() {
        let history = [seen(1, 0, 1, Put(7), None), seen(1, 2, 3, Put(8), None), seen(2, 4, 5, Take, Some(7))];
        assert_eq!(linearise(&Queue, &history), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn of_what_overlaps_either_may_be_first() {
        let puts = [seen(1, 0, 10, Put(7), None), seen(2, 0, 10, Put(8), None)];
        for (first, second) in [(7, 8), (8, 7)] {
            let takes = [seen(3, 11, 12, Take, Some(first)), seen(3, 13, 14, Take, Some(second))];
            assert!(linearise(&Queue, &[&puts[..], &takes[..]].concat()).is_ok());
        }
    }

    #[test]
    fn lost_is_refused() {
        assert!(refused(&[seen(1, 0, 1, Put(7), None), seen(2, 2, 3, Take, None)]));
    }

    #[test]
    fn duplicated_is_refused() {
        let takes = [seen(2, 2, 3, Take, Some(7)), seen(3, 2, 3, Take, Some(7))];
        assert!(refused(&[&[seen(1, 0, 1, Put(7), None)], &takes[..]].concat()));
    }

    #[test]
    fn reordered_is_refused() {
        let puts = [seen(1, 0, 1, Put(7), None), seen(2, 2, 3, Put(8), None)];
        let takes = [seen(3, 4, 5, Take, Some(8)), seen(3, 6, 7, Take, Some(7))];
        assert!(refused(&[&puts[..], &takes[..]].concat()));
    }

    #[test]
    fn resurrected_is_refused() {
        let before = [seen(1, 0, 1, Put(7), None), seen(2, 2, 3, Take, Some(7)), seen(2, 4, 5, Take, None)];
        assert!(refused(&[&before[..], &[seen(2, 6, 7, Take, Some(7))]].concat()));
    }

    #[test]
    fn invented_is_refused() {
        assert!(refused(&[seen(2, 0, 1, Take, Some(7))]));
    }

    #[test]
    fn taken_before_it_was_put_is_refused() {
        assert!(refused(&[seen(2, 0, 1, Take, Some(7)), seen(1, 2, 3, Put(7), None)]));
    }

    #[test]
    fn what_may_have_happened_can_have_happened() {
        // At any later time, too: first it had not, then it had.
        let history = [unseen(1, 0, Put(7)), seen(2, 1, 2, Take, None), seen(2, 3, 4, Take, Some(7))];
        assert_eq!(linearise(&Queue, &history), Ok(vec![1, 0, 2]));
    }

    #[test]
    fn what_may_have_happened_can_have_not_happened() {
        let history = [unseen(1, 0, Put(7)), seen(2, 1, 2, Take, None), seen(2, 3, 4, Take, None)];
        assert!(linearise(&Queue, &history).is_ok_and(|order| !order.contains(&0) || order.last() == Some(&0)));
    }

    #[test]
    fn what_may_have_happened_happens_once() {
        assert!(refused(&[unseen(1, 0, Put(7)), seen(2, 1, 2, Take, Some(7)), seen(2, 3, 4, Take, Some(7))]));
    }

    #[test]
    fn what_may_have_happened_did_not_before_it_began() {
        assert!(refused(&[seen(2, 0, 1, Take, Some(7)), unseen(1, 2, Put(7))]));
    }

    #[test]
    fn a_taker_that_was_killed_may_have_taken_with_it() {
        let start = [seen(1, 0, 1, Put(7), None), unseen(2, 2, Take)];
        assert!(linearise(&Queue, &[&start[..], &[seen(3, 4, 5, Take, None)]].concat()).is_ok());
        assert!(linearise(&Queue, &[&start[..], &[seen(3, 4, 5, Take, Some(7))]].concat()).is_ok());
    }

    #[test]
    fn one_participant_does_one_thing_after_the_other_whatever_the_clock_says() {
        assert!(refused(&[seen(1, 5, 5, Take, Some(7)), seen(1, 5, 5, Put(7), None)]));
        assert!(linearise(&Queue, &[seen(1, 5, 5, Take, Some(7)), seen(2, 5, 5, Put(7), None)]).is_ok());
    }

    #[test]
    fn many_at_the_same_time_are_searched_once_for_each_state() {
        let at_once = |who| seen(who, 0, 100, Put(7), None);
        let history: Vec<Queued> = (0..12).map(at_once).chain([seen(99, 101, 102, Take, Some(8))]).collect();
        assert!(refused(&history));
    }

    #[test]
    fn more_than_a_set_holds_is_refused_as_such() {
        let history: Vec<Queued> = (0..65).map(|who| seen(who, 0, 1, Put(7), None)).collect();
        assert_eq!(linearise(&Queue, &history), Err(Refusal::TooLarge));
        assert_eq!(expect_linearisable(&Queue, &history).unwrap_err().result, CaseResult::Unresolved);
    }

    #[test]
    fn a_refusal_shows_what_can_be_explained_and_what_cannot_follow() {
        let history = [seen(1, 0, 1000, Put(7), None), seen(2, 2000, 3000, Take, Some(9)), unseen(3, 4000, Take)];
        let failure = expect_linearisable(&Queue, &history).unwrap_err();
        assert_eq!(failure.result, CaseResult::Fail);
        let [(_, explained), (_, left)] = &failure.finding.details[..] else { panic!("two details") };
        assert!(explained.contains("Put(7) = None") && left.contains("Take = Some(9)"), "{explained} {left}");
    }
}
