//! The sequential model: a queue is a bounded list, ordered by priority and, among equal priorities, by age.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::mqueue::{Blocking, MessageQueue};
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use super::fixture::{MESSAGE_SIZE, attributes, drain, queue};

/// A step on a non-blocking queue.
#[derive(Clone, Debug)]
enum Step {
    /// A receive with a buffer of that length.
    Receive { buffer: usize },
    /// A send. The message is the step's number, repeated to that length, so that messages differ.
    Send { length: usize, priority: u32 },
    /// A participant blocks on the full queue with a message of that priority, and is killed.
    KillBlockedSender { priority: u32 },
}

/// The result of a step: the message for a receive, nothing for the others.
type StepResult = Result<Option<(Vec<u8>, u32)>, Errno>;

/// The model: messages in the order in which they will be received.
#[derive(Clone, Debug)]
struct Model {
    capacity: usize,
    messages: Vec<(Vec<u8>, u32)>,
    /// Number of the next step.
    number: u8,
    result: StepResult,
}

impl Model {
    /// The bytes of the message that is sent in this step.
    fn message(&self, length: usize) -> Vec<u8> {
        vec![self.number; length]
    }

    fn result_of(&mut self, step: &Step) -> StepResult {
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
        (1_usize..=6).prop_map(|capacity| Model { capacity, messages: Vec::new(), number: 0, result: Ok(None) }).boxed()
    }

    fn transitions(model: &Self) -> BoxedStrategy<Step> {
        // Few priorities, so that many messages have equal ones. 31 is the highest that every system supports.
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
        model.result = model.result_of(step);
        model.number = model.number.wrapping_add(1);
        model
    }
}

/// Performs the step on the queue; `message` is what a send sends.
fn apply(queue: &MessageQueue, step: &Step, message: &[u8]) -> Result<StepResult, Failure> {
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

/// In a random sequence on a non-blocking queue for n messages (1 to 6) of 16 bytes, `mq_send` returns 0, or fails with
/// `EMSGSIZE` for 17 bytes and with `EAGAIN` if n messages are queued. `mq_receive` returns the oldest message of the highest
/// priority, or fails with `EMSGSIZE` if the buffer is shorter than 16 bytes and with `EAGAIN` if the queue is empty. After each
/// call, and after a process blocked in `mq_send` on the full queue is killed, `mq_getattr` reports in `mq_curmsgs` the number of
/// messages sent and not received.
#[conformance::test(posix = "mq_receive", man = "mq_overview(7)")]
fn queue_matches_a_bounded_priority_list() -> Outcome {
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
            expect_eq!((apply(&queue, step, &message)?, queue.attributes()), (model.result.clone(), Ok(attributes)), "{step:?}");
        }
        expect_eq!(drain(&queue), Ok(model.messages));
        Ok(())
    })
}
