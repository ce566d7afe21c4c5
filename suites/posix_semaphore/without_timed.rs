//! Waiting with a deadline, where the system has no such call: that it is absent altogether.

use conformance::prelude::*;
use conformance::sys::symbol;

/// A system without timed waits for semaphores has neither of their functions.
#[conformance::test(posix = "sem_timedwait")]
fn waits_have_no_functions_where_they_are_missing() -> Outcome {
    let found = [c"sem_wait", c"sem_timedwait", c"sem_clockwait"].map(symbol::exists);
    expect_eq!(found, [true, false, false]);
    Ok(())
}
