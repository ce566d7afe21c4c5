//! Removing a queue's name, which the harness does for a queue that somebody left: also where cases have no queues.

use crate::sys::{Errno, errno};

/// `mq_unlink`.
///
/// # Errors
/// What the system answers; `ENOSYS` where the C library has no message queues.
#[cfg(not(any(target_vendor = "apple", target_os = "openbsd")))]
pub fn mq_unlink(name: &str) -> Result<(), Errno> {
    let name = std::ffi::CString::new(name).map_err(|_| errno::EINVAL)?;
    // SAFETY: the name ends with a NUL.
    Errno::result(crate::sys::point::around(|| unsafe { libc::mq_unlink(name.as_ptr()) })).map(drop)
}

/// `mq_unlink`.
///
/// # Errors
/// What the system answers; `ENOSYS` where the C library has no message queues.
#[cfg(any(target_vendor = "apple", target_os = "openbsd"))]
pub fn mq_unlink(_name: &str) -> Result<(), Errno> {
    Err(errno::ENOSYS)
}
