//! Private isolation on Linux: namespaces, with mounts of their own.
//!
//! No step asks who we are or which kernel this is. A plan is a set of namespaces to try; what it turns out to give is reported
//! by the worker that entered it.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno as Nix;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::CloneFlags;
use nix::unistd::{Pid, getegid, geteuid};
use serde::{Deserialize, Serialize};

use crate::process::die_with_parent;
use crate::sandbox::needs::SECOND_USER;
use crate::sandbox::surroundings::{Marked, Surroundings};
use crate::sys::Errno;
use crate::sys::process::fork::{self, Forked};
use crate::sys::process::procfs::shown_id;

/// Unused here: each refusal has its own reason.
pub const NOT_HERE: &str = "no attempt was made";

/// Where the worker's temporary file system may go; the first directory that exists and hides nothing needed.
const TEMP_CANDIDATES: [&str; 6] = ["/tmp", "/var/tmp", "/mnt", "/media", "/run", "/srv"];

/// Which user and group ids exist for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdMap {
    /// All that the runner has.
    All,
    /// The runner's own and the second user's.
    Two,
    /// The runner's own only.
    Own,
}

/// Namespaces for a worker, and what entering them once gave.
#[derive(Clone, Debug)]
pub struct PrivatePlan {
    flags: CloneFlags,
    surroundings: Surroundings,
}

/// The plans worth a try, best first. Without a user namespace comes first: that is where a second user exists.
pub fn candidates() -> Vec<PrivatePlan> {
    let least = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC;
    let processes = least | CloneFlags::CLONE_NEWPID;
    let sets = [processes | CloneFlags::CLONE_NEWNET, processes, least];
    let user = [CloneFlags::empty(), CloneFlags::CLONE_NEWUSER];
    let plan = |flags| PrivatePlan { flags, surroundings: Surroundings::default() };
    user.into_iter().flat_map(|user| sets.map(|set| plan(set | user))).collect()
}

/// Makes orphaned descendants children of this process; whether that worked.
pub fn adopt_orphans() -> bool {
    nix::sys::prctl::set_child_subreaper(true).is_ok()
}

impl PrivatePlan {
    /// The namespaces in words.
    pub(in crate::sandbox) fn description(&self) -> String {
        format!("{} namespaces", self.namespaces().join(", "))
    }

    /// Whether it needs no right but that to make a user namespace.
    pub(in crate::sandbox) fn in_user_namespace(&self) -> bool {
        self.flags.contains(CloneFlags::CLONE_NEWUSER)
    }

    fn namespaces(&self) -> Vec<String> {
        let names = [
            (CloneFlags::CLONE_NEWUSER, "user"),
            (CloneFlags::CLONE_NEWNS, "mount"),
            (CloneFlags::CLONE_NEWIPC, "IPC"),
            (CloneFlags::CLONE_NEWPID, "PID"),
            (CloneFlags::CLONE_NEWNET, "network"),
        ];
        names.iter().filter(|(flag, _)| self.flags.contains(*flag)).map(|(_, name)| (*name).to_owned()).collect()
    }

    /// The plan, once a worker has entered it.
    pub(in crate::sandbox) fn confirmed(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// What the worker that tried it found.
    pub(in crate::sandbox) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Forks into the namespaces.
    pub(in crate::sandbox) fn fork(&self) -> Result<Forked, Errno> {
        fork::fork_into(self.flags)
    }

    /// Maps ids for a child in a new user namespace, which only its parent may do for more than one.
    pub(in crate::sandbox) fn map_ids(&self, child: Pid) -> Result<IdMap, String> {
        if !self.in_user_namespace() {
            return Ok(IdMap::All);
        }
        let of_child = |file: &str| PathBuf::from(format!("/proc/{child}/{file}"));
        let (user, group) = (geteuid().as_raw(), getegid().as_raw());
        let two = |own: u32| format!("{own} {own} 1\n{SECOND_USER} {SECOND_USER} 1");
        let maps =
            [(IdMap::All, ["0 0 4294967295".to_owned(), "0 0 4294967295".to_owned()]), (IdMap::Two, [two(user), two(group)])];
        for (map, [users, groups]) in maps {
            // A map can be written once; a refused write leaves it as it was.
            if fs::write(of_child("uid_map"), users).is_ok() {
                let path = of_child("gid_map");
                return fs::write(&path, groups).map(|()| map).map_err(|error| cannot("write", &path, &error));
            }
        }
        let own =
            [("setgroups", "deny".to_owned()), ("gid_map", format!("{group} {group} 1")), ("uid_map", format!("{user} {user} 1"))];
        for (file, text) in own {
            let path = of_child(file);
            match fs::write(&path, text) {
                // Old kernels, and kernels like them, have no such switch and ask for none.
                Err(error) if file == "setgroups" && error.kind() == std::io::ErrorKind::NotFound => {}
                other => other.map_err(|error| cannot("write", &path, &error))?,
            }
        }
        Ok(IdMap::Own)
    }

    /// Makes the first mount, and puts a file on it that nobody outside may see.
    ///
    /// Some kernels take the flag for a mount namespace and go on with one for all; then the file shows outside.
    pub(in crate::sandbox) fn mark(&self) -> Result<Marked, String> {
        let mut remarks = Vec::new();
        if self.flags.contains(CloneFlags::CLONE_NEWPID) && std::process::id() != 1 {
            return Err("the PID namespace has no effect".to_owned());
        }
        // EINVAL is how a sandbox kernel without mount propagation answers; then there is none to be cut either.
        match mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>) {
            Ok(()) => {}
            Err(Nix::EINVAL) => remarks.push("the kernel has no private mounts, and needs none".to_owned()),
            Err(errno) => return Err(format!("making the mounts private fails with {errno:?}")),
        }
        let temp = mount_temp()?;
        let marker = temp.join(format!(".worker-of-{}-{:x}", nix::unistd::getppid(), RandomState::new().build_hasher().finish()));
        fs::write(&marker, "").map_err(|error| cannot("write", &marker, &error))?;
        Ok(Marked { temp, marker, remarks })
    }

    /// Takes the first mount away again, from outside, where it shows there.
    #[expect(clippy::unused_self, reason = "only who has a plan has anything to take away")]
    pub(in crate::sandbox) fn unmark(&self, marked: &Marked) {
        let _ = umount2(&marked.temp, MntFlags::MNT_DETACH);
    }

    /// Sets the namespaces up from inside.
    pub(in crate::sandbox) fn enter(&self, ids: IdMap, marked: Marked) -> Result<Surroundings, String> {
        let Marked { temp, marker, mut remarks } = marked;
        fs::remove_file(&marker).map_err(|error| cannot("remove", &marker, &error))?;
        let procfs = self.enter_proc(&mut remarks)?;
        let shared_memory = mount_tmpfs(Path::new("/dev/shm"))
            .map_err(|why| remarks.push(format!("POSIX shared memory has no file system of its own: {why}")))
            .ok()
            .map(|()| PathBuf::from("/dev/shm"));
        let message_queues = mount_queues(&temp).map_err(|why| remarks.push(why)).ok();
        if ids == IdMap::Own && !geteuid().is_root() {
            // An unprivileged user stays one: what a case may do is what the user may do outside, also after exec.
            drop_capabilities().map_err(|error| format!("capabilities cannot be dropped: {error}"))?;
        }
        // Lost where credentials changed.
        die_with_parent();
        let owns_processes = self.flags.contains(CloneFlags::CLONE_NEWPID);
        if !owns_processes {
            adopt_orphans();
        }
        Ok(Surroundings {
            temp,
            shared_memory,
            message_queues,
            namespaces: self.namespaces(),
            owns_processes,
            procfs,
            second_user_mapped: ids != IdMap::Own,
            remarks,
        })
    }

    /// Mounts a `/proc` that fits the PID namespace; whether there is one at all.
    fn enter_proc(&self, remarks: &mut Vec<String>) -> Result<bool, String> {
        let before = Path::new("/proc/self").exists();
        if self.flags.contains(CloneFlags::CLONE_NEWPID) {
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            if let Err(errno) = mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>) {
                remarks.push(format!("/proc cannot be mounted ({errno:?})"));
            }
        }
        match shown_id() {
            Ok(shown) if shown == nix::unistd::getpid().as_raw() => Ok(true),
            // Process states would be read from other processes' entries: worse than none.
            Ok(_) => Err("/proc shows another PID namespace, and cannot be mounted anew".to_owned()),
            Err(_) if before => Err("/proc of a PID namespace shows no processes".to_owned()),
            Err(_) => Ok(false),
        }
    }
}

/// Mounts the worker's temporary file system where that hides nothing a case needs.
fn mount_temp() -> Result<PathBuf, String> {
    let ambient = std::env::temp_dir();
    let executable = std::env::current_exe().unwrap_or_default();
    let mut refusals = Vec::new();
    for directory in std::iter::once(ambient.as_path()).chain(TEMP_CANDIDATES.iter().map(Path::new)) {
        if directory == Path::new("/") || executable.starts_with(directory) {
            continue;
        }
        match mount_tmpfs(directory) {
            Ok(()) => return Ok(directory.to_owned()),
            Err(why) if !refusals.contains(&why) => refusals.push(why),
            Err(_) => {}
        }
    }
    Err(format!("there is no place for a temporary file system: {}", refusals.join(", ")))
}

/// Mounts a tmpfs and proves that it can be written to: on some systems only the first use is refused.
fn mount_tmpfs(directory: &Path) -> Result<(), String> {
    mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=1777"))
        .map_err(|errno| format!("mounting tmpfs on {} fails with {errno:?}", directory.display()))?;
    let probe = directory.join(".probe");
    fs::write(&probe, "written").and_then(|()| fs::remove_file(&probe)).map_err(|error| cannot("write", &probe, &error))
}

/// Mounts the message queue file system on its usual place, or in the temporary directory.
fn mount_queues(temp: &Path) -> Result<PathBuf, String> {
    let mut directory = PathBuf::from("/dev/mqueue");
    if !directory.is_dir() {
        directory = temp.join(".mqueue");
        fs::create_dir(&directory).map_err(|error| cannot("create", &directory, &error))?;
    }
    match mount(Some("mqueue"), &directory, Some("mqueue"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, None::<&str>) {
        Ok(()) => Ok(directory),
        Err(errno) => {
            let _ = fs::remove_dir(temp.join(".mqueue"));
            Err(format!("message queues are not listed: mounting their file system fails with {errno:?}"))
        }
    }
}

fn drop_capabilities() -> Result<(), caps::errors::CapsError> {
    use caps::CapSet::{Effective, Inheritable, Permitted};
    [Effective, Permitted, Inheritable].into_iter().try_for_each(|set| caps::clear(None, set))
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> String {
    format!("cannot {what} {}: {:?}", path.display(), Errno::from_raw(error.raw_os_error().unwrap_or_default()))
}
