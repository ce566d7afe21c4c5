//! The journal of objects made without isolation, by which the next run finds what a killed one left.
//!
//! Each worker keeps one file in a directory that only its user can enter, and holds a lock on it while it lives. The kernel
//! drops the lock with the worker, however that ends, so a file whose lock can be had belongs to nobody any more. (A process id
//! and a start time would say the same on one machine, but not between containers that share a directory.)
//!
//! What is not in a journal is never removed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use super::error::SandboxError;
use super::leak::Leak;
use super::object::{line, objects, remove};
use crate::sys::Errno;

pub use super::object::Object;

/// First line of a journal.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    /// Which boot of the machine the ids are of.
    boot: Option<String>,
    /// The worker, for a human reader.
    pid: u32,
}

/// What a sweep removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanReport {
    /// Each object that was removed.
    pub removed: Vec<Leak>,
    /// Journals of workers that still run, whose objects were left alone.
    pub alive: usize,
}

impl CleanReport {
    /// The report in sentences.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<String> = self.removed.iter().map(|leak| format!("Removed {leak}.")).collect();
        if self.removed.is_empty() {
            sentences.push("Nothing was left behind.".to_owned());
        }
        match self.alive {
            0 => {}
            1 => sentences.push("One worker of another run still works; its objects were left alone.".to_owned()),
            count => sentences.push(format!("{count} workers of other runs still work; their objects were left alone.")),
        }
        sentences
    }
}

/// The journal of this process and its children. A path, for a case's process keeps no descriptors.
static CURRENT: OnceLock<PathBuf> = OnceLock::new();

/// Records an object, where there is a journal. One line, in one write: participants may announce at the same time.
///
/// # Errors
/// The journal cannot be written, for instance without a free descriptor or as a second user.
pub fn announce(object: &Object) -> Result<(), Errno> {
    let Some(path) = CURRENT.get() else { return Ok(()) };
    let mut file = OpenOptions::new().append(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
    Ok(file.write_all(&line(object)?)?)
}

/// A worker's journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// Open as long as the worker lives: closing it gives the lock away.
    file: File,
    /// Where the running case's lines begin.
    start: u64,
}

impl Journal {
    /// Starts the journal of this process, after sweeping those of dead ones.
    pub fn open() -> Result<Self, SandboxError> {
        let temp = writable_temp()?;
        let directory = journal_directory(&temp)?;
        sweep(&directory);
        let failed =
            |error: std::io::Error| SandboxError::Journal { directory: directory.display().to_string(), why: error.to_string() };
        let pid = std::process::id();
        for attempt in 0_u32.. {
            let path = directory.join(format!("run-{pid}-{attempt}.journal"));
            let opened = OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(&path);
            let mut file = match opened {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                // The last worker of another run has just left, and taken the directory with it.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    journal_directory(&temp)?;
                    continue;
                }
                other => other.map_err(failed)?,
            };
            file.lock().map_err(failed)?;
            // A sweep may have come between the two calls and have taken the file for an abandoned one.
            if file.metadata().map_err(failed)?.nlink() == 0 {
                continue;
            }
            let header =
                line(&Header { boot: boot(), pid }).map_err(|errno| failed(std::io::Error::from_raw_os_error(errno.raw())))?;
            file.write_all(&header).map_err(failed)?;
            let _ = CURRENT.set(path.clone());
            return Ok(Journal { path, file, start: header.len() as u64 });
        }
        Err(SandboxError::Setup("all names of journals are taken".to_owned()))
    }

    /// A journal in a worker's own file system, for kinds of objects that the kernel does not list. It ends with the worker,
    /// so there is nothing to lock, and a second user may write to it.
    pub fn private(temp: &Path) -> Result<Self, Errno> {
        let path = temp.join(".journal");
        let file = OpenOptions::new().read(true).append(true).create_new(true).open(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
        let _ = CURRENT.set(path.clone());
        Ok(Journal { path, file, start: 0 })
    }

    /// Makes the worker's temporary directory, outside the journal's, which a second user could not pass.
    pub fn make_directory(&self) -> Result<PathBuf, SandboxError> {
        let temp = writable_temp()?;
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
        for attempt in 0_u32.. {
            let path = temp.join(format!("ipc-conformance-{}-{name}-{attempt}", geteuid()));
            if path.symlink_metadata().is_ok() {
                continue;
            }
            announce(&Object::Directory(path.clone()))?;
            match DirBuilder::new().mode(0o755).create(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(SandboxError::Fork(error.into())),
                Ok(()) => return Ok(path),
            }
        }
        Err(SandboxError::Setup("all names of temporary directories are taken".to_owned()))
    }

    /// Leaves out of account what has been announced so far.
    pub fn begin(&mut self) {
        self.start = self.file.metadata().map_or(self.start, |metadata| metadata.len());
    }

    /// Reports and removes what has been announced since and still exists.
    pub fn audit(&mut self, leaks: &mut Vec<Leak>) {
        let end = self.file.metadata().map_or(self.start, |metadata| metadata.len());
        let mut bytes = vec![0; usize::try_from(end - self.start).unwrap_or_default()];
        if bytes.is_empty() || self.file.read_exact_at(&mut bytes, self.start).is_err() {
            return;
        }
        for object in objects(&String::from_utf8_lossy(&bytes)) {
            remove(&object, true, leaks);
        }
        // All is gone, and with it the reason to remember it.
        let _ = self.file.set_len(self.start);
    }
}

/// Ends a journal whose worker leaves in an orderly way.
pub(super) fn forget(journal: &Journal, temp: &Path) {
    let _ = fs::remove_dir_all(temp);
    let _ = fs::remove_file(&journal.path);
    // Succeeds for the last one only.
    let _ = journal.path.parent().map(fs::remove_dir);
}

/// Removes what runs left that are no more.
///
/// # Errors
/// The journal's directory cannot be trusted or used.
pub fn clean() -> Result<CleanReport, SandboxError> {
    let temp = writable_temp()?;
    if fs::symlink_metadata(directory_in(&temp)).is_err() {
        return Ok(CleanReport::default());
    }
    let directory = journal_directory(&temp)?;
    let report = sweep(&directory);
    // Succeeds if there is nothing else in it.
    let _ = fs::remove_dir(directory);
    Ok(report)
}

/// The first usual directory for temporary files that lets us make something.
fn writable_temp() -> Result<PathBuf, SandboxError> {
    let ambient = std::env::temp_dir();
    let mut candidates = vec![ambient.clone()];
    candidates.extend(["/tmp", "/var/tmp", "/dev/shm", "/run"].map(PathBuf::from));
    let writable = |path: &PathBuf| path.is_dir() && nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok();
    candidates.into_iter().find(writable).ok_or_else(|| SandboxError::Journal {
        directory: ambient.display().to_string(),
        why: "no directory for temporary files can be written to; set TMPDIR".to_owned(),
    })
}

fn directory_in(temp: &Path) -> PathBuf {
    temp.join(format!("ipc-conformance-{}", geteuid()))
}

/// Our directory, which nobody else may own or enter: whoever can write to it chooses what is removed in our name.
fn journal_directory(temp: &Path) -> Result<PathBuf, SandboxError> {
    let path = directory_in(temp);
    let refuse = |why: String| SandboxError::Journal { directory: path.display().to_string(), why };
    let metadata = loop {
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(refuse(error.to_string())),
            _ => {}
        }
        match path.symlink_metadata() {
            // Another run had nothing more to keep in it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => break other.map_err(|error| refuse(error.to_string()))?,
        }
    };
    let help = "remove it, or set TMPDIR";
    if !metadata.is_dir() {
        return Err(refuse(format!("it is not a directory; {help}")));
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(refuse(format!("it belongs to user {}; {help}", metadata.uid())));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(refuse(format!("others may enter it (mode {:o}); {help}", metadata.mode() & 0o777)));
    }
    Ok(path)
}

/// Works off every journal whose lock can be had.
fn sweep(directory: &Path) -> CleanReport {
    let mut report = CleanReport::default();
    let Ok(entries) = fs::read_dir(directory) else { return report };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "journal") {
            continue;
        }
        let Ok(file) = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(&path) else { continue };
        if file.try_lock().is_err() {
            report.alive += 1;
            continue;
        }
        // Worked off by another run meanwhile; the name may be that of a new journal.
        if file.metadata().is_ok_and(|metadata| metadata.nlink() == 0) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let (first, rest) = text.split_once('\n').unwrap_or_default();
        let same_boot = serde_json::from_str::<Header>(first).is_ok_and(|header| header.boot.is_some() && header.boot == boot());
        for object in objects(rest) {
            remove(&object, same_boot, &mut report.removed);
        }
        let _ = fs::remove_file(&path);
    }
    report
}

/// Identifies the boot; `None` where the system does not tell.
fn boot() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_may_enter_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let path = journal_directory(temp.path()).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        fs::set_permissions(&path, PermissionsExt::from_mode(0o770)).unwrap();
        let error = journal_directory(temp.path()).unwrap_err().to_string();
        assert!(error.contains("others may enter it (mode 770); remove it, or set TMPDIR"), "{error}");
    }

    #[test]
    fn a_link_in_place_of_the_directory_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/", temp.path().join(format!("ipc-conformance-{}", geteuid()))).unwrap();
        assert!(journal_directory(temp.path()).unwrap_err().to_string().contains("not a directory"));
    }

    #[test]
    fn a_sweep_removes_what_the_dead_left_and_nothing_of_the_living() {
        let temp = tempfile::tempdir().unwrap();
        let (dead, live) = (temp.path().join("run-1-0.journal"), temp.path().join("run-2-0.journal"));
        let (left, used) = (temp.path().join("left"), temp.path().join("used"));
        for (journal, directory) in [(&dead, &left), (&live, &used)] {
            fs::create_dir(directory).unwrap();
            fs::write(directory.join("file"), "text").unwrap();
            let header = line(&Header { boot: None, pid: 1 }).unwrap();
            fs::write(journal, [header, line(&Object::Directory(directory.clone())).unwrap()].concat()).unwrap();
        }
        let held = File::open(&live).unwrap();
        held.lock().unwrap();
        let report = sweep(temp.path());
        assert_eq!(
            report.sentences(),
            [
                format!("Removed directory {}.", left.display()),
                "One worker of another run still works; its objects were left alone.".to_owned()
            ]
        );
        assert_eq!((left.exists(), used.exists(), dead.exists(), live.exists()), (false, true, false, true));
    }
}
