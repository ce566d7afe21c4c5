//! Robust mutexes on a system whose C library has none: all of their functions are absent.

use conformance::prelude::*;
use conformance::sys::symbol;

/// If compiled for a system other than Linux and FreeBSD, whose C library lacks robust mutexes, `dlsym` finds
/// `pthread_mutex_lock` and returns NULL for `pthread_mutexattr_setrobust`, `pthread_mutexattr_getrobust` and
/// `pthread_mutex_consistent`.
#[conformance::test(posix = "pthread_mutexattr_setrobust", level = customary)]
fn lacks_each_robust_function_where_missing() -> Outcome {
    let found = |name| symbol::exists(name);
    let robust = [c"pthread_mutexattr_setrobust", c"pthread_mutexattr_getrobust", c"pthread_mutex_consistent"].map(found);
    expect_eq!((found(c"pthread_mutex_lock"), robust), (true, [false; 3]));
    Ok(())
}
