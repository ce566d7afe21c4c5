//! The sandbox as its worker sees it: a directory for each case, and the audit after it.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use super::audit::directory::{self, Listing};
use super::audit::processes::{self, Scope};
use super::audit::system_v::Tables;
use super::error::SandboxError;
use super::journal::{self, Journal};
use super::leak::{Leak, LeakKind};
use super::names;
use super::private;
use super::surroundings::Surroundings;
use crate::process::{blocked, outlive_parent};
use crate::sys::Errno;
use crate::sys::process::fork::exit_now;

/// What a worker owns. Removed, as far as it is outside the worker's namespaces, when the worker leaves.
#[derive(Debug)]
pub struct Sandbox {
    surroundings: Surroundings,
    kind: Kind,
    /// The process that this belongs to; its forked children have a copy that owns nothing.
    owner: u32,
    cases: u32,
    directory: Option<PathBuf>,
    group: Option<Pid>,
    scope: Scope,
}

#[derive(Debug)]
enum Kind {
    /// Everything in the namespaces is ours.
    Private(Box<Everything>),
    /// What the journal says is ours.
    Ambient(Journal),
}

/// Open views of all that can be left in the worker's namespaces.
#[derive(Debug)]
struct Everything {
    system_v: Tables,
    shared_memory: Option<Listing>,
    message_queues: Option<Listing>,
    temp: Listing,
    /// For what has no listing.
    journal: Option<Journal>,
}

impl Sandbox {
    /// A sandbox in namespaces that have been entered.
    pub(super) fn private(mut surroundings: Surroundings) -> Result<Self, SandboxError> {
        let open = |path: &Path| {
            Listing::open(path).map_err(|errno| SandboxError::Setup(format!("cannot list {}: {errno:?}", path.display())))
        };
        let mut system_v = Tables::open();
        let unlisted = system_v.unlisted();
        if !unlisted.is_empty() {
            let kinds: Vec<String> = unlisted.iter().map(ToString::to_string).collect();
            surroundings.remarks.push(format!("System V {} are not listed: only announced ones are audited", kinds.join(" and ")));
        }
        let complete = unlisted.is_empty() && surroundings.message_queues.is_some() && surroundings.shared_memory.is_some();
        let journal = if complete { None } else { Some(Journal::private(&surroundings.temp)?) };
        let everything = Everything {
            system_v,
            shared_memory: surroundings.shared_memory.as_deref().map(open).transpose()?,
            message_queues: surroundings.message_queues.as_deref().map(open).transpose()?,
            temp: open(&surroundings.temp)?,
            journal,
        };
        let scope = Scope { namespace: surroundings.owns_processes, adopts: processes::adopts_orphans() };
        Ok(Sandbox::new(surroundings, Kind::Private(Box::new(everything)), scope))
    }

    /// A sandbox without isolation: a directory and a journal.
    pub(super) fn ambient() -> Result<Self, SandboxError> {
        let journal = Journal::open()?;
        let temp = journal.make_directory()?;
        let scope = Scope { namespace: false, adopts: private::adopt_orphans() && processes::adopts_orphans() };
        let surroundings = Surroundings {
            temp,
            procfs: crate::sys::process::procfs::is_ours(),
            second_user_mapped: true,
            ..Surroundings::default()
        };
        Ok(Sandbox::new(surroundings, Kind::Ambient(journal), scope))
    }

    fn new(mut surroundings: Surroundings, kind: Kind, scope: Scope) -> Self {
        names::begin_worker();
        if !scope.adopts {
            let remark = "orphaned processes are not adopted: what a case leaves is searched for in /proc and in its process group";
            surroundings.remarks.push(remark.to_owned());
        }
        if !blocked::is_shown() {
            let remark = "process state is not shown: a process that has not ended after a quiet period is taken to be blocked";
            surroundings.remarks.push(remark.to_owned());
        }
        Sandbox { surroundings, kind, owner: std::process::id(), cases: 0, directory: None, group: None, scope }
    }

    /// Whether it is a set of namespaces of its own.
    pub fn is_private(&self) -> bool {
        matches!(self.kind, Kind::Private(_))
    }

    pub(super) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// The worker's temporary directory, in which the cases' directories are made.
    pub fn temporary_directory(&self) -> &Path {
        &self.surroundings.temp
    }

    /// Makes a fresh, empty directory for the next case, which a second user may search but not write to.
    ///
    /// # Errors
    /// That of `mkdir(2)`.
    pub fn case_directory(&mut self) -> Result<PathBuf, Errno> {
        self.cases += 1;
        let path = self.surroundings.temp.join(format!("case-{}", self.cases));
        DirBuilder::new().mode(0o755).create(&path)?;
        // Whatever the umask was.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        names::set_case_directory(Some(path.clone()));
        self.directory = Some(path.clone());
        Ok(path)
    }

    /// Records what there is before a case, so that it is not held against it.
    pub fn begin(&mut self) {
        self.group = None;
        match &mut self.kind {
            Kind::Private(everything) => {
                everything.system_v.begin();
                for listing in everything.listings() {
                    listing.begin();
                }
                if let Some(journal) = &mut everything.journal {
                    journal.begin();
                }
            }
            Kind::Ambient(journal) => journal.begin(),
        }
    }

    /// Tells which process group the case runs in. Where orphans cannot be adopted, the group is all that shows them.
    pub fn case_started(&mut self, leader: Pid) {
        self.group = Some(leader);
    }

    /// Finds and removes what is left of a case, once its own process has been reaped.
    pub fn audit(&mut self) -> Vec<Leak> {
        // Processes first: a living one could make more, and holds segments that are to be removed.
        let mut leaks = processes::end_all(self.scope, self.group.take());
        if let Some(path) = self.directory.take() {
            names::set_case_directory(None);
            directory::remove_tree(&path, "the case's directory", &mut leaks);
        }
        match &mut self.kind {
            Kind::Private(everything) => {
                everything.system_v.audit(&mut leaks);
                everything.audit_names(&mut leaks);
                if let Some(journal) = &mut everything.journal {
                    journal.audit(&mut leaks);
                }
            }
            Kind::Ambient(journal) => journal.audit(&mut leaks),
        }
        leaks
    }

    /// Where processes do not end with the worker, it must not end with the runner, but see that end itself and take them along.
    pub fn outlive_runner(&self) {
        if !self.surroundings.owns_processes {
            outlive_parent();
        }
    }

    /// Ends the worker: what it owns is removed, and it exits at once with that status.
    pub fn leave(self, status: i32) -> ! {
        drop(self);
        exit_now(status)
    }
}

impl Everything {
    fn listings(&mut self) -> impl Iterator<Item = &mut Listing> {
        [Some(&mut self.temp), self.shared_memory.as_mut(), self.message_queues.as_mut()].into_iter().flatten()
    }

    fn audit_names(&mut self, leaks: &mut Vec<Leak>) {
        if let Some(listing) = &mut self.shared_memory {
            listing.audit(leaks, |name, _| match name.strip_prefix("sem.") {
                Some(semaphore) => Leak::new(LeakKind::NamedSemaphore, format!("/{semaphore}")),
                None => Leak::new(LeakKind::SharedMemory, format!("/{name}")),
            });
        }
        if let Some(listing) = &mut self.message_queues {
            listing.audit(leaks, |name, _| Leak::new(LeakKind::MessageQueue, format!("/{name}")));
        }
        self.temp.audit(leaks, |name, kind| Leak::new(kind, format!("{name} in the temporary directory")));
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.owner == std::process::id()
            && let Kind::Ambient(journal) = &self.kind
        {
            journal::forget(journal, &self.surroundings.temp);
        }
    }
}
