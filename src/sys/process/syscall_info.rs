//! `PTRACE_GET_SYSCALL_INFO` (Linux from 5.3 on): what a traced process stopped at, the same on every architecture.

use std::ptr;

use nix::unistd::Pid;

use crate::sys::{Errno, errno};

/// A stop at a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyscallStop {
    /// Before the call.
    Entry {
        /// Which call.
        number: libc::c_long,
        /// Its first argument.
        first_argument: u64,
    },
    /// After it.
    Exit {
        /// What the kernel returned.
        returned: i64,
    },
}

/// What a process that is stopped by `PTRACE_SYSCALL` stopped at.
///
/// # Errors
/// What the system answers, `EIO` where it lacks the request; `EPROTO` for a stop of another kind.
pub fn syscall_stop(process: Pid) -> Result<SyscallStop, Errno> {
    const GET_SYSCALL_INFO: libc::c_uint = 0x420e;
    /// `PTRACE_SYSCALL_INFO_ENTRY` and `PTRACE_SYSCALL_INFO_EXIT`.
    const ENTRY: u8 = 1;
    const EXIT: u8 = 2;
    // `struct ptrace_syscall_info`: kind, architecture, two pointers, and then either number and six arguments or the value returned.
    let mut info = [0_u64; 11];
    // An argument of the type that the C library's function takes there.
    let size = ptr::without_provenance_mut::<libc::c_void>(size_of_val(&info));
    // SAFETY: the kernel writes at most `size` bytes, which `info` has, aligned as the structure is.
    let answer = unsafe { libc::ptrace(GET_SYSCALL_INFO as _, process.as_raw(), size, info.as_mut_ptr()) };
    Errno::result(answer)?;
    match info[0].to_ne_bytes()[0] {
        ENTRY => Ok(SyscallStop::Entry { number: libc::c_long::try_from(info[3]).unwrap_or(-1), first_argument: info[4] }),
        EXIT => Ok(SyscallStop::Exit { returned: info[3].cast_signed() }),
        _ => Err(errno::EPROTO),
    }
}
