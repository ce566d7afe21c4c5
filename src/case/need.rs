//! [`Need`]: what a case cannot do without. Whether it is met is probed in `sandbox/`.

use std::fmt;

/// Something a case declares that it cannot do without; probed where the case would run, before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A capability by its kernel name, for instance `CAP_SYS_RESOURCE`.
    Capability(&'static str),
    /// The right to become a second, unprivileged user (and to give files to it).
    SecondUser,
    /// A soft or raisable limit on open descriptors of at least this many.
    Descriptors(u64),
    /// Permission to trace a child with `ptrace`.
    Ptrace,
    /// A readable file, by absolute path.
    File(&'static str),
    /// A file that can be opened for writing, by absolute path.
    Writable(&'static str),
    /// A working `procfs` on `/proc`.
    Procfs,
    /// A kernel that lets single allocations fail on request (`/proc/thread-self/fail-nth`), and the right to ask for it.
    FaultInjection,
    /// A program that can be found through `PATH`.
    Program(&'static str),
    /// At least this many processors that can run at the same time.
    Processors(usize),
}

impl Need {
    /// The need as it reads after "needs": `a second user`.
    pub fn phrase(&self) -> String {
        match self {
            Need::SecondUser => "a second user".to_owned(),
            Need::Program(name) => format!("the program {name}"),
            Need::Writable(path) => format!("{path} to be writable"),
            Need::Capability(_)
            | Need::Descriptors(_)
            | Need::Ptrace
            | Need::File(_)
            | Need::Procfs
            | Need::FaultInjection
            | Need::Processors(_) => self.to_string(),
        }
    }
}

/// The name of the need, as `--require` takes it.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::Capability(name) => f.write_str(name),
            Need::SecondUser => f.write_str("second user"),
            Need::Descriptors(count) => write!(f, "{count} descriptors"),
            Need::Ptrace => f.write_str("ptrace"),
            Need::File(path) => f.write_str(path),
            Need::Writable(path) => write!(f, "writable {path}"),
            Need::Procfs => f.write_str("procfs"),
            Need::FaultInjection => f.write_str("fault injection"),
            Need::Program(name) => write!(f, "program {name}"),
            Need::Processors(count) => write!(f, "{count} processors"),
        }
    }
}
