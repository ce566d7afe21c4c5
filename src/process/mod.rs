//! Processes: the case's own, its participants, and the channels between them.
//!
//! A forked child has its parent's stack and so its destructors: it never comes back. Every child here ends in `_exit`.
//!
//! - `participant.rs`, `child.rs`, `child/state.rs`: a process that a case forks; `link.rs`: the same seen from inside
//! - `together.rs`: several participants that begin at the same time
//! - `exec.rs`, `entries.rs`: a participant that starts this executable from its beginning; `value.rs`: what a participant hands back
//! - `blocked/`: whether a process is blocked; `pause.rs`: the time between two looks; `aftermath.rs`: what is gone soon after an end
//! - `context.rs`, `clean_state.rs`, `descriptors.rs`: the case's own process
//! - `channel.rs`, `wake.rs`, `lifetime.rs`, `panics.rs`: what the harness's processes have in common
//! - `snapshot.rs`: what the processes of a late case are doing

pub mod aftermath;
mod arrival;
pub mod blocked;
pub mod channel;
pub mod child;
pub mod clean_state;
pub mod context;
pub mod descriptors;
pub mod exec;
pub mod link;
pub mod participant;
pub mod pause;
pub mod together;
pub mod value;

pub(crate) mod panics;
pub(crate) mod snapshot;
pub(crate) mod wake;

mod entries;
mod lifetime;

pub use child::state::Settled;
pub use child::{Child, End};
pub use descriptors::Descriptors;
pub(crate) use lifetime::{die_with, die_with_parent, outlive_parent};
pub use link::Link;
pub use participant::Participant;
pub use pause::Pause;
pub use together::{let_go, together};
pub use value::Value;
