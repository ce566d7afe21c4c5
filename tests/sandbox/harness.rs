//! A test harness of one thread, and what checks share.

use std::io::{Read, Write, pipe};
use std::time::Duration;

use conformance::sandbox::{Isolation, IsolationChoice, Leak, Sandbox, choose, fork_worker};
use conformance::sys::process::fork::{Forked, exit_now, fork, in_child};
use conformance::sys::process::wait::wait;

/// A check panics where it fails, and returns why it cannot be made here.
pub type Check = fn() -> Result<(), String>;

/// Status of a check that cannot be made here.
const NOT_HERE: i32 = 77;

/// The variable that makes a check fail which cannot be made here; CI sets it where everything can be.
const REQUIRED: &str = "IPC_CONFORMANCE_REQUIRE_ALL_TESTS";

/// Runs the checks whose names contain one of the arguments, and exits.
pub fn run(checks: &[(&str, Check)]) -> ! {
    let filters: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let selected = checks.iter().filter(|(name, _)| filters.is_empty() || filters.iter().any(|filter| name.contains(filter)));
    if std::env::args().any(|argument| argument == "--list") {
        // None is left out unless asked for.
        if !std::env::args().any(|argument| argument == "--ignored") {
            selected.for_each(|(name, _)| println!("{name}: test"));
        }
        std::process::exit(0);
    }
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for (name, check) in selected {
        print!("test {name} ... ");
        let _ = std::io::stdout().flush();
        let status = in_child(|| {
            let status = match check() {
                Ok(()) => 0,
                Err(why) => {
                    print!("ignored, {why} ");
                    NOT_HERE
                }
            };
            let _ = std::io::stdout().flush();
            status
        });
        match status {
            Ok(Some(0)) => {
                passed += 1;
                println!("ok");
            }
            Ok(Some(NOT_HERE)) if std::env::var_os(REQUIRED).is_none() => {
                ignored += 1;
                println!();
            }
            Ok(Some(NOT_HERE)) => {
                failed += 1;
                println!("FAILED (though {REQUIRED} is set)");
            }
            other => {
                failed += 1;
                println!("FAILED ({other:?})");
            }
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out");
    std::process::exit(i32::from(failed != 0))
}

/// No isolation, with the journal below a directory that goes with the returned owner.
pub fn ambient() -> (Isolation, tempfile::TempDir) {
    let temp = tempfile::tempdir().unwrap();
    std::fs::set_permissions(temp.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    // SAFETY: this process has one thread.
    unsafe { std::env::set_var("TMPDIR", temp.path()) };
    (choose(IsolationChoice::None).unwrap(), temp)
}

/// What `body` returns in a worker; the worker's end is awaited.
pub fn in_worker(isolation: &Isolation, body: impl FnOnce(&mut Sandbox) -> String) -> String {
    let (mut result, mut sender) = pipe().unwrap();
    let worker = fork_worker(isolation, move |mut sandbox| {
        let text = body(&mut sandbox);
        sender.write_all(text.as_bytes()).unwrap();
        sandbox.leave(0)
    })
    .unwrap()
    .process;
    let mut text = String::new();
    result.read_to_string(&mut text).unwrap();
    wait(worker).unwrap();
    text
}

/// Forks a case's process, which does `body`; returns when it has ended.
pub fn case(body: impl FnOnce()) {
    let status = in_child(|| {
        body();
        0
    });
    assert_eq!(status, Ok(Some(0)), "the case's process failed");
}

/// Forks a process that does nothing for a long time.
pub fn idle() -> i32 {
    match fork().unwrap() {
        Forked::Parent(pid) => pid.as_raw(),
        Forked::Child => {
            std::thread::sleep(Duration::from_mins(10));
            exit_now(0)
        }
    }
}

/// One line a leak.
pub fn lines(leaks: &[Leak]) -> String {
    leaks.iter().fold(String::new(), |text, leak| text + &leak.to_string() + "\n")
}
