//! What confines the process that runs the suites: filters, namespaces, missing privileges.

use std::fs;

use conformance::prelude::*;

/// A filter of system calls, and "no new privileges", are recorded.
#[conformance::test(man = "proc(5)", man = "seccomp(2)", level = observed, needs(file("/proc/self/status")), ambient)]
fn by_a_filter_is_recorded() -> Outcome {
    let filter = match status("Seccomp")?.as_deref() {
        Some("0") => "no filter of system calls",
        Some("1") => "strict mode, in which nothing of this could run",
        Some("2") => "system calls are filtered",
        Some(_) => "unknown",
        None => "the kernel has no filters of system calls",
    };
    observe!("environment.confinement.filter", filter);
    observe!("environment.confinement.no_new_privileges", status("NoNewPrivs")?.is_some_and(|value| value == "1"));
    // It is this process's own state that decides, so it must be one that can run.
    expect!(!filter.starts_with("strict"));
    Ok(())
}

/// A user namespace that maps less than all users is recorded, and how many users it maps.
#[conformance::test(man = "user_namespaces(7)", level = observed, needs(file("/proc/self/uid_map")), ambient)]
fn to_some_users_is_recorded() -> Outcome {
    let map = fs::read_to_string("/proc/self/uid_map")?;
    let lengths = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    let users: u64 = lengths.sum();
    expect!(users >= 1, "the process's own user is mapped");
    let words = match users {
        1 => "only one user can be mapped here".to_owned(),
        4_294_967_295 => "all users".to_owned(),
        some => format!("{some} users"),
    };
    observe!("environment.confinement.users", words);
    Ok(())
}

/// A process may look at the state of its children in `/proc`, by which the suites know that they are blocked.
#[conformance::test(man = "proc(5)", needs(procfs), ambient)]
fn leaves_children_in_sight() -> Outcome {
    let child = Participant::spawn("child", (), |(), link| -> () { link.park() })?;
    child.until_blocked()?;
    let readable = |file: &str| fs::read(format!("/proc/{}/{file}", child.id())).map(drop).map_err(Errno::from);
    expect_eq!(readable("stat"), Ok(()));
    observe!("environment.confinement.system_calls_in_sight", readable("syscall").is_ok());
    Ok(())
}

/// A field of `/proc/self/status`.
fn status(field: &str) -> Result<Option<String>, Errno> {
    let text = fs::read_to_string("/proc/self/status")?;
    let value = |line: &str| line.strip_prefix(field)?.strip_prefix(':').map(|value| value.trim().to_owned());
    Ok(text.lines().find_map(value))
}
