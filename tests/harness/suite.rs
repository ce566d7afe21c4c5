//! Running the executable of bad cases, and reading what it reports.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use conformance::record::{Decided, Event, EventKind, RunEnded};
use tempfile::TempDir;

/// The executable of bad cases: cargo puts examples beside the directory of test executables.
pub fn executable() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(Path::parent).unwrap().join("examples/bad");
    assert!(path.exists(), "{} is missing; build it with `cargo build --example bad`", path.display());
    path
}

/// A command line of the bad suite, with a directory of its own for temporary files, reports and whatever a run would leave.
pub struct Suite {
    command: Command,
    temp: TempDir,
    reports: bool,
}

impl Suite {
    /// A run with those arguments. Deadlines are not scaled, and nothing is known about the platform, so that what comes out is
    /// the same on each.
    pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let mut suite = Suite::command(["run", "--time-scale", "1"]);
        let platform = suite.file("bare.toml", "name = \"bare\"\n");
        suite.command.arg("--platform").arg(platform).args(arguments);
        suite.reports = true;
        suite
    }

    /// Exactly those arguments.
    pub fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let temp = tempfile::Builder::new().prefix("ipc-self-test-").tempdir().unwrap();
        // Also for another user.
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o777)).unwrap();
        fs::create_dir(temp.path().join("tmp")).unwrap();
        fs::set_permissions(temp.path().join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        let mut command = Command::new(executable());
        command.args(arguments).env("TMPDIR", temp.path().join("tmp")).stdin(Stdio::null());
        Suite { command, temp, reports: false }
    }

    /// Writes a file beside the temporary directory.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.temp.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Another option.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// For what an option does not do: the environment, the user, the process.
    pub fn command_mut(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Where files are that a run leaves; empty after it.
    pub fn temporary_directory(&self) -> PathBuf {
        self.temp.path().join("tmp")
    }

    /// Where the record goes.
    pub fn record(&self) -> PathBuf {
        self.temp.path().join("record.jsonl")
    }

    /// Adds the reports to a run's options.
    pub fn with_reports(mut self) -> Self {
        if std::mem::take(&mut self.reports) {
            for (format, file) in [("jsonl", "record.jsonl"), ("junit", "junit.xml")] {
                let mut spec = std::ffi::OsString::from(format!("{format}:"));
                spec.push(self.temp.path().join(file));
                self.command.arg("--report").arg(spec);
            }
        }
        self
    }

    /// Runs it to its end.
    pub fn wait(self) -> Ran {
        self.try_wait().unwrap()
    }

    /// Runs it to its end, if it can be started.
    pub fn try_wait(self) -> std::io::Result<Ran> {
        let Suite { mut command, temp, .. } = self.with_reports();
        let output = command.output()?;
        let read = |name: &str| fs::read_to_string(temp.path().join(name)).unwrap_or_default();
        let ran = Ran {
            status: output.status,
            out: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
            events: events(&read("record.jsonl")),
            junit: read("junit.xml"),
            temp,
        };
        assert!(!ran.error.contains("panicked"), "the harness itself panicked:\n{}", ran.error);
        Ok(ran)
    }
}

/// The events in a record; a last line that was cut short is an error.
pub fn events(record: &str) -> Vec<Event> {
    record.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What is decided in a record, in its order.
pub fn decided(events: &[Event]) -> Vec<&Decided> {
    let decided = events.iter().map(|event| match &event.kind {
        EventKind::Decided(decided) => Some(&**decided),
        EventKind::RunStarted(_) | EventKind::CaseStarted { .. } | EventKind::RunEnded(_) => None,
    });
    decided.flatten().collect()
}

/// A run that is over.
pub struct Ran {
    pub status: ExitStatus,
    pub out: String,
    pub error: String,
    pub events: Vec<Event>,
    pub junit: String,
    temp: TempDir,
}

impl Ran {
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub fn decided(&self) -> Vec<&Decided> {
        decided(&self.events)
    }

    pub fn case(&self, name: &str) -> &Decided {
        let found = self.decided().into_iter().find(|decided| decided.case == name);
        found.unwrap_or_else(|| panic!("{name} was not decided:\n{}{}", self.out, self.error))
    }

    pub fn end(&self) -> &RunEnded {
        match &self.events.last().expect("a record").kind {
            EventKind::RunEnded(end) => end,
            other => panic!("the record ends with {other:?}"),
        }
    }

    /// The lines `test NAME ... WORD`.
    pub fn lines(&self) -> Vec<&str> {
        self.out.lines().filter(|line| line.starts_with("test ") && line.contains(" ... ")).collect()
    }

    /// Expects that the run has left nothing in its directory for temporary files.
    pub fn assert_clean(&self) {
        let left: Vec<_> = fs::read_dir(self.temp.path().join("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

/// Text as it reads when lines are not broken: reports wrap and indent.
pub fn unwrapped(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Says that a test cannot be run here, and why.
///
/// # Panics
/// `IPC_CONFORMANCE_REQUIRE_ALL_TESTS` is set, as CI does where everything can be run.
#[cfg(target_os = "linux")]
pub fn not_run(why: &str) {
    const REQUIRED: &str = "IPC_CONFORMANCE_REQUIRE_ALL_TESTS";
    assert!(std::env::var_os(REQUIRED).is_none(), "not run, though {REQUIRED} is set: {why}");
    eprintln!("not run: {why}");
}

/// Whether the tests run as the superuser; where they do not, what is left out is said.
#[cfg(target_os = "linux")]
pub fn is_root(otherwise: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        not_run(&format!("only the superuser can make {otherwise}"));
    }
    root
}
