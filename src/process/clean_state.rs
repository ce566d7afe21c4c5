//! The state that every case starts from, whatever its parents did.
//!
//! Rust's `main` begins with `SIGPIPE` ignored and with handlers for `SIGSEGV` and `SIGBUS` on an alternate stack; a shell may
//! hand down ignored signals, a mask or a umask. Cases are about such things, so none of it may reach them.

use std::convert::Infallible;
use std::mem::MaybeUninit;
use std::ptr;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};

use super::descriptors::{self, Descriptors};
use crate::sys::Errno;

/// Soft limit on descriptors that a case starts with, where the hard limit allows it.
pub const DESCRIPTOR_LIMIT: libc::rlim_t = 1024;

/// Runs `body`, which never returns, from the known state, with `descriptors`: all others but 0, 1 and 2 are closed. It is told of a
/// limit that could not be set.
///
/// The other way round this would be a function that takes descriptors away from under their owners: so it is the last that a process
/// does, and owners that its callers have are never used again.
pub(crate) fn run_from<D: Descriptors>(descriptors: D, body: impl FnOnce(D, Result<(), Errno>) -> Infallible) -> ! {
    let mut keep = Vec::new();
    descriptors.numbers(&mut keep);
    // SAFETY: the body ends the process; what it owns are the descriptors that are kept.
    unsafe { descriptors::close_all_but(&keep) };
    let limits = establish();
    match body(descriptors, limits) {}
}

/// Signals, umask and limits.
fn establish() -> Result<(), Errno> {
    default_signals();
    umask(Mode::from_bits_truncate(0o022));
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(DESCRIPTOR_LIMIT), hard)?;
    // A participant that a signal ends shall leave no file.
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
    setrlimit(Resource::RLIMIT_CORE, 0, hard)?;
    Ok(())
}

/// Default dispositions, an empty mask, no alternate stack, no timers.
pub(crate) fn default_signals() {
    for signal in 1..=last_signal() {
        // SAFETY: SIG_DFL is a valid disposition for every signal; for those that cannot be set, and the two that the C library
        // keeps for itself, the call fails and changes nothing.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut empty = MaybeUninit::uninit();
    let off = libc::itimerval { it_interval: ZERO, it_value: ZERO };
    let no_stack = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: all pointers are to live values of the right type or null where that is allowed; `sigemptyset` makes the set valid
    // before `sigprocmask` reads it.
    unsafe {
        libc::sigemptyset(empty.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, empty.as_ptr(), ptr::null_mut());
        libc::sigaltstack(&raw const no_stack, ptr::null_mut());
        libc::setitimer(libc::ITIMER_REAL, &raw const off, ptr::null_mut());
    }
}

const ZERO: libc::timeval = libc::timeval { tv_sec: 0, tv_usec: 0 };

#[cfg(linux)]
fn last_signal() -> i32 {
    libc::SIGRTMAX()
}

#[cfg(not(linux))]
fn last_signal() -> i32 {
    31
}
