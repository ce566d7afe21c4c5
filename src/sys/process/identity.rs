//! Who the caller is, and becoming another user, for good.

use nix::unistd::{Gid, Uid, setgid, setuid};

use crate::sys::Errno;
use crate::sys::point::around;

/// The kernel's id of the calling thread; the process id where the system shows no other.
pub fn thread_id() -> i32 {
    #[cfg(linux)]
    return nix::unistd::gettid().as_raw();
    #[cfg(not(linux))]
    nix::unistd::getpid().as_raw()
}

/// Makes user and group all three ids of this process, and the group its only one. There is no way back.
///
/// # Errors
/// `EPERM` without the right to do so; `EINVAL` where the id is not mapped in this user namespace.
pub fn become_user(user: Uid, group: Gid) -> Result<(), Errno> {
    only_group(group)?;
    setgid(group)?;
    setuid(user)?;
    Ok(())
}

#[cfg(not(target_vendor = "apple"))]
fn only_group(group: Gid) -> Result<(), Errno> {
    Ok(around(|| nix::unistd::setgroups(&[group]))?)
}

#[cfg(target_vendor = "apple")]
fn only_group(group: Gid) -> Result<(), Errno> {
    let list = [group.as_raw()];
    // SAFETY: `list` holds one element, which is the count passed; the call only reads it.
    Errno::result(around(|| unsafe { libc::setgroups(1, list.as_ptr()) })).map(drop)
}
