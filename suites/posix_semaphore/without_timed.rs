//! Timed waits for semaphores on a system that has none: all of their functions are absent.

use conformance::prelude::*;
use conformance::sys::symbol;

/// On macOS and other Apple systems (as this suite was compiled for one), the C library exports the symbol `sem_wait`, but
/// neither `sem_timedwait` nor `sem_clockwait`.
#[conformance::test(posix = "sem_timedwait", level = customary)]
fn lacks_each_timed_function_where_missing() -> Outcome {
    let found = [c"sem_wait", c"sem_timedwait", c"sem_clockwait"].map(symbol::exists);
    expect_eq!(found, [true, false, false]);
    Ok(())
}
