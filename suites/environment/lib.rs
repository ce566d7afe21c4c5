//! The environment: what this machine, container or sandbox lacks or limits, so that failures of other suites can be understood.
//! These cases run where the user has started the program, outside of the sandbox of the other cases.
//!
//! A limit is recorded as an observation. If a whole mechanism is missing, the case is `unsupported`.

#[cfg(linux)]
mod confinement;
#[cfg(linux)]
mod dev_shm;
mod limits;
#[cfg(has_message_queues)]
mod message_queues;
#[cfg(linux)]
mod mounts;
mod system_v;
