//! POSIX message queues, which are optional in POSIX and in the configuration of kernels.

use conformance::prelude::*;
use conformance::sandbox::names::unique_name;
use nix::mqueue::{MQ_OFlag, MqAttr, mq_close, mq_getattr, mq_open, mq_unlink};
use nix::sys::stat::Mode;

/// `mq_open` with `O_CREAT | O_EXCL` and attributes for 2 messages of 16 bytes returns a queue descriptor for which `mq_getattr`
/// reports `mq_maxmsg` 2 and `mq_msgsize` 16. `mq_unlink` of the name returns 0.
#[conformance::test(posix = "mq_open", man = "mq_overview(7)", ambient)]
fn queue_can_be_created() -> Outcome {
    let name = unique_name("environment");
    let flags = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDWR;
    let size = MqAttr::new(0, 2, 16, 0);
    let queue = mq_open(name.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR, Some(&size)).map_err(Errno::from);
    if let Err(errno @ (ENOSYS | EPERM | EACCES)) = queue {
        unsupported!("mq_open (the kernel is configured without message queues, or a seccomp filter denies them)", errno);
    }
    expect_matches!(queue, Ok(_));
    let queue = queue?;
    expect_eq!(mq_unlink(name.as_str()).map_err(Errno::from), Ok(()));
    expect_eq!(mq_getattr(&queue).map(|size| (size.maxmsg(), size.msgsize())), Ok((2, 16)));
    mq_close(queue)?;
    Ok(())
}
