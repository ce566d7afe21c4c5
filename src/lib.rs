//! The harness of `ipc-conformance`: it runs cases about Unix inter-process communication in processes of their own, does things
//! to those processes, and says what came of it.
//!
//! # Map
//!
//! From the highest layer to the lowest: a module imports from the layers below its own, and from nothing else. No files import each
//! other in a circle. `tests/modules/` proves both.
//!
//! | layer | module | what it knows |
//! | --- | --- | --- |
//! | 1 | [`cli`] | the command line |
//! | 1 | [`prelude`] | what a suite file imports |
//! | 2 | [`run`] | the runner and its workers, and how one case is run |
//! | 2 | [`report`] | events as text, JSON lines or `JUnit` |
//! | 3 | [`platform`] | which system this is, what is expected of it, and verdicts |
//! | 3 | [`sandbox`] | isolation, directories, names, needs; the audit after each case |
//! | 4 | [`record`] | events and verdicts as data, and the trait of a reporter |
//! | 5 | [`fault`] | sweeps, storms, properties, exhaustion |
//! | 6 | [`process`] | participants, gates, whether a process is blocked; the case's own process |
//! | 6 | [`history`] | what participants did to one object, and whether one after the other explains it |
//! | 6 | [`case`] | a case as data: name, requirement, clauses, level, needs; the registry |
//! | 7 | [`outcome`] | how a case ends: results, findings, the `expect` macros |
//! | 8 | [`sys`] | safe wrappers for system calls, one call each |
//! | 8 | [`splitmix`] | numbers that follow from a seed |
//!
//! The suites are other crates (`suites/`), and so is the attribute (`macros/`). Suites use layer 5 and what is below it, and of the
//! [`sandbox`] names, directories and the second user. [`run`], [`report`], [`platform`] and [`cli`] know cases as data only. `unsafe`
//! lives in [`sys`] and [`process`], behind types that are sound however they are used; [`sys`] says what that rests on.
//!
//! # From attribute to report
//!
//! [`macro@test`] submits a function to the registry ([`case`]). [`cli`] selects cases, [`run`] forks workers into sandboxes and hands
//! them out; a worker forks a process for the case, puts it into a known state and follows its control channel until it ends or its
//! deadline passes; the audit looks for what is left; [`platform`] turns the result into a verdict, [`run`] makes events of it
//! ([`record`]), and [`report`] prints them.

// The attribute names this crate, and the crate's own tests use it too.
extern crate self as conformance;

pub mod case;
pub mod cli;
pub mod fault;
pub mod history;
pub mod outcome;
pub mod platform;
pub mod prelude;
#[allow(unsafe_code, reason = "forked children, descriptors by number, and the way across exec")]
pub mod process;
pub mod record;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod splitmix;
#[allow(unsafe_code, reason = "system calls")]
pub mod sys;

pub use conformance_macros::test;
pub use {inventory, serde_json};
