//! POSIX message queues: an option, of kernels too.

use conformance::prelude::*;
use conformance::sandbox::names::unique_name;
use nix::mqueue::{MQ_OFlag, MqAttr, mq_close, mq_getattr, mq_open, mq_unlink};
use nix::sys::stat::Mode;

/// A small queue can be made, has the size asked for, and can be removed.
#[conformance::test(posix = "mq_open", man = "mq_overview(7)", ambient)]
fn can_be_made() -> Outcome {
    let name = unique_name("environment");
    let flags = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDWR;
    let size = MqAttr::new(0, 2, 16, 0);
    let queue = mq_open(name.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR, Some(&size)).map_err(Errno::from);
    if let Err(errno @ (ENOSYS | EPERM | EACCES)) = queue {
        unsupported!("mq_open, by the kernel's configuration or by a filter of system calls,", errno);
    }
    expect_matches!(queue, Ok(_));
    let queue = queue?;
    expect_eq!(mq_unlink(name.as_str()).map_err(Errno::from), Ok(()));
    expect_eq!(mq_getattr(&queue).map(|size| (size.maxmsg(), size.msgsize())), Ok((2, 16)));
    mq_close(queue)?;
    Ok(())
}
