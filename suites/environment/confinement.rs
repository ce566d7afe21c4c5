//! What confines the process that runs the suites: seccomp filters, user namespaces, restricted `/proc`.

use std::fs;

use conformance::prelude::*;

/// The field `Seccomp` in `/proc/self/status` is 0, 2 or absent, each of which is accepted and recorded. The field `NoNewPrivs`
/// is absent or equals the value that `prctl(PR_GET_NO_NEW_PRIVS)` returns, and is recorded.
#[conformance::test(man = "proc(5)", man = "seccomp(2)", man = "prctl(2)", level = observed, needs(file("/proc/self/status")), ambient)]
fn seccomp_mode_and_no_new_privs() -> Outcome {
    let (mode, no_new_privileges) = (status("Seccomp")?, status("NoNewPrivs")?);
    let filter = match mode.as_deref() {
        Some("0") => "no seccomp filter",
        Some("1") => "strict mode",
        Some("2") => "seccomp filter",
        Some(_) => "unknown",
        None => "kernel without seccomp",
    };
    observe!("environment.confinement.filter", filter);
    observe!("environment.confinement.no_new_privileges", no_new_privileges.as_deref() == Some("1"));
    expect_matches!(mode.as_deref(), Some("0" | "2") | None);
    if let Some(shown) = no_new_privileges {
        expect_eq!(nix::sys::prctl::get_no_new_privs().map(u8::from).map(|value| value.to_string()), Ok(shown));
    }
    Ok(())
}

/// The field `NoNewPrivs` in `/proc/self/status` of a child process equals that of its parent before the child calls
/// `prctl(PR_SET_NO_NEW_PRIVS)`, and is 1 after that call. The field of the parent stays as it was.
#[conformance::test(man = "proc(5)", man = "prctl(2)", needs(file("/proc/self/status")), ambient)]
fn no_new_privs_is_set_by_prctl() -> Outcome {
    let Some(before) = status("NoNewPrivs")? else { unsupported!("NoNewPrivs in /proc/self/status", ENOENT) };
    let child = Participant::spawn("child", (), |(), _| {
        let inherited = status("NoNewPrivs")?;
        nix::sys::prctl::set_no_new_privs()?;
        Ok::<_, Errno>((inherited, status("NoNewPrivs")?))
    })?;
    expect_eq!(child.join()?, Ok((Some(before.clone()), Some("1".to_owned()))));
    expect_eq!(status("NoNewPrivs"), Ok(Some(before)));
    Ok(())
}

/// The third fields of the lines of `/proc/self/uid_map` (the length of each mapped range of user IDs) add up to at least 1. The
/// sum is recorded, and any value from 1 is accepted.
#[conformance::test(man = "user_namespaces(7)", level = observed, needs(file("/proc/self/uid_map")), ambient)]
fn users_mapped_by_the_namespace() -> Outcome {
    let map = fs::read_to_string("/proc/self/uid_map")?;
    let lengths = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    let users: u64 = lengths.sum();
    expect!(users >= 1, "/proc/self/uid_map maps no user id");
    let number = match users {
        1 => "one user".to_owned(),
        4_294_967_295 => "all users".to_owned(),
        some => format!("{some} users"),
    };
    observe!("environment.confinement.users", number);
    Ok(())
}

/// In `/proc/PID/stat` of a blocked child process the third field, the state, is `S`. Whether `open` and `read` of
/// `/proc/PID/syscall` return without error is recorded, and either is accepted.
#[conformance::test(man = "proc(5)", needs(procfs), ambient)]
fn proc_shows_the_state_of_a_child() -> Outcome {
    let child = Participant::spawn("child", (), |(), link| -> () { link.park() })?;
    child.until_blocked()?;
    let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", child.id())).map_err(Errno::from);
    // The name of the program stands before the state, in parentheses.
    let state = read("stat").map(|stat| stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()));
    expect_eq!(state, Ok(Some('S')));
    observe!("environment.confinement.system_calls_in_sight", read("syscall").is_ok());
    Ok(())
}

/// A field of `/proc/self/status`.
fn status(field: &str) -> Result<Option<String>, Errno> {
    let text = fs::read_to_string("/proc/self/status")?;
    let value = |line: &str| line.strip_prefix(field)?.strip_prefix(':').map(|value| value.trim().to_owned());
    Ok(text.lines().find_map(value))
}
