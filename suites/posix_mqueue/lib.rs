//! POSIX message queues (`mq_open`).

#[cfg(not(has_message_queues))]
mod absence;
#[cfg(has_message_queues)]
mod fixture;
#[cfg(has_message_queues)]
mod model;
#[cfg(has_message_queues)]
mod process_death;
