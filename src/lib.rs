//! The harness of `ipc-conformance`: it runs cases about Unix inter-process communication in processes of their own, does things
//! to those processes, and says what came of it.
//!
//! # Map
//!
//! | room | what it knows |
//! | --- | --- |
//! | [`case`] | a case as data: name, requirement, clauses, level, needs; the registry |
//! | [`outcome`] | how a case ends: results, findings, the `expect` macros |
//! | [`prelude`] | what a suite file imports |
//! | [`process`] | participants, gates, whether somebody is blocked; the case's own process |
//! | [`fault`] | sweeps, storms, properties, exhaustion |
//! | [`history`] | what participants did to one object, and whether one after the other explains it |
//! | [`sandbox`] | namespaces, directories, names, needs; the audit after each case |
//! | [`sys`] | safe wrappers for system calls, one call each |
//! | [`platform`] | which system this is, what is expected of it, and verdicts |
//! | [`run`] | the runner, its workers, and the events of a run |
//! | [`report`] | events as text, JSON lines or `JUnit` |
//! | [`cli`] | the command line |
//!
//! The suites are another executable (`suites/`), the attribute is another crate (`macros/`). Dependencies run one way: suites use
//! [`case`] and [`outcome`], then [`process`], [`fault`], [`history`], [`sandbox`] and [`sys`]; [`run`], [`report`], [`platform`] and [`cli`]
//! know cases as data only. `unsafe` lives in [`sys`] and [`process`], behind types that are sound
//! however they are used: what that rests on is told of in [`sys`].
//!
//! # From attribute to report
//!
//! [`macro@test`] submits a function to the registry. [`cli`] selects cases, [`run`] forks workers into sandboxes and hands them
//! out; a worker forks a process for the case, puts it into a known state and follows its control channel until it ends or its
//! deadline passes; the audit looks for what is left; [`platform`] turns the result into a verdict, and [`report`] prints it.

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
pub mod report;
pub mod run;
pub mod sandbox;
#[allow(unsafe_code, reason = "system calls")]
pub mod sys;

pub use conformance_macros::test;
pub use {inventory, serde_json};
