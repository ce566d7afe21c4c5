//! Needs on systems without capabilities.

use crate::sys::Errno;
use crate::sys::errno::ENOSYS;

/// What is a capability on Linux is the superuser's right elsewhere.
pub fn capability(_name: &str) -> Result<(), String> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err("only the superuser has it".to_owned()) }
}

/// Linux alone has it.
pub fn fault_injection() -> Result<(), String> {
    Err("this system has none".to_owned())
}

/// The harness traces on Linux only.
pub fn trace_me() -> Result<(), Errno> {
    Err(ENOSYS)
}
