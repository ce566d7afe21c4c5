//! Surroundings in which something is refused, covered or read-only: a weaker isolation comes out, with a reason.

use std::path::Path;

use conformance::case::Need;
use conformance::sandbox::{Isolation, IsolationChoice, Probes, choose};
use conformance::sys::process::fork::in_child;
use conformance::sys::process::identity::become_user;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use crate::harness::{Check, ambient, case, idle, in_worker, lines};
use crate::leftovers;
use crate::private::{each_kind, owns_processes, private, processes, unprivileged};

/// What can be taken away from a process for a check.
pub const CHECKS: &[(&str, Check)] = &[
    ("lacking::namespaces_refused", namespaces),
    ("lacking::proc_covered", proc_covered),
    ("lacking::proc_covered_without_isolation", proc_covered_ambient),
    ("lacking::proc_covered_for_an_unprivileged_user", proc_covered_unprivileged),
    ("lacking::proc_that_cannot_be_mounted", proc_not_mountable),
    ("lacking::dev_empty_and_read_only", dev_empty),
    ("lacking::needs_of_an_unprivileged_user", needs),
];

/// What a container without any right to namespaces gives: a reason, and an error only where private was demanded.
fn namespaces() -> Result<(), String> {
    unprivileged()?;
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| format!("no user namespace to be refused in: {errno:?}"))?;
    let files = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/gid_map", format!("{group} {group} 1")),
        ("/proc/self/uid_map", format!("{user} {user} 1")),
        ("/proc/sys/user/max_user_namespaces", "0".to_owned()),
    ];
    for (file, text) in files {
        std::fs::write(file, text).map_err(|error| format!("{file}: {error}"))?;
    }
    for set in [caps::CapSet::Effective, caps::CapSet::Permitted] {
        caps::clear(None, set).unwrap();
    }
    let error = choose(IsolationChoice::Private).unwrap_err().to_string();
    assert!(error.starts_with("private isolation is impossible here: "), "{error}");
    assert!(error.contains("EPERM") && error.contains("ENOSPC"), "{error}");
    assert!(matches!(choose(IsolationChoice::Auto), Ok(Isolation::None { .. })));
    leftovers::announced();
    Ok(())
}

/// Mounts of our own, in which something can be covered.
fn own_mounts() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| format!("no mount namespace: {errno:?}"))?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(|errno| format!("mounts cannot be made private: {errno:?}"))
}

fn cover(path: &str, flags: MsFlags) {
    mount(Some("tmpfs"), path, Some("tmpfs"), flags, None::<&str>).unwrap();
}

/// The superuser mounts a fresh `/proc`.
fn proc_covered() -> Result<(), String> {
    own_mounts()?;
    cover("/proc", MsFlags::MS_RDONLY);
    assert!(!Path::new("/proc/self").exists());
    each_kind()?;
    processes()
}

/// Without isolation there is then no telling which processes are left; that some are, and their end, is not affected.
fn proc_covered_ambient() -> Result<(), String> {
    own_mounts()?;
    cover("/proc", MsFlags::MS_RDONLY);
    leftovers::processes_ambient();
    Ok(())
}

/// Without `/proc` ids cannot be mapped.
fn proc_covered_unprivileged() -> Result<(), String> {
    own_mounts()?;
    cover("/proc", MsFlags::empty());
    unprivileged()?;
    let why = private().unwrap_err();
    assert!(why.contains("cannot write /proc/"), "{why}");
    leftovers::announced();
    Ok(())
}

/// A container's partly covered `/proc` must not be uncovered in a user namespace, so there is no PID namespace either.
fn proc_not_mountable() -> Result<(), String> {
    own_mounts()?;
    cover("/proc/irq", MsFlags::empty());
    unprivileged()?;
    let isolation = private()?;
    assert!(!owns_processes(&isolation), "{:?}", isolation.facts());
    each_kind()?;
    processes()
}

/// An initramfs without `/dev`.
fn dev_empty() -> Result<(), String> {
    own_mounts()?;
    cover("/dev", MsFlags::MS_RDONLY);
    let isolation = private()?;
    let facts = isolation.facts();
    assert!(facts.iter().any(|(name, value)| name == "remark" && value.contains("shared memory")), "{facts:?}");
    let found = in_worker(&isolation, |sandbox| {
        sandbox.begin();
        case(|| {
            idle();
        });
        lines(&sandbox.audit())
    });
    assert!(found.starts_with("process "), "{found}");
    Ok(())
}

/// A need is probed by doing it, inside.
fn needs() -> Result<(), String> {
    let (user, group) = conformance::sandbox::second_user();
    let privileged = in_child(|| i32::from(become_user(user, group).is_err())) == Ok(Some(0));
    let probe = |isolation: &Isolation| {
        in_worker(isolation, |_| {
            let mut probes = Probes::new();
            let needs = [Need::SecondUser, Need::Ptrace, Need::Procfs, Need::Capability("CAP_IPC_OWNER")];
            let answers = needs.iter().map(|need| probes.check(need).map_or_else(|unmet| unmet.to_string(), |()| "met".to_owned()));
            answers.collect::<Vec<_>>().join("\n")
        })
    };
    if privileged {
        assert_eq!(probe(&private()?), "met\nmet\nmet\nmet");
    }
    unprivileged()?;
    assert_eq!(probe(&private()?), "a second user (EPERM)\nmet\nmet\nCAP_IPC_OWNER (not held)");
    let (isolation, _temp) = ambient();
    assert_eq!(probe(&isolation), "a second user (EPERM)\nmet\nmet\nCAP_IPC_OWNER (not held)");
    Ok(())
}
