//! Private isolation: everything that a case leaves is found, whatever it is and whoever runs the suite.

use std::path::Path;
use std::time::{Duration, Instant};

use conformance::sandbox::{Isolation, IsolationChoice, choose};
use conformance::sys::process::identity::become_user;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, geteuid};

use crate::harness::{Check, case, idle, in_worker, lines};
use crate::leftovers::{expect_processes, leave_processes};
use crate::objects::{NAMED, make_all};

/// What can be checked where there are namespaces.
pub const CHECKS: &[(&str, Check)] = &[
    ("private::leftovers_of_each_kind_are_found_named_and_removed", each_kind),
    ("private::leftovers_of_each_kind_are_found_for_an_unprivileged_user", each_kind_unprivileged),
    ("private::processes_are_named_and_ended", processes),
    ("private::a_zombie_is_no_leak", zombie),
    ("private::an_audit_of_nothing_is_cheap", cheap),
];

/// An unprivileged user other than the suite's second one.
const NOBODY: u32 = 65534;

/// Private isolation, or the reason why there is none.
pub fn private() -> Result<Isolation, String> {
    choose(IsolationChoice::Private).map_err(|error| error.to_string())
}

/// Whether private isolation includes a PID namespace here.
pub fn owns_processes(isolation: &Isolation) -> bool {
    isolation.facts().iter().any(|(name, value)| name == "processes" && value == "own PID namespace")
}

/// Goes on as an unprivileged user, for good.
pub fn unprivileged() -> Result<(), String> {
    if geteuid().is_root() {
        let user = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        become_user(user.0, user.1).map_err(|errno| format!("cannot become another user: {errno:?}"))?;
        // A change of user hides a process from its new owner, as the start of a program by that user would not.
        nix::sys::prctl::set_dumpable(true).unwrap();
    }
    Ok(())
}

/// Everything, in private isolation; the second audit finds nothing, and the host never had any of it.
pub fn each_kind() -> Result<(), String> {
    let isolation = private()?;
    let found = in_worker(&isolation, |sandbox| {
        let directory = sandbox.case_directory().unwrap();
        sandbox.begin();
        case(|| make_all(&directory));
        let first = lines(&sandbox.audit());
        assert!(!directory.exists());
        sandbox.case_directory().unwrap();
        sandbox.begin();
        first + "--\n" + &lines(&sandbox.audit())
    });
    for named in NAMED {
        assert!(found.lines().any(|line| line == named), "{named} is not in:\n{found}");
    }
    for (kind, key) in [("shared memory segment", "0x7e57"), ("semaphore set", "0x0"), ("message queue", "0x7e57")] {
        let matches = |line: &str| line.starts_with(&format!("System V {kind} ")) && line.ends_with(&format!(", key {key}"));
        assert!(found.lines().any(matches), "no System V {kind} in:\n{found}");
    }
    assert_eq!(found.lines().count(), NAMED.len() + 4, "more than was made:\n{found}");
    assert!(found.ends_with("--\n"), "something survived its removal:\n{found}");
    assert!(!Path::new("/dev/shm/forgotten").exists());
    for table in ["shm", "sem", "msg"] {
        let table = std::fs::read_to_string(format!("/proc/sysvipc/{table}")).unwrap_or_default();
        let key = 0x7e57.to_string();
        assert!(!table.lines().any(|line| line.split_whitespace().next() == Some(&key)), "left on the host:\n{table}");
    }
    Ok(())
}

/// The same in a user namespace.
fn each_kind_unprivileged() -> Result<(), String> {
    unprivileged()?;
    each_kind()
}

/// A sleeping child, a stopped one, and an orphan.
pub fn processes() -> Result<(), String> {
    let found = in_worker(&private()?, |sandbox| {
        sandbox.begin();
        leave_processes(sandbox);
        lines(&sandbox.audit()) + "--\n" + &lines(&sandbox.audit())
    });
    expect_processes(&found);
    Ok(())
}

/// Who has exited needs only to be reaped, and who has been killed is about to be.
fn zombie() -> Result<(), String> {
    let found = in_worker(&private()?, |sandbox| {
        sandbox.begin();
        for _ in 0..200 {
            case(|| {
                let orphan = Pid::from_raw(idle());
                kill(orphan, Signal::SIGKILL).unwrap();
            });
            let leaks = sandbox.audit();
            if !leaks.is_empty() {
                return lines(&leaks);
            }
        }
        String::new()
    });
    assert_eq!(found, "");
    Ok(())
}

/// After every case there is an audit, and most find nothing.
fn cheap() -> Result<(), String> {
    const ROUNDS: u32 = 500;
    let best = |mut step: Box<dyn FnMut() -> Duration + '_>| (0..ROUNDS).map(|_| step()).min().unwrap();
    let text = in_worker(&private()?, |sandbox| {
        let audit = best(Box::new(|| {
            sandbox.case_directory().unwrap();
            sandbox.begin();
            let start = Instant::now();
            assert_eq!(sandbox.audit(), []);
            start.elapsed()
        }));
        let process = best(Box::new(|| {
            let start = Instant::now();
            case(|| {});
            start.elapsed()
        }));
        assert!(audit < process, "{audit:?}, where a process costs {process:?}");
        format!("({audit:?}, a process {process:?}) ")
    });
    print!("{text}");
    assert_ne!(text, "");
    Ok(())
}
