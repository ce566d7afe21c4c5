//! Why there is no sandbox.

use crate::sys::Errno;

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// `--isolation private` was asked for where it is impossible.
    #[error("private isolation is impossible here: {why}; use --isolation none, or auto")]
    Refused {
        /// What the attempts ended with.
        why: String,
    },
    /// A worker could not be started.
    #[error("cannot start a worker: {0:?} ({0})")]
    Fork(#[from] Errno),
    /// A worker was started, and could not set itself up.
    #[error("a worker cannot set its sandbox up: {0}")]
    Setup(String),
    /// The journal's directory cannot be trusted or used.
    #[error("cannot keep a journal of objects in {directory}: {why}")]
    Journal {
        /// The directory.
        directory: String,
        /// What is the matter with it, and what helps.
        why: String,
    },
}
