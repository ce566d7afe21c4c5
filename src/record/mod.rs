//! The record of a run: what happened, as events that can be written down and read back, and the trait of a reporter.
//!
//! Verdicts are decided before an event is made (see [`crate::platform`]). A record holds data only: [`crate::run`] makes the events,
//! [`crate::report`] puts them into words or formats, and neither knows the other.
//!
//! - `event.rs`: the events, and the surroundings of a run
//! - `decided.rs`: a case with its verdict
//! - `verdict.rs`: the verdicts
//! - `ended.rs`: the end of a run
//! - `reporter.rs`: the trait of a reporter, and its errors

mod decided;
mod ended;
mod event;
mod reporter;
mod verdict;

pub use decided::{Decided, Listed};
pub use ended::{Count, Lack, RunEnded};
pub use event::{Event, EventKind, RunStarted};
pub use reporter::{ReportError, Reporter};
pub use verdict::Verdict;
