//! The sequential model: a queue is a bounded list, ordered by priority and, among equals, by age.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::mqueue::{Blocking, MessageQueue};
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::fixture::{MESSAGE_SIZE, attributes, drain, queue};

/// What can be done to a queue that does not block.
#[derive(Clone, Debug)]
enum Step {
    /// A receive with a buffer of that length.
    Receive { buffer: usize },
    /// A send. The message is its number, repeated to that length, so that none is like another.
    Send { length: usize, priority: u32 },
    /// A participant blocks on the full queue with a message of that priority, and is killed.
    KillBlockedSender { priority: u32 },
}

/// What a step comes to: the message for a receive, nothing otherwise.
type Answer = Result<Option<(Vec<u8>, u32)>, Errno>;

/// The model: messages in the order in which they will be received.
#[derive(Clone, Debug)]
struct Model {
    capacity: usize,
    messages: Vec<(Vec<u8>, u32)>,
    /// Number of the next step; it makes messages distinct.
    number: u8,
    answer: Answer,
}

impl Model {
    /// The bytes of the message that is sent in this step.
    fn message(&self, length: usize) -> Vec<u8> {
        vec![self.number; length]
    }

    fn answer(&mut self, step: &Step) -> Answer {
        match *step {
            Step::Receive { buffer } if buffer < MESSAGE_SIZE => Err(EMSGSIZE),
            Step::Receive { .. } if self.messages.is_empty() => Err(EAGAIN),
            Step::Receive { .. } => Ok(Some(self.messages.remove(0))),
            Step::Send { length, .. } if length > MESSAGE_SIZE => Err(EMSGSIZE),
            Step::Send { .. } if self.messages.len() == self.capacity => Err(EAGAIN),
            Step::Send { length, priority } => {
                let place = self.messages.iter().take_while(|(_, before)| *before >= priority).count();
                self.messages.insert(place, (self.message(length), priority));
                Ok(None)
            }
            Step::KillBlockedSender { .. } => Ok(None),
        }
    }
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        (1_usize..=6).prop_map(|capacity| Model { capacity, messages: Vec::new(), number: 0, answer: Ok(None) }).boxed()
    }

    fn transitions(model: &Self) -> BoxedStrategy<Step> {
        // Few priorities, so that many messages are equals; the highest that every system has to have among them.
        let priority = prop_oneof![4 => 0_u32..4, 1 => Just(31)];
        let buffer = prop_oneof![6 => Just(MESSAGE_SIZE), 1 => Just(MESSAGE_SIZE + 1), 1 => 0..MESSAGE_SIZE];
        let length = prop_oneof![6 => 1..=MESSAGE_SIZE, 1 => Just(0), 1 => Just(MESSAGE_SIZE + 1)];
        let kills = u32::from(model.messages.len() == model.capacity);
        prop_oneof![
            8 => buffer.prop_map(|buffer| Step::Receive { buffer }),
            11 => (length, priority.clone()).prop_map(|(length, priority)| Step::Send { length, priority }),
            kills => priority.prop_map(|priority| Step::KillBlockedSender { priority }),
        ]
        .boxed()
    }

    fn preconditions(model: &Self, step: &Step) -> bool {
        !matches!(step, Step::KillBlockedSender { .. }) || model.messages.len() == model.capacity
    }

    fn apply(mut model: Self, step: &Step) -> Self {
        model.answer = model.answer(step);
        model.number = model.number.wrapping_add(1);
        model
    }
}

/// Does to the queue what the step says; `message` is what it sends if it sends anything.
fn apply(queue: &MessageQueue, step: &Step, message: &[u8]) -> Result<Answer, Failure> {
    Ok(match *step {
        Step::Receive { buffer } => queue.receive(buffer).map(Some),
        Step::Send { priority, .. } => queue.send(message, priority).map(|()| None),
        Step::KillBlockedSender { priority } => {
            let sender =
                Participant::spawn("blocked sender", (), |(), _| queue.open_again(Blocking::Yes)?.send(b"never sent", priority))?;
            sender.until_blocked()?;
            sender.kill()?;
            Ok(None)
        }
    })
}

/// A queue answers every sequence of sends and receives as a bounded list ordered by priority and age does: what is too long, too
/// short, too much or not there is refused and changes nothing, a sender that is killed while blocked has sent nothing, and
/// `mq_getattr` always tells how many messages there are.
#[conformance::test(posix = "mq_receive", man = "mq_overview(7)")]
fn is_followed_by_every_sequence_of_calls() -> Outcome {
    property(&Model::sequential_strategy(1..60), |(mut model, steps, executed)| {
        let queue = queue(Blocking::No, model.capacity)?;
        for step in &steps {
            // Shrinking drops the steps that were not reached.
            if let Some(executed) = &executed {
                executed.fetch_add(1, SeqCst);
            }
            let message = match *step {
                Step::Send { length, .. } => model.message(length),
                _ => Vec::new(),
            };
            model = Model::apply(model, step);
            let attributes = attributes(Blocking::No, model.capacity, model.messages.len());
            expect_eq!((apply(&queue, step, &message)?, queue.attributes()), (model.answer.clone(), Ok(attributes)), "{step:?}");
        }
        expect_eq!(drain(&queue), Ok(model.messages));
        Ok(())
    })
}
