//! Deliberately bad cases: what the harness has to survive, to name, and to keep from the next case.
//!
//! An executable with the suites' command line, run by `tests/harness/`, where a table says what must come out of each case. Each
//! doc comment says what the case does wrong; those of [`good`] do nothing wrong, and must pass.
//!
//! An example and not a test, so that `cargo test` builds it and does not run it.

#![allow(unsafe_code, reason = "they do what no case should")]
#![expect(clippy::unnecessary_wraps, reason = "every case returns an outcome")]

mod crash;
mod dirt;
mod fault;
mod good;
mod hang;
#[cfg(target_os = "linux")]
mod kernel;
mod left;
mod outcome;
mod participant;
mod slow;
mod talk;
mod zz;

fn main() -> std::process::ExitCode {
    conformance::cli::main()
}
