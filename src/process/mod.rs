//! Processes: the case's own, its participants, and the channels between them.
//!
//! A forked child has its parent's stack and so its destructors: it never comes back. Every child here ends in `_exit`.

pub mod blocked;
pub mod channel;
pub mod child;
pub mod clean_state;
pub mod context;
pub mod descriptors;
pub mod entry;
pub mod link;
pub mod participant;
pub(crate) mod snapshot;
pub(crate) mod wake;

use nix::unistd::Pid;

pub use child::{Child, End, Settled};
pub use descriptors::Descriptors;
pub use link::Link;
pub use participant::Participant;

/// Has the kernel kill the calling child when its parent dies, where the kernel can do that.
pub(crate) fn die_with_parent(parent: Pid) {
    #[cfg(linux)]
    {
        // Refused by some emulators; the worker's death takes the process group along there.
        let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
        if nix::unistd::getppid() != parent {
            crate::sys::fork::exit_now(1);
        }
    }
    #[cfg(not(linux))]
    let _ = parent;
}
