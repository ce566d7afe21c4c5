//! macOS: `proc_pidinfo(PROC_PIDTASKINFO)` (libproc.h); a task none of whose threads runs is asleep (XNU
//! `bsd/kern/proc_info.c`, `osfmk/kern/bsd_kern.c`: `pti_numrunning` counts threads in `TH_RUN`). The call itself is not shown.

use std::mem::{MaybeUninit, size_of};

use nix::unistd::Pid;

use super::look::{CallNumber, Look, SystemCall};
use crate::sys::process::wait::has_ended;

pub(super) fn is_shown() -> bool {
    true
}

pub(super) fn look(process: Pid, _thread: Pid) -> Look {
    if has_ended(process).unwrap_or(false) {
        return Look::Ended;
    }
    let mut info = MaybeUninit::<libc::proc_taskinfo>::zeroed();
    let size = libc::c_int::try_from(size_of::<libc::proc_taskinfo>()).unwrap_or(0);
    // SAFETY: the buffer is writable and `size` bytes long; all-zero is a valid value of this plain C structure.
    let (filled, info) = unsafe {
        let filled = libc::proc_pidinfo(process.as_raw(), libc::PROC_PIDTASKINFO, 0, info.as_mut_ptr().cast(), size);
        (filled, info.assume_init())
    };
    if filled != size {
        return Look::Unknown;
    }
    if info.pti_numrunning == 0 { Look::Asleep(SystemCall::default()) } else { Look::Awake }
}

pub(super) fn call_name(_: CallNumber) -> Option<&'static str> {
    None
}
