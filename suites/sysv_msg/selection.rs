//! Which message a receiver gets: 0 asks for the first, a positive number for the first of that type, a negative one for the first of
//! the lowest type that is not above its absolute value. A refusal leaves the queue as it is.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::IPC_NOWAIT;
use conformance::sys::sysv::msg::{MSG_NOERROR, Message, MessageQueue};
use proptest::prelude::{Strategy, any, prop_oneof};

/// A receiver that waits for a type sleeps on while messages of other types come, and leaves them where they are.
#[conformance::test(posix = "msgrcv", man = "msgop(2)")]
fn wakes_only_who_waits_for_the_type() -> Outcome {
    let queue = MessageQueue::create(unique_key())?;
    let second = Participant::spawn("waits for type 2", (), |(), _| queue.receive(2, 9, 0))?;
    let third = Participant::spawn("waits up to type 3", (), |(), _| queue.receive(-3, 9, 0))?;
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

/// Asked for any type, or for one type, a queue behaves as a list of typed messages.
#[conformance::test(posix = "msgrcv", posix = "msgsnd", man = "msgop(2)")]
fn by_type_follows_a_list() -> Outcome {
    property(&steps(0..=5), |steps| follows_the_model(&steps))
}

/// Asked for all types up to one, a queue behaves as a list of typed messages from which the lowest type is taken first.
#[conformance::test(posix = "msgrcv", posix = "msgsnd", man = "msgop(2)")]
fn by_upper_bound_follows_a_list() -> Outcome {
    property(&steps(-5..=0), |steps| follows_the_model(&steps))
}

/// What one step does. Nothing waits.
#[derive(Clone, Debug)]
enum Step {
    Send { kind: i64, length: usize },
    Receive { wanted: i64, room: usize, cut: bool },
}

/// Few and short messages: some systems have room for forty, of all users.
fn steps(wanted: std::ops::RangeInclusive<i64>) -> impl Strategy<Value = Vec<Step>> {
    let send = || (1..=4_i64, 0..=8_usize).prop_map(|(kind, length)| Step::Send { kind, length });
    let receive = (wanted, 0..=8_usize, any::<bool>()).prop_map(|(wanted, room, cut)| Step::Receive { wanted, room, cut });
    (proptest::collection::vec(send(), 0..6), proptest::collection::vec(prop_oneof![send(), receive], 1..16))
        .prop_map(|(first, then)| [first, then].concat())
}

fn follows_the_model(steps: &[Step]) -> Outcome {
    let queue = MessageQueue::create(unique_key())?;
    let mut model = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match *step {
            Step::Send { kind, length } => {
                // The text tells messages apart: no two of one length are alike.
                let text: Vec<u8> = pattern(64)[index..index + length].to_vec();
                expect_eq!(queue.send(kind, &text, IPC_NOWAIT), Ok(()));
                model.push(Message::new(kind, text));
            }
            Step::Receive { wanted, room, cut } => {
                let flags = if cut { IPC_NOWAIT | MSG_NOERROR } else { IPC_NOWAIT };
                expect_eq!(queue.receive(wanted, room, flags), take(&mut model, wanted, room, cut), "in step {index}, {step:?}");
            }
        }
        expect_eq!(queue.status().map(|status| status.messages), Ok(model.len()));
    }
    for rest in model {
        expect_eq!(queue.receive(0, 8, IPC_NOWAIT), Ok(rest));
    }
    Ok(())
}

/// The model's `msgrcv`.
fn take(model: &mut Vec<Message>, wanted: i64, room: usize, cut: bool) -> Result<Message, Errno> {
    let lowest = model.iter().map(|message| message.kind).filter(|&kind| kind <= -wanted).min();
    let wanted = if wanted < 0 { lowest.ok_or(ENOMSG)? } else { wanted };
    let index = model.iter().position(|message| wanted == 0 || message.kind == wanted).ok_or(ENOMSG)?;
    if model[index].bytes.len() > room && !cut {
        return Err(E2BIG);
    }
    let mut message = model.remove(index);
    message.bytes.truncate(room);
    Ok(message)
}
