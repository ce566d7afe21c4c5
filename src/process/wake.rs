//! Signals as bytes in a pipe, so that a poll over descriptors notices them too. For the runner and the workers, not for cases.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::channel;
use crate::sys::Errno;

static WRITER: AtomicI32 = AtomicI32::new(-1);

extern "C" fn pass_on(signal: libc::c_int) {
    let saved = nix::errno::Errno::last_raw();
    let byte = u8::try_from(signal).unwrap_or(0);
    // SAFETY: `write` is async-signal-safe, and the byte lives on this stack. The number is that of a descriptor that a `Wake` owns, or
    // −1. A full pipe loses the byte, but then there are others to be noticed.
    unsafe { libc::write(WRITER.load(Ordering::Relaxed), (&raw const byte).cast(), 1) };
    nix::errno::Errno::set_raw(saved);
}

/// The reading end. One per process: a new one takes the place of what a parent had.
#[derive(Debug)]
pub(crate) struct Wake {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Wake {
    /// Catches the signals.
    pub(crate) fn on(signals: &[Signal]) -> Result<Self, Errno> {
        let (reader, writer) = channel::pipe()?;
        for end in [&reader, &writer] {
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        WRITER.store(writer.as_raw_fd(), Ordering::Relaxed);
        let action = SigAction::new(SigHandler::Handler(pass_on), SaFlags::SA_RESTART, SigSet::empty());
        for &signal in signals {
            // SAFETY: the handler is async-signal-safe, see there.
            unsafe { sigaction(signal, &action)? };
        }
        Ok(Wake { reader, writer })
    }

    /// The signals that came since the last call.
    pub(crate) fn take(&self) -> Vec<i32> {
        let mut buffer = [0; 64];
        let mut signals = Vec::new();
        while let Ok(count @ 1..) = nix::unistd::read(&self.reader, &mut buffer) {
            signals.extend(buffer[..count].iter().map(|&byte| i32::from(byte)));
        }
        signals
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        // Before the number is closed, and may be another's. A newer one's stays.
        let _ = WRITER.compare_exchange(self.writer.as_raw_fd(), -1, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
