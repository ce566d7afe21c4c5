//! What a case runs in: a place of its own, whose leftovers are found, named and removed.
//!
//! [`choose()`] finds out by trying what the kernel allows; [`fork_worker`] starts a worker inside it; the worker's [`Sandbox`]
//! gives each case a directory and audits what it left. In [`Isolation::Private`] that is a set of namespaces that end with
//! the worker. In [`Isolation::None`] objects are recognised by what [`names`] and [`journal`] recorded of them, and nothing
//! that is not recorded there is ever removed: it could belong to somebody else.

pub mod journal;
pub mod kernel_log;
pub mod names;
pub mod needs;
pub mod scratch;

mod audit;
mod choose;
pub(crate) mod complaint;
mod error;
mod inside;
mod isolation;
mod leak;
mod object;
#[cfg_attr(target_os = "linux", path = "private/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "private/none.rs")]
mod private;
mod surroundings;
mod worker;

pub use choose::choose;
pub use complaint::Complaint;
pub use error::SandboxError;
pub use inside::Sandbox;
pub use isolation::{Isolation, IsolationChoice};
pub use kernel_log::KernelWatch;
pub use leak::{Leak, LeakKind};
pub use needs::{Probes, second_user};
pub use private::PrivatePlan;
pub use scratch::Scratch;
pub use worker::{StartedWorker, fork_worker};
