//! Forking the harness's own processes: workers, and children that try something out. (Participants of cases are forked in
//! `crate::process`.)

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::sys::wait::WaitStatus;
use nix::unistd::{ForkResult, Pid};

use super::threads::expect_one_thread;
use super::wait::wait;
use crate::sys::Errno;

/// Exit status of a child whose body panicked; the one that Rust's own `main` uses.
pub const PANICKED: i32 = 101;

/// Which of the two processes this is, after a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forked {
    /// The one that forked; with the other's id.
    Parent(Pid),
    /// The new one.
    Child,
}

/// `fork(2)`, for a process that has one thread.
///
/// # Errors
/// The call's error number; `EDEADLK` where the process is seen to have several threads.
pub fn fork() -> Result<Forked, Errno> {
    prepare()?;
    // SAFETY: with one thread no lock can be held by a thread that the child lacks, so the child may do everything.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(Forked::Parent(child)),
        ForkResult::Child => Ok(Forked::Child),
    }
}

/// Like [`fork`], with the child in the namespaces that the `CLONE_NEW…` flags name.
///
/// The C library does not know of this child: its record of the thread's id stays the parent's until the child forks with
/// [`fork`] in turn. So the child must not itself use mutexes that record an owner; Rust's own locks do not.
///
/// # Errors
/// The call's error number; `EDEADLK` where the process is seen to have several threads.
#[cfg(target_os = "linux")]
pub fn fork_into(namespaces: nix::sched::CloneFlags) -> Result<Forked, Errno> {
    prepare()?;
    let flags = libc::c_long::from(namespaces.bits() | libc::SIGCHLD);
    let none: libc::c_long = 0;
    let (first, second) = if cfg!(target_arch = "s390x") { (none, flags) } else { (flags, none) };
    // SAFETY: without CLONE_VM and with no stack given the call is a fork: the child has a copy of the memory and goes on on
    // its copy of this stack. The pointers that other flags would need are null. One thread, as in `fork`.
    let child = unsafe { libc::syscall(libc::SYS_clone, first, second, none, none, none) };
    match Errno::result(child)? {
        0 => Ok(Forked::Child),
        pid => Ok(Forked::Parent(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)))),
    }
}

/// Writes out what is buffered.
pub fn flush() {
    // Output that cannot be written is no reason to change what a case does.
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
}

/// Flushes what the child would otherwise write a second time, and refuses to fork with several threads.
fn prepare() -> Result<(), Errno> {
    flush();
    expect_one_thread()
}

/// Ends the process at once: no destructor, no handler, no flush of what the parent had buffered.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(status) }
}

/// Runs `body` in a child and returns the exit status that it chose, or `None` where it died otherwise.
///
/// # Errors
/// Those of [`fork`] and of `waitpid(2)`.
pub fn in_child(body: impl FnOnce() -> i32) -> Result<Option<i32>, Errno> {
    match fork()? {
        Forked::Child => exit_now(catch_unwind(AssertUnwindSafe(body)).unwrap_or(PANICKED)),
        Forked::Parent(child) => Ok(match wait(child)? {
            WaitStatus::Exited(_, status) => Some(status),
            _ => None,
        }),
    }
}
