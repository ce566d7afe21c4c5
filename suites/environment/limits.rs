//! Resource limits of the process that matter to the mechanisms.

use conformance::prelude::*;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, rlim_t};
use nix::unistd::{SysconfVar, sysconf};
use rstest::rstest;

/// `_POSIX_OPEN_MAX`: the least limit that POSIX allows.
const LEAST_DESCRIPTORS: u32 = 20;

/// `getrlimit` reports a soft `RLIMIT_NOFILE` of at least 20, and `sysconf(_SC_OPEN_MAX)` returns the same number, or -1 without
/// setting `errno`. After `setrlimit` sets the soft limit to 20, `sysconf(_SC_OPEN_MAX)` returns 20, the highest file descriptor
/// that `dup` returns is 19, and the next `dup` fails with `EMFILE`.
#[conformance::test(posix = "getrlimit", posix = "sysconf", ambient)]
fn descriptor_limit_is_enforced() -> Outcome {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    observe!("environment.limits.descriptors", words(soft));
    observe!("environment.limits.descriptors_at_most", words(hard));
    let open_max = sysconf(SysconfVar::OPEN_MAX)?;
    expect!(
        open_max.is_none_or(|open_max| rlim_t::try_from(open_max) == Ok(soft)),
        "sysconf returns {open_max:?}, getrlimit {soft}"
    );
    expect!(soft >= rlim_t::from(LEAST_DESCRIPTORS), "RLIMIT_NOFILE is {soft}");

    limit_descriptors(LEAST_DESCRIPTORS)?;
    expect_eq!(sysconf(SysconfVar::OPEN_MAX).map_err(Errno::from), Ok(Some(20)));
    let mut copies = Vec::new();
    let error = loop {
        match dup(std::io::stdout()) {
            Ok(copy) => copies.push(copy),
            Err(errno) => break errno,
        }
    };
    expect_eq!((error, copies.last().map(AsRawFd::as_raw_fd)), (EMFILE, Some(19)));
    Ok(())
}

/// For each of `RLIMIT_DATA` and `RLIMIT_FSIZE`, except on Apple systems `RLIMIT_NPROC` and `RLIMIT_MEMLOCK`, and on Linux
/// `RLIMIT_MSGQUEUE`, `getrlimit` returns 0 and reports a soft limit that is not above the hard limit. The soft limit is
/// recorded, and any value is accepted.
#[rstest]
#[cfg_attr(not(apple), case::processes("processes", Resource::RLIMIT_NPROC))]
#[case::data("data", Resource::RLIMIT_DATA)]
#[case::file_size("file_size", Resource::RLIMIT_FSIZE)]
#[cfg_attr(not(apple), case::locked_memory("locked_memory", Resource::RLIMIT_MEMLOCK))]
#[cfg_attr(linux, case::message_queue_bytes("message_queue_bytes", Resource::RLIMIT_MSGQUEUE))]
#[conformance::test(posix = "getrlimit", man = "getrlimit(2)", level = observed, ambient)]
fn soft_limit(#[case] key: &str, #[case] resource: Resource) -> Outcome {
    let limits = getrlimit(resource).map_err(Errno::from);
    expect_matches!(limits, Ok((soft, hard)) if soft <= hard);
    observe!(&format!("environment.limits.{key}"), words(limits?.0));
    Ok(())
}

fn words(limit: rlim_t) -> String {
    if limit == RLIM_INFINITY { "unlimited".to_owned() } else { limit.to_string() }
}
