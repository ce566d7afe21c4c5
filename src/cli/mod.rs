//! The command line: from words to a run and an exit code. Nothing here starts a thread, for the runner forks.
//!
//! - `args.rs`: options and their help texts
//! - `start.rs`: one function a subcommand
//! - `select.rs`: filters, shards, and what to suggest when nothing matches
//! - `explain.rs`, `facts.rs`: texts about a case, and about this system
//! - `error.rs`: errors, and the exit code of each

mod args;
mod error;
mod explain;
mod facts;
mod select;
mod start;

pub use error::CliError;
pub use start::main;
