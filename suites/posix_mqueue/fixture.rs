//! The fixture: message queues, and what they hold.

use conformance::prelude::*;
use conformance::sys::mqueue::{Attributes, Blocking, MessageQueue};

/// The longest message, in bytes (`mq_msgsize`).
pub const MESSAGE_SIZE: usize = 16;

/// A new queue. If creating or first using it fails with `ENOSYS`, the case is unsupported.
#[track_caller]
pub fn queue(blocking: Blocking, max_messages: usize) -> Result<MessageQueue, Failure> {
    let queue = MessageQueue::create(&unique_name("mq"), blocking, max_messages, MESSAGE_SIZE)
        .and_then(|queue| queue.attributes().map(|_| queue));
    match queue {
        Err(ENOSYS) => Err(Failure::unsupported("mq_open", "ENOSYS")),
        other => Ok(other?),
    }
}

/// Receives all messages, without blocking: messages with their priorities, in the order received.
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

/// The attributes that `mq_getattr` is to return for a queue with so many messages.
pub fn attributes(blocking: Blocking, max_messages: usize, messages: usize) -> Attributes {
    Attributes { nonblocking: blocking == Blocking::No, max_messages, message_size: MESSAGE_SIZE, messages }
}
