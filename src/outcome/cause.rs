//! [`Cause`]: why a case did not pass.

use serde::{Deserialize, Serialize};

/// Why a case did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// An `expect` macro saw something else than it expected.
    Expectation,
    /// A panic, or a failed assertion, in the case or a participant.
    Panic,
    /// A participant ended where it should have gone on, or in another way.
    ParticipantDied,
    /// The case was still running at its deadline.
    Deadline,
    /// A signal ended the case's own process.
    Signal,
    /// The case's own process ended without a result.
    Exit,
    /// Objects or processes outlived the case.
    Leak,
    /// The kernel logged a warning or worse, or became tainted, during the case.
    Kernel,
    /// A step that sets the case up failed.
    Setup,
    /// The platform lacks the feature.
    Missing,
    /// A declared need is not met.
    Need,
    /// The platform file says that the case must not be run.
    DoNotRun,
    /// A value differs from the one that the platform file pins.
    Observation,
    /// The harness lost the case: its worker died, or the control channel broke.
    Harness,
}
