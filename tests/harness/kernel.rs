//! A kernel that complains: with one case running it is that one; with several, each is run again alone.
//!
//! The log is a file, bound over `/dev/kmsg` in mounts of the run's own.

use std::fs;
use std::os::unix::process::CommandExt as _;

use conformance::outcome::Cause;
use conformance::record::{EventKind, Verdict};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rstest::rstest;

use crate::suite::{Ran, Suite, is_root, not_run};

const COMPLAINS: &str = "bad::kernel::complains";
const COMPLAINS_ONCE: &str = "bad::kernel::complains_once";
const BESIDE: &str = "bad::kernel::is_beside";
const OTHER: &str = "bad::zz::is_unharmed";

/// Runs cases while the log is a file that begins with `before`; `None` where that cannot be arranged.
fn run(jobs: &str, cases: &[&str], isolation: &str, before: &str) -> Option<Ran> {
    if !is_root("mounts of its own") {
        return None;
    }
    let mut suite = cases.iter().fold(Suite::run(["--jobs", jobs, "--isolation", isolation, "--exact"]), Suite::arg).with_reports();
    let log = suite.file("kmsg", before);
    let bind = move || {
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
        mount(Some(&log), "/dev/kmsg", None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        Ok(())
    };
    // SAFETY: system calls only, and paths that are made without the allocator.
    unsafe { suite.command_mut().pre_exec(bind) };
    match suite.try_wait() {
        Ok(ran) => Some(ran),
        Err(error) if [libc::EPERM, libc::ENOENT].contains(&error.raw_os_error().unwrap_or(0)) => {
            not_run(&format!("a file cannot be bound over /dev/kmsg: {error}"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn message<'r>(ran: &'r Ran, case: &str) -> &'r str {
    let finding = ran.case(case).finding.as_ref().unwrap();
    assert_eq!((ran.case(case).verdict, &finding.cause), (Verdict::UnexpectedFail, &Cause::Kernel), "{}", ran.out);
    assert_eq!(finding.location.as_ref().unwrap().0, "tests/bad/kernel.rs");
    &finding.message
}

/// The cases that were run once more, in their order.
fn alone(ran: &Ran) -> Vec<&str> {
    let started = ran.events.iter().filter_map(|event| match &event.kind {
        EventKind::CaseStarted { case, alone: true, .. } => Some(case.as_str()),
        EventKind::CaseStarted { .. } | EventKind::RunStarted(_) | EventKind::Decided(_) | EventKind::RunEnded(_) => None,
    });
    started.collect()
}

#[rstest]
fn with_several_cases_running_it_is_the_one_that_does_it_again(#[values("auto", "none")] isolation: &str) {
    let Some(ran) = run("2", &[COMPLAINS, BESIDE, OTHER], isolation, "") else { return };
    let both = format!("the kernel complained while these cases ran: {COMPLAINS}, {BESIDE}; it did so again when ");
    let both_too = format!("the kernel complained while these cases ran: {BESIDE}, {COMPLAINS}; it did so again when ");
    let told = message(&ran, COMPLAINS);
    let rest = told.strip_prefix(&both).or_else(|| told.strip_prefix(&both_too)).unwrap_or_else(|| panic!("{told}"));
    assert_eq!(rest, "this one ran alone: WARNING: made up by a test");
    let beside = ran.case(BESIDE);
    assert_eq!(beside.verdict, Verdict::Ok, "{}", ran.out);
    assert!(beside.weak.len() == 1 && beside.weak[0].ends_with(&format!("it did so again when {COMPLAINS} ran alone")));
    assert_eq!(ran.case(OTHER).weak, Vec::<String>::new());
    let mut again = alone(&ran);
    again.sort_unstable();
    assert_eq!(again, [COMPLAINS, BESIDE]);
    let decided: Vec<&str> = ran.decided().iter().map(|it| it.case.as_str()).collect();
    assert_eq!((decided.len(), decided[0]), (3, OTHER), "what is suspected is decided last");
    assert_eq!((ran.lines().len(), ran.code()), (3, Some(1)));
    ran.assert_clean();
}

#[test]
fn where_none_does_it_again_every_one_that_ran_fails() {
    let Some(ran) = run("2", &[COMPLAINS_ONCE, BESIDE], "auto", "") else { return };
    for case in [COMPLAINS_ONCE, BESIDE] {
        let told = message(&ran, case);
        assert!(told.contains(COMPLAINS_ONCE) && told.contains(BESIDE), "{told}");
        assert!(told.ends_with("it did not when each ran alone: WARNING: made up by a test"), "{told}");
    }
}

#[test]
fn a_case_that_runs_alone_is_not_run_again() {
    let Some(ran) = run("1", &[COMPLAINS, OTHER], "auto", "7,0,0,-;is_beside runs\n") else { return };
    assert_eq!(message(&ran, COMPLAINS), "during the case, the kernel said: WARNING: made up by a test");
    assert_eq!(alone(&ran), [""; 0]);
    assert_eq!(ran.case(OTHER).verdict, Verdict::Ok);
}

/// What is written to the log by a program is not the kernel's, and nor is what was there before.
#[test]
fn what_was_in_the_log_before_the_run_does_not_count() {
    let Some(ran) = run("2", &[OTHER], "auto", "4,0,0,-;WARNING: an older one\n") else { return };
    assert_eq!(ran.code(), Some(0), "{}", ran.out);
    assert!(fs::exists("/dev/kmsg").unwrap());
}
