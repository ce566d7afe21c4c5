//! Signal-driven input and output: who is told, by which signal, and what the signal says.

use std::os::fd::{AsFd, AsRawFd};

use nix::unistd::Pid;

use crate::sys::point::around;
use crate::sys::{Errno, errno};

/// `fcntl(F_SETOWN)`: the process that is told.
///
/// # Errors
/// `EBADF`, `ESRCH`, `EINVAL`.
pub fn set_io_owner(descriptor: impl AsFd, owner: Pid) -> Result<(), Errno> {
    // SAFETY: plain integers.
    Errno::result(around(|| unsafe { libc::fcntl(descriptor.as_fd().as_raw_fd(), libc::F_SETOWN, owner.as_raw()) })).map(drop)
}

/// `fcntl(F_GETOWN)`: the process that is told, 0 for nobody.
///
/// # Errors
/// `EBADF`.
pub fn io_owner(descriptor: impl AsFd) -> Result<Pid, Errno> {
    // SAFETY: plain integers.
    Errno::result(around(|| unsafe { libc::fcntl(descriptor.as_fd().as_raw_fd(), libc::F_GETOWN) })).map(Pid::from_raw)
}

/// `fcntl(F_SETSIG)`: the signal that is sent in place of `SIGIO`, by number so that it can be a real-time signal.
///
/// # Errors
/// `EINVAL` for a number that is no signal.
pub fn set_io_signal(descriptor: impl AsFd, signal: i32) -> Result<(), Errno> {
    /// Missing in some versions of the libc crate; the same on every architecture.
    const F_SETSIG: i32 = 10;
    // SAFETY: plain integers.
    Errno::result(around(|| unsafe { libc::fcntl(descriptor.as_fd().as_raw_fd(), F_SETSIG, signal) })).map(drop)
}

/// The first real-time signal that the C library leaves to programs.
pub fn realtime_signal() -> i32 {
    libc::SIGRTMIN()
}

/// What a queued signal says about a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IoSignal {
    /// `si_code`: `POLL_IN`, `POLL_OUT`, … (see the constants of this type).
    pub code: i32,
    /// `si_band`: events as `poll` would report them.
    pub band: i64,
    /// `si_fd`.
    pub descriptor: i32,
}

impl IoSignal {
    /// Data can be read.
    pub const IN: i32 = 1;
    /// Data can be written.
    pub const OUT: i32 = 2;
}

/// Blocks a signal by its number in the calling thread, so that it can be taken with [`take_io_signal`].
///
/// # Errors
/// `EINVAL` for a number that is no signal.
pub fn block_number(signal: i32) -> Result<(), Errno> {
    let set = set_of(signal)?;
    // SAFETY: `set` is a valid set, which the call only reads; the old one is not asked for.
    Errno::from_pthread(around(|| unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) }))
}

/// Takes one pending signal of that number off the queue (`sigtimedwait` that does not wait); `None` where none is pending.
///
/// # Errors
/// `EINTR` by another signal.
pub fn take_io_signal(signal: i32) -> Result<Option<IoSignal>, Errno> {
    /// The beginning of `siginfo_t` for a signal about a descriptor (sigaction(2)).
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Raw {
        signo: libc::c_int,
        errno: libc::c_int,
        code: libc::c_int,
        band: libc::c_long,
        descriptor: libc::c_int,
    }
    #[repr(C)]
    union Info {
        whole: libc::siginfo_t,
        io: Raw,
    }
    let set = set_of(signal)?;
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: all zeros are a valid `siginfo_t`.
    let mut info = Info { whole: unsafe { std::mem::zeroed() } };
    // SAFETY: all three pointers are to live values of the right types; the kernel writes one `siginfo_t`.
    match Errno::result(around(|| unsafe { libc::sigtimedwait(&raw const set, (&raw mut info).cast(), &raw const now) })) {
        Ok(_) => {
            // SAFETY: `Raw` is a prefix of what the kernel has written, made of plain integers.
            let io = unsafe { info.io };
            #[allow(clippy::useless_conversion, reason = "c_long has 32 bits on some systems")]
            Ok(Some(IoSignal { code: io.code, band: i64::from(io.band), descriptor: io.descriptor }))
        }
        Err(errno::EAGAIN) => Ok(None),
        Err(other) => Err(other),
    }
}

fn set_of(signal: i32) -> Result<libc::sigset_t, Errno> {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: `sigemptyset` makes the set valid before it is used; a number out of range is an error code.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        Errno::result(libc::sigaddset(set.as_mut_ptr(), signal))?;
        Ok(set.assume_init())
    }
}
