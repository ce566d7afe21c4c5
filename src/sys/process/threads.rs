//! How many threads this process has, and what only a process with one may do.

use std::ffi::OsStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::{Errno, errno};

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

/// Refuses where the process is seen to have several threads.
///
/// # Errors
/// `EDEADLK`.
pub(in crate::sys) fn expect_one_thread() -> Result<(), Errno> {
    if is_alone() {
        return Ok(());
    }
    if threads().is_some_and(|count| count > FOREIGN.load(Ordering::Relaxed) + 1) { Err(errno::EDEADLK) } else { Ok(()) }
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
