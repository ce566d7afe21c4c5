//! Where a region is or was: to look, later, at what has become of that.

use std::os::fd::{AsFd, AsRawFd};

use super::Region;
use crate::sys::Errno;
use crate::sys::point::around;

/// Where a region is or was. It owns nothing, and no byte is reached through it but by the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    pub(super) start: usize,
    pub(super) length: usize,
}

impl Whereabouts {
    /// Where a region begins, as an offset; `None` where that is outside.
    pub fn offset_of(&self, region: &Region) -> Option<usize> {
        let offset = region.at(0).addr().checked_sub(self.start)?;
        (offset < self.length).then_some(offset)
    }

    /// `write` of bytes that lie there: the kernel reads them, so that what is not mapped is an error and no signal.
    ///
    /// # Errors
    /// What the system answers.
    ///
    /// # Panics
    /// The part is not inside.
    pub fn write_out(&self, at: usize, length: usize, to: impl AsFd) -> Result<usize, Errno> {
        let end = at.checked_add(length);
        assert!(end.is_some_and(|end| end <= self.length), "{length} bytes at {at} of {}", self.length);
        let place: *const libc::c_void = std::ptr::with_exposed_provenance(self.start + at);
        // SAFETY: the kernel checks every byte that it reads, and changes none.
        let count = around(|| unsafe { libc::write(to.as_fd().as_raw_fd(), place, length) });
        Errno::result(count).map(|count| usize::try_from(count).unwrap_or(0))
    }
}
