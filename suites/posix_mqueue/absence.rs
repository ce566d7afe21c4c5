//! Systems without POSIX message queues: none of the functions exists.

use conformance::prelude::*;
use conformance::sys::symbol;

/// If the suite is compiled for a system other than Linux, FreeBSD and NetBSD, `dlsym` returns a null pointer for each of
/// `mq_open`, `mq_send`, `mq_receive`, `mq_getattr`, `mq_notify` and `mq_unlink`, and another value for `sem_open`.
#[conformance::test(posix = "mq_open", level = customary)]
fn no_mq_function_exists() -> Outcome {
    let found = |name| symbol::exists(name);
    let queues = [c"mq_open", c"mq_send", c"mq_receive", c"mq_getattr", c"mq_notify", c"mq_unlink"].map(found);
    expect_eq!((found(c"sem_open"), queues), (true, [false; 6]));
    Ok(())
}
