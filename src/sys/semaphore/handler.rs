//! A signal handler that posts to a semaphore.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::handle::Semaphore;
use crate::sys::Errno;
use crate::sys::signal::Restart;

/// What a handler posts to; null while there is none.
static POSTED: AtomicPtr<libc::sem_t> = AtomicPtr::new(ptr::null_mut());

/// What the post in the handler returned, if it failed: its error number.
static POST_FAILED: AtomicI32 = AtomicI32::new(0);

/// How often the handler has run.
static RUNS: AtomicU32 = AtomicU32::new(0);

extern "C" fn post_to_it(_: libc::c_int) {
    RUNS.fetch_add(1, Ordering::Relaxed);
    let saved = nix::errno::Errno::last_raw();
    let semaphore = POSTED.load(Ordering::Relaxed);
    // SAFETY: `sem_post` is async-signal-safe; the pointer is that of a semaphore that `PostOnSignal` keeps borrowed, or null.
    if !semaphore.is_null() && unsafe { libc::sem_post(semaphore) } == -1 {
        POST_FAILED.store(nix::errno::Errno::last_raw(), Ordering::Relaxed);
    }
    nix::errno::Errno::set_raw(saved);
}

/// A handler that posts to a semaphore, for as long as this lives. One at a time in a process.
#[derive(Debug)]
pub struct PostOnSignal<'a> {
    signal: Signal,
    semaphore: PhantomData<&'a Semaphore>,
}

impl<'a> PostOnSignal<'a> {
    /// `sigaction` with a handler that calls `sem_post`.
    ///
    /// # Errors
    /// What `sigaction` answers.
    pub fn new(semaphore: &'a Semaphore, signal: Signal, restart: Restart) -> Result<Self, Errno> {
        POSTED.store(semaphore.handle.as_ptr(), Ordering::Relaxed);
        let flags = if restart == Restart::Yes { SaFlags::SA_RESTART } else { SaFlags::empty() };
        let action = SigAction::new(SigHandler::Handler(post_to_it), flags, SigSet::empty());
        // SAFETY: the handler is async-signal-safe, see there.
        unsafe { sigaction(signal, &action)? };
        Ok(PostOnSignal { signal, semaphore: PhantomData })
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
        POSTED.store(ptr::null_mut(), Ordering::Relaxed);
    }
}
