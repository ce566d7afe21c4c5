//! What a signal handler posts to, and how it is made to let go of that.

use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, Ordering};

/// What a handler posts to; null while there is none.
pub(super) static POSTED: AtomicPtr<libc::sem_t> = AtomicPtr::new(ptr::null_mut());

/// Handlers that are running, and may have seen what stood there.
static INSIDE: AtomicU32 = AtomicU32::new(0);

/// What the post in the handler returned, if it failed: its error number.
pub(super) static POST_FAILED: AtomicI32 = AtomicI32::new(0);

/// How often the handler has run.
pub(super) static RUNS: AtomicU32 = AtomicU32::new(0);

/// Posts, and notes how that went.
pub(super) extern "C" fn post_to_it(_: libc::c_int) {
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
