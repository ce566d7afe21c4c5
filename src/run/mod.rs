//! Running cases: the plan, the workers, and the events they give rise to.
//!
//! - `options.rs`: what to run, and how
//! - `runner.rs`: hands out cases and decides
//! - `worker.rs`: owns a sandbox and runs cases in it
//! - `case_process.rs`: one case, in a process of its own
//! - `seeds.rs`, `time_scale.rs`: what cases are given
//! - `error.rs`: why a run cannot be made

mod case_process;
mod error;
mod options;
mod runner;
mod seeds;
mod time_scale;
mod worker;

pub use error::RunError;
pub use options::RunOptions;
pub use runner::execute;
