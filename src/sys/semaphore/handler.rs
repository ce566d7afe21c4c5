//! A signal handler that posts to a semaphore.

use std::sync::atomic::Ordering;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::handle::Semaphore;
use super::posting::{POST_FAILED, POSTED, RUNS, forget, post_to_it};
use crate::sys::Errno;
use crate::sys::point::around;
use crate::sys::signal::Restart;

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

#[cfg(all(test, has_unnamed_semaphores))]
mod tests {
    use super::*;
    use crate::sys::memory::mapping::Mapping;
    use crate::sys::memory::page_size;

    #[test]
    #[cfg_attr(miri, ignore = "Miri has no semaphores")]
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
