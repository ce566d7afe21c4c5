//! Which process dies with which: children of the harness go with their parents, where the kernel can see to that.

#[cfg(linux)]
use nix::sys::prctl::set_pdeathsig;
#[cfg(linux)]
use nix::sys::signal::Signal;
use nix::unistd::Pid;

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
