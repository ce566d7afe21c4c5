//! Runs that are killed or interrupted leave nothing behind.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use conformance::splitmix::SplitMix64;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;

use crate::suite::{self, Suite};

/// Cases that hold everything that can be left.
const HOLDING: &str = "bad::slow::";

/// How long something that was killed may take to be gone, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// A run that has been started.
struct Started {
    suite: Suite,
    child: Child,
    marker: String,
}

impl Started {
    fn new(arguments: &[&str]) -> Self {
        let mut suite = Suite::run(arguments).with_reports();
        let marker = format!("SELF_TEST={}", suite.temporary_directory().display());
        let (name, value) = marker.split_once('=').unwrap();
        let command = suite.command_mut().env(name, value);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Started { suite, child, marker }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Processes that belong to the run, by the environment that they inherited.
    fn living(&self) -> Vec<Pid> {
        let program = fs::canonicalize(suite::executable()).unwrap();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok) {
            // Only of those that may be meant: to look into a process holds on to its memory, which others' cases are about.
            if fs::read_link(entry.path().join("exe")).ok().as_ref() != Some(&program) {
                continue;
            }
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            if environment.split(|&byte| byte == 0).any(|pair| pair == self.marker.as_bytes()) {
                found.extend(entry.file_name().to_str().and_then(|name| name.parse().ok()).map(Pid::from_raw));
            }
        }
        found
    }

    fn expect_no_process(&self) {
        until(|| self.living().is_empty(), || format!("{:?} live on", self.living()));
    }

    fn expect_empty_directory(&self) {
        let directory = self.suite.temporary_directory();
        let left: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    /// Runs `clean` where the run kept its journal.
    fn clean(&self) -> String {
        let mut clean = Suite::command(["clean"]);
        clean.command_mut().env("TMPDIR", self.suite.temporary_directory());
        let ran = clean.wait();
        assert_eq!((ran.code(), ran.error.as_str()), (Some(0), ""));
        ran.out
    }
}

/// A test that fails leaves nothing behind either.
impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in self.living() {
            let _ = kill(process, Signal::SIGKILL);
        }
    }
}

/// Polls, as nothing tells that a process has gone which is not a child.
fn until(done: impl Fn() -> bool, why: impl Fn() -> String) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < SOON, "{}", why());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Names and ids of all objects of the host that a case of [`HOLDING`] could make.
fn objects() -> BTreeSet<String> {
    let mut objects = BTreeSet::new();
    for directory in ["/dev/shm", "/dev/mqueue"] {
        let names = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
        objects.extend(names.map(|entry| entry.path().display().to_string()).filter(|path| path.contains("/slow.")));
    }
    for table in ["shm", "sem", "msg"] {
        let text = fs::read_to_string(format!("/proc/sysvipc/{table}")).unwrap_or_default();
        // Key and id; other columns change with use.
        let rows = text.lines().skip(1).map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "));
        objects.extend(rows.map(|row| format!("{table} {row}")));
    }
    objects
}

/// At an instant between the start of the runner and the middle of its cases: the sleep is the fault, it orders nothing.
#[rstest]
fn a_killed_runner_leaves_nothing(#[values("private", "none")] isolation: &str, #[values(1, 2)] seed: u64) {
    let _alone = alone();
    if isolation == "private" && Suite::run(["--isolation", "private", "--exact", "bad::zz::is_unharmed"]).wait().code() != Some(0)
    {
        suite::not_run("there is no private isolation here");
        return;
    }
    let mut random = SplitMix64::new(seed);
    for _ in 0..5 {
        let delay = Duration::from_micros(random.draw() % 50_000);
        let before = objects();
        let mut started = Started::new(&["--isolation", isolation, "--jobs", "2", HOLDING]);
        std::thread::sleep(delay);
        started.signal(Signal::SIGKILL);
        assert_eq!(started.child.wait().unwrap().signal(), Some(9));
        started.expect_no_process();
        if isolation == "none" {
            started.clean();
        }
        let new: Vec<String> = objects().difference(&before).filter(|name| !made_by_others(name)).cloned().collect();
        assert_eq!(new, Vec::<String>::new(), "{isolation}, killed after {delay:?}");
        started.expect_empty_directory();
    }
}

/// Keeps out the other tests of this file that make objects of the host, in whichever process they are.
fn alone() -> fs::File {
    let lock = fs::File::create(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("objects-of-the-host.lock")).unwrap();
    lock.lock().unwrap();
    lock
}

/// Whether an object is gone soon, and so was another run's: this machine is not ours alone.
fn made_by_others(name: &str) -> bool {
    let start = Instant::now();
    while start.elapsed() < SOON {
        if !objects().contains(name) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// With both cases in the middle of everything that they hold.
#[rstest]
fn a_run_can_be_cut_short(
    #[values("auto", "none")] isolation: &str,
    #[values(Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP)] signal: Signal,
) {
    let _alone = alone();
    let mut started = Started::new(&[
        "--isolation",
        isolation,
        "--jobs",
        "2",
        "--exact",
        "bad::outcome::differs",
        "bad::outcome::observes",
        "bad::slow::holds_a_child_of_another_session",
    ]);
    wait_for_record(&started, |record| record.matches("\"event\":\"decided\"").count() == 2);
    // All that it makes is made before it forks; the child of another session comes last.
    until(|| started.living().len() >= 7, || format!("only {:?} live", started.living()));
    let start = Instant::now();
    started.signal(signal);
    let (mut text, mut error) = (String::new(), String::new());
    started.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    started.child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    let status = started.child.wait().unwrap();
    // Less than a worker is given that does not end by itself.
    assert!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
    assert_eq!((status.code(), error.as_str()), (Some(1), ""));
    assert!(text.contains("\ntest bad::outcome::differs ... FAILED\ntest bad::outcome::observes ... ok\n"), "{text}");
    assert!(text.contains(&format!("\ncut short: interrupted by {signal}; 2 of 3 executions were run\n")), "{text}");
    assert!(text.ends_with("\n2 behaviours in 2 variants: 1 ok, 1 unexpected fail\nrequired 1 (1 red), observed 1\n"), "{text}");
    let events = suite::events(&fs::read_to_string(started.suite.record()).unwrap());
    assert_eq!(suite::decided(&events).len(), 2);
    assert_eq!(started.living(), Vec::<Pid>::new());
    started.expect_empty_directory();
    assert_eq!(started.clean(), "Nothing was left behind.\n");
}

fn wait_for_record(started: &Started, enough: impl Fn(&str) -> bool) {
    let read = || fs::read_to_string(started.suite.record()).unwrap_or_default();
    until(|| enough(&read()), || format!("the record is only:\n{}", read()));
}

/// What was decided is in the record, and the case that ran is named there.
#[test]
fn the_record_survives_the_runner() {
    let _alone = alone();
    let mut started = Started::new(&[
        "--jobs",
        "1",
        "--exact",
        "bad::outcome::differs",
        "bad::outcome::observes",
        "bad::slow::holds_participants",
    ]);
    wait_for_record(&started, |record| {
        record.ends_with('\n') && record.contains("\"event\":\"case-started\",\"case\":\"bad::slow::")
    });
    started.signal(Signal::SIGKILL);
    started.child.wait().unwrap();
    let events = suite::events(&fs::read_to_string(started.suite.record()).unwrap());
    let decided: Vec<&str> = suite::decided(&events).iter().map(|decided| decided.case.as_str()).collect();
    assert_eq!(decided, ["bad::outcome::differs", "bad::outcome::observes"]);
    started.expect_no_process();
    started.clean();
    started.expect_empty_directory();
}
