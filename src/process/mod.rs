//! Processes: the case's own, its participants, and the channels between them.
//!
//! A forked child has its parent's stack and so its destructors: it never comes back. Every child here ends in `_exit`.

pub mod aftermath;
pub mod blocked;
pub mod channel;
pub mod child;
pub mod clean_state;
pub mod context;
pub mod descriptors;
mod entries;
pub mod entry;
pub mod link;
pub mod participant;
pub(crate) mod snapshot;
pub mod together;
pub(crate) mod wake;

#[cfg(linux)]
use nix::sys::prctl::set_pdeathsig;
#[cfg(linux)]
use nix::sys::signal::Signal;
use nix::unistd::Pid;

pub use child::{Child, End, Settled};
pub use descriptors::Descriptors;
pub use link::Link;
pub use participant::Participant;
pub use together::{let_go, together};

/// Has the kernel kill this process when its parent dies, where the kernel can do that. Some emulators refuse it; there the
/// channel's end-of-file and the death of the process group must do.
pub(crate) fn die_with_parent() {
    #[cfg(linux)]
    let _ = set_pdeathsig(Signal::SIGKILL);
}

/// Takes back [`die_with_parent`].
pub(crate) fn outlive_parent() {
    #[cfg(linux)]
    let _ = set_pdeathsig(None);
}

/// [`die_with_parent`] for a forked child, whose parent may have died before that was asked for.
pub(crate) fn die_with(parent: Pid) {
    die_with_parent();
    if cfg!(linux) && nix::unistd::getppid() != parent {
        crate::sys::process::fork::exit_now(1);
    }
}
