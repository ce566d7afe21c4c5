//! Surroundings that refuse something: a run comes to its end, says what it lacks, and finds the bad cases bad.
//!
//! What the sandbox itself does there is proved in `tests/sandbox/`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use conformance::outcome::Cause;
use conformance::record::{EventKind, Verdict};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::suite::{Ran, Suite, executable, is_root, not_run, unwrapped};

/// Nobody, on most systems.
const USER: u32 = 65534;

/// A choice of bad cases, one for each thing that could go wrong without isolation or `/proc`.
const CASES: [&str; 12] = [
    "bad::crash::aborts",
    "bad::dirt::of_the_umask",
    "bad::hang::in_a_participant",
    "bad::hang::outside_its_process_group",
    "bad::left::a_child",
    "bad::left::a_fifo",
    "bad::left::a_zombie",
    "bad::left::shared_memory",
    "bad::outcome::differs",
    "bad::participant::is_killed",
    "bad::talk::ten_megabytes",
    "bad::zz::is_unharmed",
];

fn suite(isolation: &str) -> Suite {
    CASES.iter().fold(Suite::run(["--isolation", isolation, "--jobs", "1", "--exact"]), Suite::arg)
}

/// What comes out of the choice wherever it is run.
fn expect_the_usual(ran: &Ran) {
    let cause = |name: &str| ran.case(name).finding.as_ref().map(|finding| finding.cause.clone());
    let causes: Vec<(&str, Option<Cause>)> = CASES.iter().map(|name| (*name, cause(name))).collect();
    let expected = [
        Some(Cause::Signal),
        None,
        Some(Cause::Deadline),
        Some(Cause::Deadline),
        Some(Cause::Leak),
        Some(Cause::Leak),
        None,
        Some(Cause::Leak),
        Some(Cause::Expectation),
        Some(Cause::ParticipantDied),
        Some(Cause::Expectation),
        None,
    ];
    assert_eq!(causes, CASES.into_iter().zip(expected).collect::<Vec<_>>(), "{}{}", ran.out, ran.error);
    assert_eq!(ran.code(), Some(1));
    ran.assert_clean();
}

fn isolation(ran: &Ran) -> &str {
    match &ran.events[0].kind {
        EventKind::RunStarted(started) => &started.isolation,
        other => panic!("the record begins with {other:?}"),
    }
}

/// What the sandbox lacks is in every report.
fn expect_remark(ran: &Ran, remark: &str) {
    match &ran.events[0].kind {
        EventKind::RunStarted(started) => assert!(started.remarks.iter().any(|it| it == remark), "{:?}", started.remarks),
        other => panic!("the record begins with {other:?}"),
    }
    assert!(unwrapped(&ran.out).contains(&format!("remark: {remark}")), "{}", ran.out);
    let escaped = remark.replace('\'', "&apos;");
    assert!(ran.junit.contains(&format!("<property name=\"remark\" value=\"{escaped}\"/>")), "{}", ran.junit);
}

/// The executable where every user can read it: the build directory may be closed to others.
fn readable_by_all(suite: &mut Suite) {
    let copy = suite.temporary_directory().parent().unwrap().join("suite");
    // By another process: while this one has the copy open for writing, a child that another test forks may keep it open, and
    // what is open for writing cannot be executed.
    assert!(std::process::Command::new("cp").arg(executable()).arg(&copy).status().unwrap().success());
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    let arguments: Vec<_> = suite.command_mut().get_args().map(ToOwned::to_owned).collect();
    let temp = suite.temporary_directory();
    *suite.command_mut() = std::process::Command::new(copy);
    suite.command_mut().args(arguments).env("TMPDIR", temp).stdin(std::process::Stdio::null());
}

fn unprivileged(isolation: &str) -> Suite {
    let mut suite = suite(isolation).with_reports();
    readable_by_all(&mut suite);
    suite.command_mut().uid(USER).gid(USER).current_dir("/");
    suite
}

#[test]
fn an_unprivileged_user() {
    if !is_root("a run as another user") {
        return;
    }
    for isolation in ["auto", "none"] {
        expect_the_usual(&unprivileged(isolation).wait());
    }
}

/// No namespace may be made, as in most containers.
#[test]
fn an_unprivileged_user_without_namespaces() {
    if !is_root("a run as another user, to whom namespaces are refused") {
        return;
    }
    let refused = |isolation: &str| {
        let mut suite = unprivileged(isolation);
        let refuse = || {
            // A change of user hides a process from its new owner, as the start of a program by that user would not.
            nix::sys::prctl::set_dumpable(true)?;
            unshare(CloneFlags::CLONE_NEWUSER)?;
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/gid_map", format!("{USER} {USER} 1"))?;
            fs::write("/proc/self/uid_map", format!("{USER} {USER} 1"))?;
            fs::write("/proc/sys/user/max_user_namespaces", "0")?;
            for set in [caps::CapSet::Effective, caps::CapSet::Permitted] {
                caps::clear(None, set).map_err(std::io::Error::other)?;
            }
            Ok(())
        };
        // SAFETY: the other threads of this process hold no lock that these calls need but the allocator's, and that one the C
        // library makes free in the child of a fork.
        unsafe { suite.command_mut().pre_exec(refuse) };
        suite.try_wait()
    };
    let ran = match refused("auto") {
        Err(error)
            if [libc::EPERM, libc::EACCES, libc::EINVAL, libc::ENOSPC, libc::EROFS]
                .contains(&error.raw_os_error().unwrap_or(0)) =>
        {
            not_run(&format!("a user namespace cannot be made, or not used: {error}"));
            return;
        }
        other => other.unwrap(),
    };
    assert!(isolation(&ran).starts_with("none ("), "{}", isolation(&ran));
    expect_the_usual(&ran);
    let ran = refused("private").unwrap();
    assert!(ran.error.starts_with("error: cannot make a sandbox: private isolation is impossible here: "), "{}", ran.error);
    assert!(ran.error.trim_end().ends_with("use --isolation none, or auto"), "{}", ran.error);
    assert_eq!((ran.out.as_str(), ran.code()), ("", Some(2)));
    ran.assert_clean();
}

/// `/proc` is covered: nothing shows a process's state, and nothing lists processes.
#[test]
fn a_covered_proc() {
    if !is_root("a run in which /proc is covered") {
        return;
    }
    for isolation in ["auto", "none"] {
        let mut suite = suite(isolation).arg("bad::participant::does_not_block").arg("bad::good::still_blocked");
        let cover = || {
            unshare(CloneFlags::CLONE_NEWNS)?;
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
            mount(Some("tmpfs"), "/proc", Some("tmpfs"), MsFlags::MS_RDONLY, None::<&str>)?;
            Ok(())
        };
        // SAFETY: system calls only.
        unsafe { suite.command_mut().pre_exec(cover) };
        let ran = suite.wait();
        expect_the_usual(&ran);
        let (needs_procfs, blocked) = (ran.case("bad::participant::does_not_block"), ran.case("bad::good::still_blocked"));
        assert_eq!(blocked.verdict, Verdict::Ok, "{}", ran.out);
        if isolation == "none" {
            assert_eq!(
                (needs_procfs.verdict, needs_procfs.unmet().map(|unmet| unmet.need.as_str())),
                (Verdict::Untested, Some("procfs"))
            );
            assert_eq!(blocked.weak.len(), 1);
            expect_remark(
                &ran,
                "process state is not shown: a process that has not ended after a quiet period is taken to be blocked",
            );
            expect_remark(&ran, "without isolation, only objects that cases announce are looked for after each case");
            expect_remark(&ran, "the kernel's taint cannot be read (/proc/sys/kernel/tainted), so it is not watched");
            assert!(ran.out.contains("\nweak evidence in 1 result: this system shows no process state"), "{}", ran.out);
        }
    }
}
