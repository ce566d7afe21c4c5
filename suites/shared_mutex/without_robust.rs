//! Robust mutexes, where the C library has none: that they are absent altogether, and not there and broken.

use conformance::prelude::*;
use conformance::sys::symbol;

/// A system without robust mutexes has none of their functions.
#[conformance::test(posix = "pthread_mutexattr_setrobust")]
fn have_no_functions_where_they_are_missing() -> Outcome {
    let found = |name| symbol::exists(name);
    let robust = [c"pthread_mutexattr_setrobust", c"pthread_mutexattr_getrobust", c"pthread_mutex_consistent"].map(found);
    expect_eq!((found(c"pthread_mutex_lock"), robust), (true, [false; 3]));
    Ok(())
}
