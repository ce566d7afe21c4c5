//! Queues for the cases of this suite.

use conformance::prelude::*;
use conformance::sys::mqueue::{Attributes, Blocking, MessageQueue};

/// Length of the longest message.
pub const MESSAGE_SIZE: usize = 16;

/// A new queue. A system that answers `ENOSYS` when it is made or first used has none.
#[track_caller]
pub fn queue(blocking: Blocking, max_messages: usize) -> Result<MessageQueue, Failure> {
    let made = MessageQueue::create(&unique_name("mq"), blocking, max_messages, MESSAGE_SIZE)
        .and_then(|queue| queue.attributes().map(|_| queue));
    match made {
        Err(ENOSYS) => Err(Failure::unsupported("mq_open", "ENOSYS")),
        other => Ok(other?),
    }
}

/// Takes everything off the queue, through a description that does not block: messages with their priorities, in order.
pub fn drain(queue: &MessageQueue) -> Result<Vec<(Vec<u8>, u32)>, Errno> {
    let queue = queue.open_again(Blocking::No)?;
    let mut messages = Vec::new();
    loop {
        match queue.receive(MESSAGE_SIZE) {
            Ok(message) => messages.push(message),
            Err(EAGAIN) => return Ok(messages),
            Err(other) => return Err(other),
        }
    }
}

/// What `mq_getattr` has to say of such a queue.
pub fn attributes(blocking: Blocking, max_messages: usize, messages: usize) -> Attributes {
    Attributes { nonblocking: blocking == Blocking::No, max_messages, message_size: MESSAGE_SIZE, messages }
}
