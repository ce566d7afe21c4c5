//! Cases that change the state of their process, which must not reach the next one. Each passes; [`crate::zz`] is run after it.

use conformance::prelude::*;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};

/// Changes its umask.
#[conformance::test(man = "umask(2)")]
fn of_the_umask() -> Outcome {
    umask(Mode::from_bits_truncate(0o777));
    Ok(())
}

/// Goes to another directory.
#[conformance::test(man = "chdir(2)")]
fn of_the_directory() -> Outcome {
    nix::unistd::chdir("/")?;
    Ok(())
}

/// Blocks every signal, with one pending.
#[conformance::test(man = "signal(7)")]
fn of_the_signal_mask() -> Outcome {
    nix::sys::signal::sigprocmask(nix::sys::signal::SigmaskHow::SIG_SETMASK, Some(&nix::sys::signal::SigSet::all()), None)?;
    nix::sys::signal::raise(Signal::SIGTERM)?;
    Ok(())
}

/// Ignores `SIGPIPE` and `SIGCHLD`, and catches `SIGUSR1`.
#[conformance::test(man = "signal(7)")]
fn of_the_dispositions() -> Outcome {
    signal::ignore(Signal::SIGPIPE)?;
    signal::ignore(Signal::SIGCHLD)?;
    signal::catch(Signal::SIGUSR1, Restart::No)?;
    Ok(())
}

/// Lowers its limit on descriptors, the hard one too.
#[conformance::test(man = "getrlimit(2)")]
fn of_the_limits() -> Outcome {
    setrlimit(Resource::RLIMIT_NOFILE, 8, 8)?;
    Ok(())
}

/// Sets a variable.
#[conformance::test(man = "environ(7)")]
fn of_the_environment() -> Outcome {
    // SAFETY: this process has one thread.
    unsafe { std::env::set_var("DIRT", "left") };
    Ok(())
}

/// Has an alarm set.
#[conformance::test(man = "alarm(2)")]
fn of_the_timers() -> Outcome {
    // SAFETY: an integer.
    unsafe { libc::alarm(1000) };
    Ok(())
}

/// Leaves its process group for that of a participant.
#[conformance::test(man = "setpgid(2)")]
fn of_the_process_group() -> Outcome {
    let _leader = leave_group()?;
    Ok(())
}

/// Joins the process group of the participant that it gives.
pub fn leave_group() -> Result<Participant<()>, Errno> {
    let leader = Participant::spawn("leader", (), |(), link| -> () { link.park() })?;
    nix::unistd::setpgid(leader.id(), leader.id())?;
    nix::unistd::setpgid(nix::unistd::Pid::from_raw(0), leader.id())?;
    Ok(leader)
}

/// Opens a hundred descriptors and does not close them.
#[conformance::test(man = "open(2)")]
fn of_the_descriptors() -> Outcome {
    let (end, _) = pipe()?;
    for _ in 0..100 {
        std::mem::forget(dup(&end)?);
    }
    Ok(())
}
