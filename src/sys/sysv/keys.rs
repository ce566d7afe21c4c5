//! What the three System V mechanisms share: keys, and flags under the names of the manual.

use std::ffi::{CString, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub use libc::{IPC_CREAT, IPC_EXCL, IPC_NOWAIT, IPC_PRIVATE};

use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// `ftok`: the key for a file and an id, of which the low eight bits count.
///
/// # Errors
/// What `stat` answers for the path.
pub fn ftok(path: &Path, id: c_int) -> Result<i32, Errno> {
    let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| errno::EINVAL)?;
    // SAFETY: the path is a C string borrowed for the call.
    let key = Errno::result(around(|| unsafe { libc::ftok(path.as_ptr(), id) }))?;
    #[allow(clippy::useless_conversion, clippy::unnecessary_fallible_conversions, reason = "a key is wider on some systems")]
    i32::try_from(key).map_err(|_| errno::ERANGE)
}
