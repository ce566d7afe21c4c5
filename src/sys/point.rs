//! Cooperative kill points: where a system has no system-call tracing, every wrapper in [`crate::sys`] is a point at which a
//! sweep can end the calling process, before the call and after it.

use std::sync::atomic::{AtomicI64, Ordering};

/// Points left until the process kills itself; negative: not armed.
static LEFT: AtomicI64 = AtomicI64::new(-1);

/// Arms the calling process: it kills itself at the point with this number, counted from 0.
pub(crate) fn arm(number: u32) {
    LEFT.store(i64::from(number), Ordering::Relaxed);
}

/// Disarms the calling process: it has finished what was to be swept.
pub(crate) fn disarm() {
    LEFT.store(-1, Ordering::Relaxed);
}

/// Passes a point.
pub(crate) fn pass() {
    if LEFT.load(Ordering::Relaxed) < 0 {
        return;
    }
    if LEFT.fetch_sub(1, Ordering::Relaxed) == 0 {
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    }
}

/// Makes one call, with a point before and one after.
pub(crate) fn around<T>(call: impl FnOnce() -> T) -> T {
    pass();
    let result = call();
    pass();
    result
}

/// A system call without any effect: a sweep finds points here, in a stretch of code that makes no call of its own.
pub fn mark() {
    around(nix::unistd::getppid);
}
