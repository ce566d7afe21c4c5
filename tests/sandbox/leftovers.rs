//! What a case leaves is found, named and removed.

use std::path::Path;

use conformance::sandbox::journal::{self, Object};
use conformance::sandbox::names::{unique_key, unique_name};
use conformance::sandbox::{Sandbox, fork_worker, journal::clean};
use conformance::sys::process::fork::{Forked, PANICKED, exit_now, fork};
use conformance::sys::process::wait::wait;
use conformance::sys::sysv::objects::{SystemV, system_v_make};
use nix::fcntl::OFlag;
use nix::sys::mman::shm_open;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, setpgid};

use crate::harness::{Check, ambient, case, idle, in_worker, lines};

/// What can be checked on every system.
pub const CHECKS: &[(&str, Check)] = &[
    ("leftovers::without_isolation_only_what_was_announced_is_removed", || done(announced)),
    ("leftovers::of_a_killed_worker_are_swept_by_the_next", || done(swept)),
    ("leftovers::of_a_panicking_worker_are_removed", || done(panics)),
    ("leftovers::processes_are_named_and_ended_without_isolation", || done(processes_ambient)),
];

/// A check that can be made everywhere.
#[expect(clippy::unnecessary_wraps, reason = "checks have one type")]
fn done(check: fn()) -> Result<(), String> {
    check();
    Ok(())
}

/// Without isolation, where orphans are adopted if the system can do that.
pub fn processes_ambient() {
    let (isolation, _temp) = ambient();
    let found = in_worker(&isolation, |sandbox| {
        sandbox.begin();
        leave_processes(sandbox);
        lines(&sandbox.audit()) + "--\n" + &lines(&sandbox.audit())
    });
    if !Path::new("/proc/self/stat").exists() {
        assert_eq!(found, "process of unknown id (this system does not list it)\n--\n");
        return;
    }
    expect_processes(&found);
}

/// A case's process that leads a group, as all do, and leaves three processes in it.
pub fn leave_processes(sandbox: &mut Sandbox) {
    match fork().unwrap() {
        Forked::Parent(leader) => {
            sandbox.case_started(leader);
            assert_eq!(wait(leader), Ok(WaitStatus::Exited(leader, 0)));
        }
        Forked::Child => {
            setpgid(Pid::from_raw(0), Pid::from_raw(0)).unwrap();
            // Some kernels take the group for an orphaned one when its leader ends, and hang it up.
            SigSet::from(Signal::SIGHUP).thread_block().unwrap();
            idle();
            let stopped = Pid::from_raw(idle());
            kill(stopped, Signal::SIGSTOP).unwrap();
            waitpid(stopped, Some(WaitPidFlag::WUNTRACED)).unwrap();
            case(|| {
                idle();
            });
            exit_now(0)
        }
    }
}

pub fn expect_processes(found: &str) {
    assert_eq!(found.lines().filter(|line| line.starts_with("process ")).count(), 3, "{found}");
    assert!(found.ends_with("--\n"), "{found}");
}

/// Without isolation: the announced is removed, and the rest is left to whoever it belongs to.
pub fn announced() {
    let (isolation, _temp) = ambient();
    let strangers = format!("/stranger{}", std::process::id());
    let stranger = strangers.clone();
    let found = in_worker(&isolation, move |sandbox| {
        let directory = sandbox.case_directory().unwrap();
        sandbox.begin();
        case(|| {
            std::fs::write(directory.join("file"), "text").unwrap();
            make_shared_memory(&unique_name("mine"));
            make_shared_memory(&stranger);
            unique_key();
            unique_name("never-made");
            let semaphores = system_v_make(SystemV::Semaphores).unwrap();
            journal::announce(&Object::SemaphoresId(semaphores)).unwrap();
        });
        lines(&sandbox.audit()) + "--\n" + &lines(&sandbox.audit())
    });
    assert!(found.starts_with("file file in the case's directory\nshared memory object /mine."), "{found}");
    assert!(found.ends_with("--\n"), "{found}");
    assert_eq!(found.lines().count(), 4, "{found}");
    assert_eq!(nix::sys::mman::shm_unlink(strangers.as_str()), Ok(()), "what was not announced was removed");
}

/// A panic never unwinds into the runner's frames, and the worker's directory goes with it.
fn panics() {
    let (isolation, temp) = ambient();
    let worker = fork_worker(&isolation, |_sandbox| {
        std::panic::set_hook(Box::new(|_| {}));
        panic!("on purpose")
    })
    .unwrap()
    .process;
    assert_eq!(wait(worker), Ok(WaitStatus::Exited(worker, PANICKED)));
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
}

/// A killed worker's objects are removed by the next sweep; a live worker's are not.
fn swept() {
    let (isolation, temp) = ambient();
    let (mut ready, sender) = std::io::pipe().unwrap();
    let worker = fork_worker(&isolation, move |mut sandbox| {
        use std::io::Write;
        let mut sender = sender;
        let directory = sandbox.case_directory().unwrap();
        std::fs::write(directory.join("file"), "text").unwrap();
        make_shared_memory(&unique_name("left"));
        sender.write_all(b".").unwrap();
        loop {
            std::thread::park();
        }
    })
    .unwrap()
    .process;
    std::io::Read::read_exact(&mut ready, &mut [0]).unwrap();
    let report = clean().unwrap();
    assert_eq!((report.removed.len(), report.alive), (0, 1), "{report:?}");
    kill(worker, Signal::SIGKILL).unwrap();
    wait(worker).unwrap();
    let report = clean().unwrap();
    let removed = lines(&report.removed);
    assert!(removed.contains("shared memory object /left."), "{removed}");
    assert!(removed.contains("directory "), "{removed}");
    assert_eq!((report.removed.len(), report.alive), (2, 0), "{report:?}");
    let kept: Vec<_> = std::fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(kept.len(), 0, "{kept:?}");
}

fn make_shared_memory(name: &str) {
    shm_open(name, OFlag::O_CREAT | OFlag::O_RDWR, Mode::from_bits_truncate(0o600)).unwrap();
}
