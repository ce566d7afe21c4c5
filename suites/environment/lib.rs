//! The surroundings themselves: what this machine, container or sandbox lacks, in plain words, before the other suites fail one by
//! one for want of it. These cases run where the user started the suites, not in the sandbox that the others get.
//!
//! What a healthy machine may do without is observed; what a mechanism cannot do without is `unsupported`, and says so.

#[cfg(linux)]
mod confinement;
mod limits;
#[cfg(has_message_queues)]
mod message_queues;
#[cfg(linux)]
mod mounts;
#[cfg(linux)]
mod shared_memory;
mod system_v;
