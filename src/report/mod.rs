//! Reports: what a run says about itself, put into words or formats. A reporter formats events and decides nothing.
//!
//! - `fan.rs`: several reports of one run
//! - `spec.rs`: `--report FORMAT:FILE`, and the report on the terminal
//! - `ordered.rs`: events in the cases' order, whatever the order in which they ended
//! - `human.rs`: for people, in libtest's form; `progress.rs`: the bar on a terminal
//! - `jsonl.rs`: the record, one event a line, written as it happens
//! - `junit.rs`: for CI systems
//! - `text.rs`: a finding as text, for all of these
//!
//! To add a format: a file with a [`Reporter`](crate::record::Reporter), a variant of [`Format`], and an expected output in its tests
//! (`BLESS=1 cargo test --lib report` writes the files in `fixtures/golden/` anew; read the difference before you commit it).

mod fan;
mod human;
mod jsonl;
mod junit;
mod ordered;
mod progress;
#[cfg(test)]
mod samples;
mod spec;
mod text;

pub use fan::Fan;
pub use human::{Human, Lines};
pub use jsonl::Jsonl;
pub use junit::Junit;
pub use ordered::Ordered;
pub use progress::Progress;
pub use spec::{Context, Format, Spec, console, open};
pub use text::{WIDTH, finding, grouped, plural, wrapped};
