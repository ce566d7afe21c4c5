//! Why a run cannot be made.

use crate::record::ReportError;
use crate::sandbox::SandboxError;
use crate::sys::Errno;

/// Why a run could not be made, or not be finished. Each reads on from "cannot …".
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Fork, wait or a pipe does not work here.
    #[error("run cases: fork, wait and one pipe must work, and here one of them does not ({0:?}: {0})")]
    Probe(Errno),
    /// The sandbox that was asked for cannot be had.
    #[error("make a sandbox")]
    Sandbox(#[from] SandboxError),
    /// A system call of the harness itself failed.
    #[error("{0}: {1:?} ({1})")]
    System(&'static str, Errno),
    /// A report cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Workers die as soon as they are started.
    #[error("keep a worker alive: {0} ended in a row, the last one so: {1}; try --isolation none")]
    Workers(usize, String),
}
