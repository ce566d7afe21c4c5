//! `IPC_RMID` while others wait: nobody is left asleep on a queue that is gone.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::IPC_NOWAIT;
use conformance::sys::sysv::msg::{MessageQueue, find_queue};

/// Removing a queue wakes those who wait for room and those who wait for a message, of any type or of a certain one; each call fails
/// with `EIDRM`.
#[conformance::test(posix = "msgsnd", posix = "msgrcv", posix = "msgctl", man = "msgop(2)")]
fn wakes_senders_and_receivers() -> Outcome {
    let full = MessageQueue::create(unique_key())?;
    // Several, as one message may have to be smaller than a queue.
    let part = pattern((full.status()?.capacity / 4).min(2048));
    let mut count = 0;
    loop {
        match full.send(1, &part, IPC_NOWAIT) {
            Ok(()) => count += 1,
            Err(EAGAIN) => break,
            Err(other) => Err(other)?,
        }
    }
    let empty = MessageQueue::create(unique_key())?;
    let sender = Participant::spawn("sender", (), |(), _| full.send(1, &part, 0))?;
    let of_a_type = Participant::spawn("waits for type 2", (), |(), _| full.receive(2, 0, 0))?;
    let of_any = Participant::spawn("waits for any type", (), |(), _| empty.receive(0, 0, 0))?;
    let up_to_three = Participant::spawn("waits up to type 3", (), |(), _| empty.receive(-3, 0, 0))?;
    sender.until_blocked()?;
    for receiver in [&of_a_type, &of_any, &up_to_three] {
        receiver.until_blocked()?;
    }
    expect_eq!(full.status().map(|status| status.messages), Ok(count));

    expect_eq!(full.remove(), Ok(()));
    expect_eq!((sender.join()?, of_a_type.join()?), (Err(EIDRM), Err(EIDRM)));
    of_any.expect_still_blocked()?;
    expect_eq!(empty.remove(), Ok(()));
    expect_eq!([of_any.join()?, up_to_three.join()?], [Err(EIDRM), Err(EIDRM)]);
    Ok(())
}

/// The id of a removed queue is invalid for every call, its messages are gone, and its key names nothing until it is used again.
#[conformance::test(posix = "msgctl", posix = "msgsnd", posix = "msgrcv", man = "msgctl(2)")]
fn ends_id_key_and_messages() -> Outcome {
    let key = unique_key();
    let queue = MessageQueue::create(key)?;
    queue.send(1, b"lost", IPC_NOWAIT)?;
    expect_eq!((find_queue(key, 0), queue.remove()), (Ok(queue.id()), Ok(())));
    expect_eq!((find_queue(key, 0), queue.status(), queue.remove()), (Err(ENOENT), Err(EINVAL), Err(EINVAL)));
    expect_eq!((queue.send(1, b"x", IPC_NOWAIT), queue.receive(0, 9, IPC_NOWAIT)), (Err(EINVAL), Err(EINVAL)));
    let successor = MessageQueue::create(key)?;
    expect_eq!(successor.receive(0, 9, IPC_NOWAIT), Err(ENOMSG));
    expect_eq!(queue.receive(0, 9, IPC_NOWAIT), Err(EINVAL), "the old id does not reach the new queue");
    Ok(())
}
