//! Becoming a user with single capabilities (Linux).

use std::str::FromStr as _;

use caps::{CapSet, Capability, CapsHashSet};
use nix::unistd::{Gid, Uid};

use super::identity::become_user;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// As [`become_user`], but keeps the named capabilities, effective, and no other.
///
/// # Errors
/// `EINVAL` for a name that is none, `EPERM` for a capability that is not held.
pub fn become_user_with(user: Uid, group: Gid, names: &[&str]) -> Result<(), Errno> {
    nix::sys::prctl::set_keepcaps(true)?;
    become_user(user, group)?;
    keep_capabilities(names)?;
    Ok(around(|| nix::sys::prctl::set_keepcaps(false))?)
}

/// Makes the named capabilities effective, and gives up all others for good.
///
/// # Errors
/// `EINVAL` for a name that is none, `EPERM` for a capability that is not held.
pub fn keep_capabilities(names: &[&str]) -> Result<(), Errno> {
    let kept: CapsHashSet =
        names.iter().map(|name| Capability::from_str(name)).collect::<Result<_, _>>().map_err(|_| errno::EINVAL)?;
    // The effective ones first: none of them may be missing from the permitted ones.
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept).map_err(|_| errno::EPERM)?;
    }
    Ok(())
}
