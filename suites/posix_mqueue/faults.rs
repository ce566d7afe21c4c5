//! Faults: a message is in the queue or it is not, whoever is killed and wherever.

use conformance::prelude::*;
use conformance::sys::mqueue::{Blocking, MessageQueue};

use super::fixture::{MESSAGE_SIZE, attributes, drain, queue};

/// A blocking participant that sends one message, through a description of its own.
fn sender(
    name: &str,
    queue: &MessageQueue,
    message: &'static [u8],
    priority: u32,
) -> Result<Participant<Result<(), Errno>>, Errno> {
    Participant::spawn(name, (), |(), _| queue.open_again(Blocking::Yes)?.send(message, priority))
}

/// A sender that is killed while it waits for room sends nothing, although its message would have been the first to be
/// received; and the next message that is sent takes the room that comes free.
#[conformance::test(posix = "mq_send", man = "mq_send(3)")]
fn leave_no_message_of_a_sender_killed_while_it_waits() -> Outcome {
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

/// Room that comes free goes to the sender who still waits, and not to the one who came before it and was killed.
#[conformance::test(posix = "mq_send", man = "mq_send(3)")]
fn give_the_room_to_a_sender_who_lives() -> Outcome {
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

/// A receiver that is killed while it waits takes no message with it: the next one goes to the receiver who still waits, and the
/// one after that stays.
#[conformance::test(posix = "mq_receive", man = "mq_receive(3)")]
fn pass_by_a_receiver_killed_while_it_waits() -> Outcome {
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

/// Wherever a process is killed that sends and receives, the queue holds exactly what its calls that had returned made of it.
#[conformance::test(posix = "mq_send", man = "mq_overview(7)", needs(ptrace))]
fn strike_between_calls_and_never_inside_one() -> Outcome {
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
        // As the calls leave it: highest priority first, oldest first among equals.
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
