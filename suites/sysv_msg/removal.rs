//! `msgctl` with `IPC_RMID`: blocked senders and receivers return, and id and key become invalid.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::IPC_NOWAIT;
use conformance::sys::sysv::msg::{MessageQueue, find_queue};

/// `msgctl` with `IPC_RMID` of a full queue that holds only messages of type 1 makes a blocked `msgsnd`, and a blocked `msgrcv`
/// for type 2, fail with `EIDRM`, while `msgrcv` on another, empty queue stays blocked. `IPC_RMID` of the empty queue makes
/// `msgrcv` that is blocked for type 0 or -3 fail with `EIDRM`.
#[conformance::test(posix = "msgsnd", posix = "msgrcv", posix = "msgctl", man = "msgop(2)")]
fn ipc_rmid_wakes_blocked_senders_and_receivers() -> Outcome {
    let full = MessageQueue::create(unique_key())?;
    // Several messages, as some systems limit a message to less than a queue holds.
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
    let of_type_2 = Participant::spawn("receiver of type 2", (), |(), _| full.receive(2, 0, 0))?;
    let of_any = Participant::spawn("receiver of any type", (), |(), _| empty.receive(0, 0, 0))?;
    let up_to_three = Participant::spawn("receiver of types up to 3", (), |(), _| empty.receive(-3, 0, 0))?;
    sender.until_blocked()?;
    for receiver in [&of_type_2, &of_any, &up_to_three] {
        receiver.until_blocked()?;
    }
    expect_eq!(full.status().map(|status| status.messages), Ok(count));

    expect_eq!(full.remove(), Ok(()));
    expect_eq!((sender.join()?, of_type_2.join()?), (Err(EIDRM), Err(EIDRM)));
    of_any.expect_still_blocked()?;
    expect_eq!(empty.remove(), Ok(()));
    expect_eq!([of_any.join()?, up_to_three.join()?], [Err(EIDRM), Err(EIDRM)]);
    Ok(())
}

/// After `msgctl` with `IPC_RMID`, `msgsnd`, `msgrcv`, and `msgctl` with `IPC_STAT` or `IPC_RMID`, on the id fail with `EINVAL`,
/// and `msgget` with the key and without `IPC_CREAT` fails with `ENOENT`. `msgrcv` with `IPC_NOWAIT` on a queue created again
/// with the key fails with `ENOMSG`.
#[conformance::test(posix = "msgctl", posix = "msgsnd", posix = "msgrcv", man = "msgctl(2)")]
fn ipc_rmid_invalidates_id_and_key() -> Outcome {
    let key = unique_key();
    let queue = MessageQueue::create(key)?;
    queue.send(1, b"removed", IPC_NOWAIT)?;
    expect_eq!((find_queue(key, 0), queue.remove()), (Ok(queue.id()), Ok(())));
    expect_eq!((find_queue(key, 0), queue.status(), queue.remove()), (Err(ENOENT), Err(EINVAL), Err(EINVAL)));
    expect_eq!((queue.send(1, b"x", IPC_NOWAIT), queue.receive(0, 9, IPC_NOWAIT)), (Err(EINVAL), Err(EINVAL)));
    expect_eq!(MessageQueue::create(key)?.receive(0, 9, IPC_NOWAIT), Err(ENOMSG));
    Ok(())
}

/// After `msgctl` with `IPC_RMID` and `msgget` of a new queue with the same key, `msgsnd`, `msgrcv` and `msgctl` with `IPC_RMID`
/// on the id of the removed queue fail with `EINVAL`. `msgrcv` with `IPC_NOWAIT` on the new queue fails with `ENOMSG`.
#[conformance::test(posix = "msgctl", man = "msgctl(2)", level = customary)]
fn new_queue_with_the_key_gets_another_id() -> Outcome {
    let key = unique_key();
    let queue = MessageQueue::create(key)?;
    expect_eq!(queue.remove(), Ok(()));
    let successor = MessageQueue::create(key)?;
    expect_eq!([queue.send(1, b"x", IPC_NOWAIT), queue.receive(0, 9, IPC_NOWAIT).map(drop), queue.remove()], [Err(EINVAL); 3]);
    expect_eq!(successor.receive(0, 9, IPC_NOWAIT), Err(ENOMSG));
    Ok(())
}
