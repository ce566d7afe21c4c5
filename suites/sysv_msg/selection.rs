//! Which message `msgrcv` receives: for type 0 the first, for a positive type the first of that type, for a negative type the
//! first of the lowest type that is not above its absolute value. If `msgrcv` fails, the queue stays as it was.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::IPC_NOWAIT;
use conformance::sys::sysv::msg::{MSG_NOERROR, Message, MessageQueue};
use proptest::prelude::{Strategy, any, prop_oneof};

/// If one process is blocked in `msgrcv` for type 2 and one for type -3, `msgsnd` of a message of type 4 leaves both blocked.
/// `msgsnd` of a message of type 3 makes `msgrcv` for type -3 return that message, and a later one of type 2 makes `msgrcv` for
/// type 2 return that one. `msgrcv` with `IPC_NOWAIT` for type 0 then returns the message of type 4.
#[conformance::test(posix = "msgrcv", man = "msgop(2)")]
fn message_wakes_a_receiver_of_its_type() -> Outcome {
    let queue = MessageQueue::create(unique_key())?;
    let second = Participant::spawn("receiver of type 2", (), |(), _| queue.receive(2, 9, 0))?;
    let third = Participant::spawn("receiver of types up to 3", (), |(), _| queue.receive(-3, 9, 0))?;
    second.until_blocked()?;
    third.until_blocked()?;
    expect_eq!(queue.send(4, b"four", IPC_NOWAIT), Ok(()));
    second.expect_still_blocked()?;
    third.expect_still_blocked()?;
    expect_eq!(queue.send(3, b"three", IPC_NOWAIT), Ok(()));
    let (receiver, sender) = (third.id().as_raw(), i32::try_from(std::process::id()).unwrap_or(0));
    expect_eq!(third.join()?, Ok(Message::new(3, b"three")));
    second.expect_still_blocked()?;
    let seen = queue.status().map(|status| (status.messages, status.last_sender, status.last_receiver));
    expect_eq!(seen, Ok((1, sender, receiver)));
    expect_eq!(queue.send(2, b"two", IPC_NOWAIT), Ok(()));
    expect_eq!(second.join()?, Ok(Message::new(2, b"two")));
    expect_eq!(queue.receive(0, 9, IPC_NOWAIT), Ok(Message::new(4, b"four")));
    expect_eq!(queue.receive(0, 9, IPC_NOWAIT), Err(ENOMSG));
    Ok(())
}

/// In a random sequence of `msgsnd` and `msgrcv` with `IPC_NOWAIT`, `msgrcv` for type 0 returns and removes the oldest message,
/// and for a positive type the oldest message of that type, or fails with `ENOMSG` if there is none. If the message is longer
/// than the buffer, `msgrcv` fails with `E2BIG` and leaves the message in the queue; with `MSG_NOERROR`, `msgrcv` returns as many
/// bytes as the buffer has and removes the message. `msgctl` with `IPC_STAT` reports in `msg_qnum` the number of messages left.
#[conformance::test(posix = "msgrcv", posix = "msgsnd", man = "msgop(2)")]
fn zero_or_positive_type_matches_a_list_model() -> Outcome {
    property(&steps(0..=5), |steps| matches_the_model(&steps))
}

/// In a random sequence of `msgsnd` and `msgrcv` with `IPC_NOWAIT`, `msgrcv` for type 0 returns and removes the oldest message,
/// and for type -n the oldest message of the lowest type that is at most n, or fails with `ENOMSG` if there is none. If the
/// message is longer than the buffer, `msgrcv` fails with `E2BIG` and leaves the message in the queue; with `MSG_NOERROR`,
/// `msgrcv` returns as many bytes as the buffer has and removes the message. `msgctl` with `IPC_STAT` reports in `msg_qnum` the
/// number of messages left.
#[conformance::test(posix = "msgrcv", posix = "msgsnd", man = "msgop(2)")]
fn negative_type_matches_a_list_model() -> Outcome {
    property(&steps(-5..=0), |steps| matches_the_model(&steps))
}

/// A step, which never blocks.
#[derive(Clone, Debug)]
enum Step {
    Send { kind: i64, length: usize },
    Receive { wanted: i64, size: usize, truncate: bool },
}

/// Few and short messages, as some systems have space for 40 messages of all users.
fn steps(wanted: std::ops::RangeInclusive<i64>) -> impl Strategy<Value = Vec<Step>> {
    let send = || (1..=4_i64, 0..=8_usize).prop_map(|(kind, length)| Step::Send { kind, length });
    let receive =
        (wanted, 0..=8_usize, any::<bool>()).prop_map(|(wanted, size, truncate)| Step::Receive { wanted, size, truncate });
    (proptest::collection::vec(send(), 0..6), proptest::collection::vec(prop_oneof![send(), receive], 1..16))
        .prop_map(|(first, then)| [first, then].concat())
}

fn matches_the_model(steps: &[Step]) -> Outcome {
    let queue = MessageQueue::create(unique_key())?;
    let mut model = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match *step {
            Step::Send { kind, length } => {
                // Texts differ, so that messages can be told apart.
                let text: Vec<u8> = pattern(64)[index..index + length].to_vec();
                expect_eq!(queue.send(kind, &text, IPC_NOWAIT), Ok(()));
                model.push(Message::new(kind, text));
            }
            Step::Receive { wanted, size, truncate } => {
                let flags = if truncate { IPC_NOWAIT | MSG_NOERROR } else { IPC_NOWAIT };
                expect_eq!(
                    queue.receive(wanted, size, flags),
                    take(&mut model, wanted, size, truncate),
                    "in step {index}, {step:?}"
                );
            }
        }
        expect_eq!(queue.status().map(|status| status.messages), Ok(model.len()));
    }
    for message in model {
        expect_eq!(queue.receive(0, 8, IPC_NOWAIT), Ok(message));
    }
    Ok(())
}

/// The model's `msgrcv`.
fn take(model: &mut Vec<Message>, wanted: i64, size: usize, truncate: bool) -> Result<Message, Errno> {
    let lowest = model.iter().map(|message| message.kind).filter(|&kind| kind <= -wanted).min();
    let wanted = if wanted < 0 { lowest.ok_or(ENOMSG)? } else { wanted };
    let index = model.iter().position(|message| wanted == 0 || message.kind == wanted).ok_or(ENOMSG)?;
    if model[index].bytes.len() > size && !truncate {
        return Err(E2BIG);
    }
    let mut message = model.remove(index);
    message.bytes.truncate(size);
    Ok(message)
}
