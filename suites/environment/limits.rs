//! Resource limits of a process that the mechanisms run into.

use conformance::prelude::*;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, rlim_t};
use nix::unistd::{SysconfVar, sysconf};
use rstest::rstest;

/// `_POSIX_OPEN_MAX`: what POSIX asks of every system.
const LEAST_DESCRIPTORS: u32 = 20;

/// The limit on descriptors is at least what POSIX asks of every system, the same by `getrlimit` and by `sysconf`, and true: so many
/// numbers can be had, and no more.
#[conformance::test(posix = "getrlimit", posix = "sysconf", ambient)]
fn on_descriptors_are_told_truly() -> Outcome {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    observe!("environment.limits.descriptors", words(soft));
    observe!("environment.limits.descriptors_at_most", words(hard));
    let told = sysconf(SysconfVar::OPEN_MAX)?;
    expect!(told.is_none_or(|told| rlim_t::try_from(told) == Ok(soft)), "sysconf says {told:?}");
    expect!(soft >= rlim_t::from(LEAST_DESCRIPTORS), "the limit is {soft}");

    limit_descriptors(LEAST_DESCRIPTORS)?;
    expect_eq!(sysconf(SysconfVar::OPEN_MAX).map_err(Errno::from), Ok(Some(20)));
    let mut copies = Vec::new();
    let refusal = loop {
        match dup(std::io::stdout()) {
            Ok(copy) => copies.push(copy),
            Err(errno) => break errno,
        }
    };
    expect_eq!((refusal, copies.last().map(AsRawFd::as_raw_fd)), (EMFILE, Some(19)));
    Ok(())
}

/// Limits that may be low here are recorded, so that a case that is `untested` for one of them can be understood.
#[rstest]
#[cfg_attr(not(apple), case::processes("processes", Resource::RLIMIT_NPROC))]
#[case::data("data", Resource::RLIMIT_DATA)]
#[case::file_size("file_size", Resource::RLIMIT_FSIZE)]
#[cfg_attr(not(apple), case::locked_memory("locked_memory", Resource::RLIMIT_MEMLOCK))]
#[cfg_attr(linux, case::message_queue_bytes("message_queue_bytes", Resource::RLIMIT_MSGQUEUE))]
#[conformance::test(posix = "getrlimit", man = "getrlimit(2)", level = observed, ambient)]
fn are_recorded(#[case] name: &str, #[case] resource: Resource) -> Outcome {
    let limits = getrlimit(resource).map_err(Errno::from);
    expect_matches!(limits, Ok((soft, hard)) if soft <= hard);
    observe!(&format!("environment.limits.{name}"), words(limits?.0));
    Ok(())
}

fn words(limit: rlim_t) -> String {
    if limit == RLIM_INFINITY { "unlimited".to_owned() } else { limit.to_string() }
}
