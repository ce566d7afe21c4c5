//! What the kernel says about a thread at one instant.

/// Number of a system call, as wide as the system's `long`.
pub type CallNumber = libc::c_long;

/// What the kernel says about a thread at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Asleep, waiting for something.
    Asleep(SystemCall),
    /// Running, about to run, or in a wait that no case is about: an uninterruptible one, or for a page or a program.
    Awake,
    /// Stopped by a signal or a tracer.
    Stopped,
    /// Ended, whether or not it has been waited for.
    Ended,
    /// The system does not tell.
    Unknown,
}

/// The system call that a sleeping thread is in, where the system shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemCall {
    /// Number and first argument.
    pub call: Option<(CallNumber, u64)>,
}
