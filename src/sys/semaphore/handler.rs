//! A signal handler that posts to a semaphore.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::handle::Semaphore;
use crate::sys::Errno;
use crate::sys::point::around;
use crate::sys::signal::Restart;

/// What a handler posts to; null while there is none.
static POSTED: AtomicPtr<libc::sem_t> = AtomicPtr::new(ptr::null_mut());

/// Handlers that are running, and may have seen what stood there.
static INSIDE: AtomicU32 = AtomicU32::new(0);

/// What the post in the handler returned, if it failed: its error number.
static POST_FAILED: AtomicI32 = AtomicI32::new(0);

/// How often the handler has run.
static RUNS: AtomicU32 = AtomicU32::new(0);

extern "C" fn post_to_it(_: libc::c_int) {
    INSIDE.fetch_add(1, Ordering::SeqCst);
    RUNS.fetch_add(1, Ordering::Relaxed);
    let saved = nix::errno::Errno::last_raw();
    let semaphore = POSTED.load(Ordering::SeqCst);
    // SAFETY: `sem_post` is async-signal-safe; the pointer is null, or that of a semaphore that is not given up before `forget` has
    // seen that no handler is inside.
    if !semaphore.is_null() && unsafe { libc::sem_post(semaphore) } == -1 {
        POST_FAILED.store(nix::errno::Errno::last_raw(), Ordering::Relaxed);
    }
    nix::errno::Errno::set_raw(saved);
    INSIDE.fetch_sub(1, Ordering::SeqCst);
}

/// No handler posts to that semaphore any more; for whoever closes or destroys it.
pub(super) fn forget(semaphore: NonNull<libc::sem_t>) {
    if POSTED.compare_exchange(semaphore.as_ptr(), ptr::null_mut(), Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        // One that interrupts this thread ends before this goes on; another thread's is a few instructions long.
        while INSIDE.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
    }
}

/// A handler that posts to a semaphore, for as long as this lives. One at a time in a process.
#[derive(Debug)]
pub struct PostOnSignal<'a> {
    signal: Signal,
    semaphore: &'a Semaphore,
}

impl<'a> PostOnSignal<'a> {
    /// `sigaction` with a handler that calls `sem_post`.
    ///
    /// # Errors
    /// What `sigaction` answers.
    pub fn new(semaphore: &'a Semaphore, signal: Signal, restart: Restart) -> Result<Self, Errno> {
        semaphore.posted.store(true, Ordering::SeqCst);
        POSTED.store(semaphore.handle.as_ptr(), Ordering::SeqCst);
        let flags = if restart == Restart::Yes { SaFlags::SA_RESTART } else { SaFlags::empty() };
        let action = SigAction::new(SigHandler::Handler(post_to_it), flags, SigSet::empty());
        // SAFETY: the handler is async-signal-safe, see there.
        around(|| unsafe { sigaction(signal, &action) })?;
        Ok(PostOnSignal { signal, semaphore })
    }

    /// How the posts in the handler went: the last error, if one failed.
    ///
    /// # Errors
    /// What `sem_post` answered.
    pub fn posted(&self) -> Result<(), Errno> {
        match POST_FAILED.load(Ordering::Relaxed) {
            0 => Ok(()),
            number => Err(Errno::from_raw(number)),
        }
    }

    /// How often the handler has run in this process.
    pub fn runs(&self) -> u32 {
        RUNS.load(Ordering::Relaxed)
    }
}

impl Drop for PostOnSignal<'_> {
    fn drop(&mut self) {
        let action = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        // SAFETY: the default is a valid disposition.
        let _ = unsafe { sigaction(self.signal, &action) };
        forget(self.semaphore.handle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::memory::mapping::Mapping;
    use crate::sys::memory::page_size;

    #[test]
    #[cfg(has_unnamed_semaphores)]
    fn a_forgotten_handler_posts_to_nothing_once_the_semaphore_is_gone() {
        let semaphore = Semaphore::unnamed(Mapping::private(page_size()).unwrap(), 0).unwrap();
        std::mem::forget(PostOnSignal::new(&semaphore, Signal::SIGUSR2, Restart::Yes).unwrap());
        nix::sys::signal::raise(Signal::SIGUSR2).unwrap();
        assert_eq!(semaphore.try_wait(), Ok(()));
        drop(semaphore);
        assert!(POSTED.load(Ordering::SeqCst).is_null());
        nix::sys::signal::raise(Signal::SIGUSR2).unwrap();
    }
}
