//! How a case ends: [`Outcome`], the [`Failure`] that it may carry, and the macros that compare what was expected with what was seen.
//!
//! - `result.rs`, `cause.rs`: what a case came to, and why
//! - `finding.rs`: what a reader needs to know about it; `unmet.rs`: a need that is not met
//! - `failure.rs`: the two together, and what becomes one by `?`
//! - `expect.rs`: the macros; `difference.rs`: values as text

mod cause;
mod difference;
mod expect;
mod failure;
mod finding;
mod result;
mod unmet;

pub use cause::Cause;
#[doc(hidden)]
pub use expect::mismatch;
pub use failure::{Failure, Outcome};
pub use finding::{Finding, ProcessSnapshot, TimelineEntry};
pub use result::CaseResult;
pub use unmet::Unmet;
