//! The case that is run after each bad one (cases are run in the order of their names).

use std::path::Path;

use conformance::prelude::*;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::stat::{Mode, umask};

/// Finds itself in the known state, whatever the case before it did.
#[conformance::test(man = "signal(7)")]
fn is_unharmed() -> Outcome {
    let mut mask = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, None, Some(&mut mask))?;
    expect_eq!(mask.iter().collect::<Vec<Signal>>(), Vec::<Signal>::new());
    expect_eq!((1..=31).filter(|&signal| !is_default(signal)).collect::<Vec<i32>>(), Vec::<i32>::new());
    // SAFETY: an integer; what is left of an alarm is returned.
    expect_eq!(unsafe { libc::alarm(0) }, 0);
    expect_eq!(umask(Mode::empty()), Mode::from_bits_truncate(0o022));
    expect_eq!(std::fs::read_dir(".")?.count(), 0);
    expect!(Path::new(".").canonicalize()?.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"case-")));
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    expect_eq!(soft, hard.min(1024));
    // 0 to 2, and the channel's.
    let open: Vec<i32> = (0..1024).filter(|&number| is_open(number)).collect();
    expect_matches!(open.as_slice(), [0, 1, 2, 200..=i32::MAX]);
    expect_eq!(std::env::var_os("DIRT"), None);
    expect_eq!(nix::unistd::getpgrp(), nix::unistd::getpid());
    expect_eq!(nix::sys::wait::waitpid(None, None), Err(nix::errno::Errno::ECHILD));
    Ok(())
}

fn is_default(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the structure is of the right type and borrowed mutably for the call; zeroed, it is valid too.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction == libc::SIG_DFL
    }
}

fn is_open(number: i32) -> bool {
    // SAFETY: a number that is not open is an error code.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}
