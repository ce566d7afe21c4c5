//! `inotify`: what the kernel tells about a file that others use (Linux).

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use crate::sys::fd::bytes::read_some;
use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// Size of an event without a name, as a watch of something other than a directory reports it.
const EVENT: usize = size_of::<libc::inotify_event>();

/// A watch of one file.
#[derive(Debug)]
pub struct Watch(OwnedFd);

impl Watch {
    /// Watches a file, not a directory, for the events of the mask.
    ///
    /// # Errors
    /// What `inotify_init1` and `inotify_add_watch` answer.
    pub fn new(path: &Path, mask: u32) -> Result<Self, Errno> {
        let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| errno::EINVAL)?;
        // SAFETY: the call has no preconditions, and a descriptor that it returns is new and nobody else's.
        let watch =
            unsafe { OwnedFd::from_raw_fd(Errno::result(around(|| libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC)))?) };
        // SAFETY: the path is a C string that lives until after the call.
        Errno::result(around(|| unsafe { libc::inotify_add_watch(watch.as_raw_fd(), path.as_ptr(), mask) }))?;
        Ok(Watch(watch))
    }

    /// The masks of the events since the last call, in order. Events that are alike and follow each other are one.
    ///
    /// # Errors
    /// What `read` answers, but for the `EAGAIN` that says there are none.
    pub fn events(&self) -> Result<Vec<u32>, Errno> {
        let bytes = match read_some(&self.0, 64 * EVENT) {
            Err(errno::EAGAIN) => return Ok(Vec::new()),
            other => other?,
        };
        let at = std::mem::offset_of!(libc::inotify_event, mask);
        let mask = |event: &[u8]| event[at..at + 4].try_into().map_or(0, u32::from_ne_bytes);
        Ok(bytes.chunks_exact(EVENT).map(mask).collect())
    }
}
