//! The harness against deliberately bad cases: what must come out of each, what must not come out of it, and what a run promises
//! whatever happens to it.
//!
//! The bad cases are an executable of their own, `tests/bad/`, which `cargo test` builds as an example. To run these tests
//! alone: `cargo build --example bad && cargo test --test harness`.

mod again;
mod command_line;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "what is done between fork and exec")]
mod kernel;
#[cfg(target_os = "linux")]
mod killed;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "what is done between fork and exec")]
mod lacking;
mod order;
mod platform;
mod stale;
mod suite;
mod table;
