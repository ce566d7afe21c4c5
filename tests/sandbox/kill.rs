//! What ends with what.

use std::io::{Read, Write, pipe};
use std::time::Duration;

use conformance::sandbox::{Isolation, fork_worker};
use conformance::sys::process::fork::{Forked, fork};
use conformance::sys::process::wait::wait;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};

use crate::harness::{Check, ambient, case, idle};
use crate::private::{owns_processes, private};

/// What the system's means to end a process with its parent are checked for.
pub const CHECKS: &[(&str, Check)] = &[
    ("kill::the_runner_takes_all_descendants_along", runner_private),
    ("kill::the_runner_takes_the_worker_along_without_isolation", runner_ambient),
];

/// Children, children's orphans and those that left the session and ignore signals.
fn runner_private() -> Result<(), String> {
    let isolation = private()?;
    if !owns_processes(&isolation) {
        return Err("no PID namespace".to_owned());
    }
    dies_with_runner(&isolation, || {
        idle();
        case(|| {
            nix::unistd::setsid().unwrap();
            idle();
        });
    });
    Ok(())
}

/// Without isolation the kernel kills the worker, and its journal the rest.
#[expect(clippy::unnecessary_wraps, reason = "checks have one type")]
fn runner_ambient() -> Result<(), String> {
    let (isolation, _temp) = ambient();
    dies_with_runner(&isolation, || {});
    Ok(())
}

/// Every process below the runner holds the write end of a pipe: end-of-file says that the last has gone.
fn dies_with_runner(isolation: &Isolation, more: impl FnOnce()) {
    let (mut life, held) = pipe().unwrap();
    let runner = match fork().unwrap() {
        Forked::Parent(pid) => pid,
        Forked::Child => {
            let worker = fork_worker(isolation, move |_sandbox| {
                let mut held = held;
                more();
                held.write_all(b".").unwrap();
                loop {
                    std::thread::park();
                }
            });
            let _ = wait(worker.unwrap().process);
            unreachable!("the worker ended first")
        }
    };
    // The closure was not moved in this process: its copy of the write end must go.
    drop(held);
    life.read_exact(&mut [0]).unwrap();
    kill(runner, Signal::SIGKILL).unwrap();
    wait(runner).unwrap();
    let timeout = PollTimeout::try_from(Duration::from_secs(10)).unwrap();
    let ready = poll(&mut [PollFd::new(std::os::fd::AsFd::as_fd(&life), PollFlags::POLLIN)], timeout);
    assert_eq!(ready, Ok(1), "a descendant lives on");
    assert_eq!(life.read(&mut [0]).unwrap(), 0);
}
