//! Running cases: the plan, the workers, and the events they give rise to.
//!
//! - `options.rs`: what to run, and how
//! - `runner.rs`: hands out cases; `crew.rs`: the workers as it sees them
//! - `worker.rs`: owns a sandbox and runs cases in it; `report.rs`: what it tells the runner of each
//! - `decide.rs`: from a report to a decided case; `suspects.rs`: which case a complaint of the kernel belongs to
//! - `case_process.rs`: one case, in a process of its own
//! - `seeds.rs`, `time_scale.rs`: what cases are given
//! - `error.rs`: why a run cannot be made

mod case_process;
mod crew;
mod decide;
mod error;
mod options;
mod report;
mod runner;
mod seeds;
mod suspects;
mod time_scale;
mod worker;

pub use error::RunError;
pub use options::RunOptions;
pub use runner::execute;
