//! Message queues, where the system has none: that they are absent altogether, and not there and broken.

use conformance::prelude::*;
use conformance::sys::symbol;

/// A system without message queues has none of their functions.
#[conformance::test(posix = "mq_open")]
fn leaves_no_function_behind() -> Outcome {
    let found = |name| symbol::exists(name);
    let queues = [c"mq_open", c"mq_send", c"mq_receive", c"mq_getattr", c"mq_notify", c"mq_unlink"].map(found);
    expect_eq!((found(c"sem_open"), queues), (true, [false; 6]));
    Ok(())
}
