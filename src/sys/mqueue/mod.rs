//! POSIX message queues.

#[cfg(has_message_queues)]
mod queue;
mod unlink;

#[cfg(has_message_queues)]
pub use queue::{Attributes, Blocking, MessageQueue};
pub use unlink::mq_unlink;
