//! How many threads this process has, and what only a process with one may do.
//!
//! Where the system does not show it (no `/proc`, and not Linux), a process is taken to have one: nothing in the harness starts a
//! thread, and a case forks before it starts any.

use std::ffi::OsStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys::{Errno, errno};

/// Sets a variable of the environment, in a process that has one thread.
///
/// # Errors
/// `EDEADLK` where the process is seen to have several threads.
pub(crate) fn set_variable(name: &str, value: impl AsRef<OsStr>) -> Result<(), Errno> {
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
    // Asked before each fork, so it should be cheap: this costs a twentieth of a look into /proc, which also leaves something for the
    // kernel to clear away.
    if is_alone() == Some(true) {
        return Ok(());
    }
    if threads().is_some_and(|count| count > FOREIGN.load(Ordering::Relaxed) + 1) { Err(errno::EDEADLK) } else { Ok(()) }
}

/// Threads that are shown beside the process's own: an emulator's, which sees to its own when it forks.
static FOREIGN: AtomicU64 = AtomicU64::new(0);

/// Counts the foreign threads, when this process has only one of its own.
#[cfg(all(linux, not(miri)))]
extern "C" fn count_foreign() {
    if let Some(count) = threads() {
        FOREIGN.store(count - 1, Ordering::Relaxed);
    }
}

// SAFETY: the functions whose addresses stand there are called before `main`, with arguments that this one does not look at. No code of
// this process has started a thread by then.
#[cfg(all(linux, not(miri)))]
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = count_foreign;

/// How many threads this process has, where the system shows it: a directory's links are its subdirectories and two more.
fn threads() -> Option<u64> {
    let Ok(tasks) = std::fs::metadata("/proc/self/task") else {
        return (is_alone() == Some(false)).then_some(2);
    };
    let links = std::os::unix::fs::MetadataExt::nlink(&tasks);
    links.checked_sub(2).filter(|&count| count > 0)
}

/// Whether the kernel says that this is the only thread, an emulator's included; `None` where it is not told, as a filter may see to.
///
/// It is asked for what one thread alone may be given, which has it already, so that nothing changes: a thread group of its own
/// (unshare(2)).
fn is_alone() -> Option<bool> {
    #[cfg(linux)]
    match nix::sched::unshare(nix::sched::CloneFlags::CLONE_THREAD) {
        Ok(()) => Some(true),
        Err(nix::errno::Errno::EINVAL) => Some(false),
        Err(_) => None,
    }
    #[cfg(not(linux))]
    None
}

#[cfg(all(test, linux))]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "Miri does not show threads")]
    fn several_threads_are_noticed() {
        let look = || (is_alone(), expect_one_thread());
        assert_eq!(std::thread::scope(|scope| scope.spawn(look).join().unwrap()), (Some(false), Err(errno::EDEADLK)));
    }
}
