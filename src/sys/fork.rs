//! Forking the harness's own processes: workers, and children that try something out. (Participants of cases are forked in
//! `process`.)

use std::ffi::OsStr;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid};

use super::Errno;

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

/// Sets a variable of the environment, in a process that has one thread.
///
/// # Errors
/// `EDEADLK` where the process is seen to have several threads.
pub fn set_variable(name: &str, value: impl AsRef<OsStr>) -> Result<(), Errno> {
    expect_one_thread()?;
    // SAFETY: nobody else is there to read the environment meanwhile.
    unsafe { std::env::set_var(name, value) };
    Ok(())
}

/// Flushes what the child would otherwise write a second time, and refuses to fork with several threads.
fn prepare() -> Result<(), Errno> {
    flush();
    expect_one_thread()
}

fn expect_one_thread() -> Result<(), Errno> {
    if is_alone() {
        return Ok(());
    }
    if threads().is_some_and(|count| count > FOREIGN.load(Ordering::Relaxed) + 1) { Err(super::errno::EDEADLK) } else { Ok(()) }
}

/// Whether the kernel says that this is the only thread. False says nothing: an emulator's threads count, and a filter may refuse.
#[cfg(linux)]
fn is_alone() -> bool {
    // Asked before each fork, so it should be cheap: this costs a twentieth of a look into /proc, which also leaves something for the
    // kernel to clear away.
    // SAFETY: without effect where it succeeds: with one thread there is nothing to be separated (unshare(2)).
    unsafe { libc::unshare(libc::CLONE_THREAD) == 0 }
}

#[cfg(not(linux))]
fn is_alone() -> bool {
    false
}

/// Threads that are shown beside the process's own.
static FOREIGN: AtomicU64 = AtomicU64::new(0);

/// Counts the threads of a process that has just begun and has one: what is shown beside it is an emulator's, which sees to its own
/// when it forks.
pub fn count_foreign_threads() {
    if let Some(count) = threads() {
        FOREIGN.store(count - 1, Ordering::Relaxed);
    }
}

/// How many threads this process has, where the system shows it: a directory's links are its subdirectories and two more.
fn threads() -> Option<u64> {
    let links = std::os::unix::fs::MetadataExt::nlink(&std::fs::metadata("/proc/self/task").ok()?);
    links.checked_sub(2).filter(|&count| count > 0)
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

/// Waits for that child to end, however often a signal interrupts.
///
/// # Errors
/// The error number of `waitpid(2)`.
pub fn wait(child: Pid) -> Result<WaitStatus, Errno> {
    wait_with(child, WaitPidFlag::empty())
}

/// As [`wait`], with flags: for stops, or without waiting.
///
/// # Errors
/// The error number of `waitpid(2)`.
pub fn wait_with(child: Pid, flags: WaitPidFlag) -> Result<WaitStatus, Errno> {
    loop {
        match waitpid(child, Some(flags)) {
            Err(nix::errno::Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Whether that child has ended, which leaves it to be waited for.
///
/// # Errors
/// The error number of `waitid(2)`.
pub fn has_ended(child: Pid) -> Result<bool, Errno> {
    // SAFETY: all-zero is a valid value of this plain C structure.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    #[allow(clippy::useless_conversion, reason = "wider on some systems")]
    let id = libc::id_t::from(child.as_raw().unsigned_abs());
    // SAFETY: `info` is writable for the call; a child that is still alive leaves it as it is.
    Errno::result(unsafe { libc::waitid(libc::P_PID, id, &raw mut info, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) })?;
    Ok(info.si_signo == libc::SIGCHLD)
}
