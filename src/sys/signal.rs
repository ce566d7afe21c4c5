//! Signals: catching, blocking and counting them. Handlers here only count; assertions are made outside.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, sigaction};

use super::Errno;
use super::point::around;

/// More than the number of the last signal.
const SIGNALS: usize = 130;

static CAUGHT: [AtomicU32; SIGNALS] = [const { AtomicU32::new(0) }; SIGNALS];
static CODE: AtomicI32 = AtomicI32::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);
static THREAD: AtomicI32 = AtomicI32::new(0);

extern "C" fn count(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    if let Some(counter) = usize::try_from(signal).ok().and_then(|signal| CAUGHT.get(signal)) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: with SA_SIGINFO the kernel passes a valid structure; `si_pid` is read from its plain bytes.
    let (code, sender) = unsafe { ((*info).si_code, (*info).si_pid()) };
    CODE.store(code, Ordering::Relaxed);
    SENDER.store(sender, Ordering::Relaxed);
    THREAD.store(super::thread_id(), Ordering::Relaxed);
}

/// `si_code` of a signal that a process sent with `kill`. The BSDs and macOS have another number than Linux, and the libc crate
/// does not know it everywhere.
pub const SI_USER: i32 = if cfg!(linux) { 0 } else { 0x10001 };

/// Whether an interrupted call starts again after the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// `SA_RESTART`.
    Yes,
    /// Without it.
    No,
}

/// Catches a signal with a handler that counts.
///
/// # Errors
/// `EINVAL` for a signal that cannot be caught.
pub fn catch(signal: Signal, restart: Restart) -> Result<(), Errno> {
    let mut flags = SaFlags::SA_SIGINFO;
    flags.set(SaFlags::SA_RESTART, restart == Restart::Yes);
    set(signal, SigHandler::SigAction(count), flags)
}

/// Ignores a signal.
///
/// # Errors
/// `EINVAL` for a signal that cannot be ignored.
pub fn ignore(signal: Signal) -> Result<(), Errno> {
    set(signal, SigHandler::SigIgn, SaFlags::empty())
}

fn set(signal: Signal, handler: SigHandler, flags: SaFlags) -> Result<(), Errno> {
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: the only handler that is ever passed, `count`, uses atomics and a system call and is async-signal-safe.
    around(|| unsafe { sigaction(signal, &action) })?;
    Ok(())
}

/// How often the handler has run for this signal.
pub fn caught(signal: Signal) -> u32 {
    CAUGHT[signal as usize].load(Ordering::Relaxed)
}

/// What the handler saw last: `si_code`, `si_pid`, and the kernel's id of the thread that it ran in.
pub fn last_caught() -> (i32, i32, i32) {
    (CODE.load(Ordering::Relaxed), SENDER.load(Ordering::Relaxed), THREAD.load(Ordering::Relaxed))
}

/// Forgets what the handler saw last.
pub fn forget_last_caught() {
    for what in [&CODE, &SENDER, &THREAD] {
        what.store(i32::MIN, Ordering::Relaxed);
    }
}

/// Blocks a signal in the calling thread.
///
/// # Errors
/// None that can be expected.
pub fn block(signal: Signal) -> Result<(), Errno> {
    let mut set = SigSet::empty();
    set.add(signal);
    around(|| pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set), None))?;
    Ok(())
}

/// Unblocks a signal in the calling thread.
///
/// # Errors
/// None that can be expected.
pub fn unblock(signal: Signal) -> Result<(), Errno> {
    let mut set = SigSet::empty();
    set.add(signal);
    around(|| pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&set), None))?;
    Ok(())
}

/// Whether a blocked signal is pending for the calling thread or its process.
///
/// # Errors
/// None that can be expected.
pub fn pending(signal: Signal) -> Result<bool, Errno> {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is written by `sigpending` before it is read.
    unsafe {
        Errno::result(around(|| libc::sigpending(set.as_mut_ptr())))?;
        Ok(libc::sigismember(set.as_ptr(), signal as libc::c_int) == 1)
    }
}

/// Takes a pending, blocked signal off (`sigwait`).
///
/// # Errors
/// `EINVAL` for a signal that cannot be waited for.
pub fn take_pending(signal: Signal) -> Result<Signal, Errno> {
    let mut set = SigSet::empty();
    set.add(signal);
    Ok(around(|| set.wait())?)
}
