//! Senders and receivers that are killed, blocked or at any system call: which messages the queue holds afterwards.

use conformance::prelude::*;
use conformance::sys::mqueue::{Blocking, MessageQueue};

use super::fixture::{MESSAGE_SIZE, attributes, drain, queue};

/// A participant that calls a blocking `mq_send` with one message, on an open message queue description of its own.
fn sender(
    name: &str,
    queue: &MessageQueue,
    message: &'static [u8],
    priority: u32,
) -> Result<Participant<Result<(), Errno>>, Errno> {
    Participant::spawn(name, (), |(), _| queue.open_again(Blocking::Yes)?.send(message, priority))
}

/// If a process blocked in `mq_send` on a queue of 3 messages is killed, `mq_getattr` reports `mq_curmsgs` 3, and `mq_receive`
/// returns only messages that were sent before. After one `mq_receive`, the next `mq_send` by another process returns 0.
#[conformance::test(posix = "mq_send", man = "mq_send(3)")]
fn killed_blocked_sender_adds_no_message() -> Outcome {
    let queue = queue(Blocking::Yes, 3)?;
    for (message, priority) in [(b"a", 1), (b"b", 5), (b"c", 1)] {
        queue.send(message, priority)?;
    }
    let victim = sender("victim", &queue, b"victim", 9)?;
    victim.until_blocked()?;
    victim.kill()?;
    expect_eq!(queue.attributes(), Ok(attributes(Blocking::Yes, 3, 3)));
    expect_eq!(queue.receive(MESSAGE_SIZE), Ok((b"b".to_vec(), 5)));
    expect_eq!(queue.attributes(), Ok(attributes(Blocking::Yes, 3, 2)));
    expect_eq!(queue.send(b"d", 1), Ok(()));
    expect_eq!(drain(&queue), Ok([b"a", b"c", b"d"].map(|message| (message.to_vec(), 1)).to_vec()));
    expect_eq!(queue.attributes(), Ok(attributes(Blocking::Yes, 3, 0)));
    Ok(())
}

/// If the first of two processes blocked in `mq_send` on a full queue of one message is killed, `mq_send` of the other stays
/// blocked, and returns 0 after one `mq_receive`. The next `mq_receive` returns the message of the other process, and the one
/// after that, on a non-blocking descriptor, fails with `EAGAIN`.
#[conformance::test(posix = "mq_send", man = "mq_send(3)")]
fn free_slot_goes_to_the_living_sender() -> Outcome {
    let queue = queue(Blocking::Yes, 1)?;
    queue.send(b"first", 0)?;
    let victim = sender("victim", &queue, b"victim", 9)?;
    victim.until_blocked()?;
    let survivor = sender("survivor", &queue, b"survivor", 3)?;
    survivor.until_blocked()?;
    victim.kill()?;
    survivor.expect_still_blocked()?;
    expect_eq!(queue.receive(MESSAGE_SIZE), Ok((b"first".to_vec(), 0)));
    expect_eq!((survivor.join()?, drain(&queue)), (Ok(()), Ok(vec![(b"survivor".to_vec(), 3)])));
    Ok(())
}

/// If the first of two processes blocked in `mq_receive` on an empty queue is killed, `mq_receive` of the other returns the next
/// message that is sent. After a second `mq_send`, `mq_getattr` reports `mq_curmsgs` 1, and `mq_receive` returns the second
/// message.
#[conformance::test(posix = "mq_receive", man = "mq_receive(3)")]
fn message_goes_to_the_living_receiver() -> Outcome {
    let queue = queue(Blocking::Yes, 2)?;
    let receive = |name| Participant::spawn(name, (), |(), _| queue.open_again(Blocking::Yes)?.receive(MESSAGE_SIZE));
    let victim = receive("victim")?;
    victim.until_blocked()?;
    let survivor = receive("survivor")?;
    survivor.until_blocked()?;
    victim.kill()?;
    expect_eq!((queue.send(b"one", 1), survivor.join()?), (Ok(()), Ok((b"one".to_vec(), 1))));
    expect_eq!((queue.send(b"two", 2), queue.attributes()), (Ok(()), Ok(attributes(Blocking::Yes, 2, 1))));
    expect_eq!(drain(&queue), Ok(vec![(b"two".to_vec(), 2)]));
    Ok(())
}

/// If a process that calls `mq_send` with the priorities 1 and 7, `mq_receive`, and `mq_send` with priority 2 on a queue with one
/// message of priority 2 is killed at the entry or the exit of each of its system calls, the queue holds exactly the messages
/// that the calls leave that had returned; a call that had only been entered has no effect. `mq_getattr` reports their number in
/// `mq_curmsgs`, and `mq_receive` returns them by priority and then by age.
#[conformance::test(posix = "mq_send", man = "mq_overview(7)", needs(ptrace))]
fn killed_process_completes_calls_or_none() -> Outcome {
    sweep(|run| {
        let queue = queue(Blocking::No, 4)?;
        queue.send(b"old", 2)?;
        let victim = run.victim("victim", (), |(), _| {
            let queue = queue.open_again(Blocking::Yes)?;
            queue.send(b"low", 1)?;
            queue.send(b"high", 7)?;
            let received = queue.receive(MESSAGE_SIZE)?;
            queue.send(b"late", 2)?;
            Ok::<_, Errno>(received)
        })?;
        expect_matches!(victim.value, None | Some(Ok(_)));
        let (sent, received) = (victim.returned("mq_timedsend"), victim.returned("mq_timedreceive"));
        expect_eq!((&sent, &received), (&vec![0; sent.len()], &vec![4; received.len()]));
        // What the returned calls leave: the highest priority first, among equal priorities the oldest first.
        let left: &[(&str, u32)] = match (sent.len(), received.len()) {
            (0, 0) => &[("old", 2)],
            (1, 0) | (2, 1) => &[("old", 2), ("low", 1)],
            (2, 0) => &[("high", 7), ("old", 2), ("low", 1)],
            _ => &[("old", 2), ("late", 2), ("low", 1)],
        };
        let left: Vec<_> = left.iter().map(|&(message, priority)| (message.as_bytes().to_vec(), priority)).collect();
        expect_eq!(queue.attributes(), Ok(attributes(Blocking::No, 4, left.len())));
        expect_eq!(drain(&queue), Ok(left));
        Ok(())
    })
}
