//! How much slower this machine is than a nominal one, so that deadlines mean the same everywhere.

use std::time::{Duration, Instant};

use crate::sys::Errno;
use crate::sys::process::fork::{Forked, exit_now, fork};
use crate::sys::process::wait::wait;

/// What one round, a process forked, heard from over a pipe and waited for, takes on a nominal machine.
const NOMINAL: Duration = Duration::from_millis(1);

/// Rounds that are measured; the median counts.
const ROUNDS: usize = 5;

/// The largest factor that a measurement may give: a machine that is slower still is asked for by hand.
const LARGEST: f64 = 100.0;

/// Measures the factor; at least 1. Also the probe that fork, wait and a pipe work at all.
///
/// # Errors
/// One of the three does not work: the harness cannot run here.
pub(crate) fn measure() -> Result<f64, Errno> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        rounds.push(round()?);
    }
    rounds.sort_unstable();
    let factor = rounds[ROUNDS / 2].as_secs_f64() / NOMINAL.as_secs_f64();
    Ok(factor.clamp(1.0, LARGEST))
}

fn round() -> Result<Duration, Errno> {
    let started = Instant::now();
    let (reader, writer) = nix::unistd::pipe()?;
    match fork()? {
        Forked::Child => {
            let told = nix::unistd::write(&writer, b"x").is_ok();
            exit_now(i32::from(!told));
        }
        Forked::Parent(child) => {
            drop(writer);
            let mut byte = [0; 1];
            let heard = nix::unistd::read(&reader, &mut byte)?;
            wait(child)?;
            if (heard, byte) == (1, *b"x") { Ok(started.elapsed()) } else { Err(crate::sys::errno::EIO) }
        }
    }
}
