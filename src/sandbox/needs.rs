//! Probing what cases need: each need is tried once, in a worker, where the cases that have it would run.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{Gid, Uid};

use crate::case::Need;
use crate::outcome::Unmet;
use crate::sys::process::fork::in_child;
use crate::sys::process::identity::become_user;
use crate::sys::process::procfs::shown_id;

#[cfg_attr(target_os = "linux", path = "needs/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "needs/other.rs")]
mod os;

/// The second user's and group's id: unprivileged, and not `nobody`, whom a system may treat in its own way.
pub(super) const SECOND_USER: u32 = 65533;

/// The second user and its group, for cases that need one.
pub fn second_user() -> (Uid, Gid) {
    (Uid::from_raw(SECOND_USER), Gid::from_raw(SECOND_USER))
}

/// Answers about needs, remembered for the worker's life.
#[derive(Debug, Default)]
pub struct Probes {
    answers: Vec<(Need, Result<(), Unmet>)>,
}

impl Probes {
    /// Nothing probed yet.
    pub fn new() -> Self {
        Probes::default()
    }

    /// Whether a need is met here.
    ///
    /// # Errors
    /// What is missing, and what was found in its place.
    pub fn check(&mut self, need: &Need) -> Result<(), Unmet> {
        if let Some((_, answer)) = self.answers.iter().find(|(known, _)| known == need) {
            return answer.clone();
        }
        let answer = probe(need).map_err(|why| Unmet { need: need.to_string(), phrase: need.phrase(), why: Some(why) });
        self.answers.push((*need, answer.clone()));
        answer
    }
}

/// Tries what is needed; where that fails, says with what.
fn probe(need: &Need) -> Result<(), String> {
    match *need {
        Need::Capability(name) => os::capability(name),
        Need::SecondUser => second_user_exists(),
        Need::Descriptors(wanted) => descriptors(wanted),
        Need::Ptrace => outcome_in_child(os::trace_me),
        Need::File(path) => File::open(path).map(drop).map_err(|error| error.to_string()),
        Need::Writable(path) => {
            // What is under test is never changed by a probe: opened, and nothing more.
            OpenOptions::new().write(true).open(path).map(drop).map_err(|error| error.to_string())
        }
        Need::Procfs => procfs(),
        Need::FaultInjection => os::fault_injection(),
        Need::Program(name) => program(name),
        Need::Processors(wanted) => processors(wanted),
    }
}

/// Runs a step in a child; an error number of it becomes its name.
fn outcome_in_child(step: impl FnOnce() -> Result<(), crate::sys::Errno>) -> Result<(), String> {
    let status =
        in_child(|| step().map_or_else(crate::sys::Errno::raw, |()| 0)).map_err(|errno| format!("fork fails with {errno:?}"))?;
    match status {
        Some(0) => Ok(()),
        Some(errno) => Err(format!("{:?}", crate::sys::Errno::from_raw(errno))),
        None => Err("the process that tried it was killed".to_owned()),
    }
}

/// Becoming that user, and giving it a file.
fn second_user_exists() -> Result<(), String> {
    let (user, group) = second_user();
    outcome_in_child(|| become_user(user, group))?;
    let file = tempfile::NamedTempFile::new().map_err(|error| format!("no file to give to it: {error}"))?;
    chown(file.path(), Some(SECOND_USER), Some(SECOND_USER)).map_err(|error| format!("chown: {error}"))
}

fn descriptors(wanted: u64) -> Result<(), String> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|errno| format!("no limit can be read: {errno}"))?;
    if i128::from(hard) >= i128::from(wanted) { Ok(()) } else { Err(format!("the hard limit is {hard}")) }
}

fn procfs() -> Result<(), String> {
    let seen = shown_id().map_err(|error| format!("/proc/self/stat: {error}"))?;
    let own = nix::unistd::getpid().as_raw();
    if seen == own { Ok(()) } else { Err(format!("/proc shows process {own} as {seen}")) }
}

fn program(name: &str) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let executable = |path: &Path| path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    let found = std::env::split_paths(&path).any(|directory| executable(&directory.join(name)));
    if found { Ok(()) } else { Err("it is not in PATH".to_owned()) }
}

fn processors(wanted: usize) -> Result<(), String> {
    let found = std::thread::available_parallelism().map_or(1, usize::from);
    if found >= wanted { Ok(()) } else { Err(format!("{found} can be used")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let mut probes = Probes::new();
        let mut missing = |need| probes.check(&need).unwrap_err().to_string();
        assert!(missing(Need::Descriptors(u64::MAX - 1)).starts_with("18446744073709551614 descriptors (the hard limit is "));
        assert!(missing(Need::Processors(100_000)).starts_with("100000 processors ("));
        assert_eq!(missing(Need::Program("no-such-program")), "the program no-such-program (it is not in PATH)");
        assert!(missing(Need::File("/no/such/file")).starts_with("/no/such/file ("));
        assert!(missing(Need::Writable("/no/such/file")).starts_with("/no/such/file to be writable ("));
    }

    #[test]
    fn what_is_there_is_found() {
        let mut probes = Probes::new();
        assert_eq!(probes.check(&Need::Program("sh")), Ok(()));
        assert_eq!(probes.check(&Need::Processors(1)), Ok(()));
        assert_eq!(probes.check(&Need::Descriptors(3)), Ok(()));
        assert_eq!(probes.check(&Need::Writable("/dev/null")), Ok(()));
    }
}
