//! Needs that Linux has its own means to probe.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::str::FromStr;

use caps::{CapSet, Capability};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};

use crate::sys::Errno;
use crate::sys::process::fail_nth::FailNth;
use crate::sys::process::fork::in_child;

/// Capabilities that the kernel honours within a user namespace, over what belongs to it. The others it wants on the host.
const GOOD_IN_A_NAMESPACE: [Capability; 10] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_IPC_OWNER,
    Capability::CAP_KILL,
    Capability::CAP_SETGID,
    Capability::CAP_SETUID,
    Capability::CAP_SYS_PTRACE,
];

/// Whether that capability is effective, and counts.
pub fn capability(name: &str) -> Result<(), String> {
    let capability = Capability::from_str(name).map_err(|_| "no such capability".to_owned())?;
    match caps::has_cap(None, CapSet::Effective, capability) {
        Ok(true) => {}
        Ok(false) => return Err("not held".to_owned()),
        Err(error) => return Err(error.to_string()),
    }
    if capability == Capability::CAP_SYS_RESOURCE {
        return may_raise_limits();
    }
    if in_user_namespace() && !GOOD_IN_A_NAMESPACE.contains(&capability) {
        return Err("held in a user namespace only, where the kernel does not honour it".to_owned());
    }
    Ok(())
}

/// What this capability is for can simply be done: raise a hard limit.
fn may_raise_limits() -> Result<(), String> {
    let raised = in_child(|| {
        let lowered = setrlimit(Resource::RLIMIT_CORE, 0, 0);
        i32::from(lowered.and_then(|()| setrlimit(Resource::RLIMIT_CORE, 0, 1)).is_err())
    });
    if raised == Ok(Some(0)) { Ok(()) } else { Err("held, but a hard limit cannot be raised".to_owned()) }
}

/// Whether ids are mapped: the initial namespace maps all of them to themselves.
fn in_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.is_empty() && map.split_ascii_whitespace().ne(["0", "0", "4294967295"])
}

/// Where the kernel shows the settings of its fault injection.
const DEBUGFS: &str = "/sys/kernel/debug";

/// Settings under which an allocation fails that is asked to: also one that may sleep, or that is for user memory, or of a single
/// page; and nothing is logged, for a log is watched. They mean nothing to whoever asks for no failure, and stay.
const SETTINGS: [(&str, &str); 6] = [
    ("failslab/ignore-gfp-wait", "N"),
    ("failslab/verbose", "0"),
    ("fail_page_alloc/ignore-gfp-wait", "N"),
    ("fail_page_alloc/ignore-gfp-highmem", "N"),
    ("fail_page_alloc/min-order", "0"),
    ("fail_page_alloc/verbose", "0"),
];

/// Whether single allocations can be made to fail; makes the settings that it takes.
pub fn fault_injection() -> Result<(), String> {
    FailNth::open().and_then(|file| file.disarm()).map_err(|errno| format!("/proc/thread-self/fail-nth: {errno:?}"))?;
    if make_settings(Path::new(DEBUGFS)).is_ok() {
        return Ok(());
    }
    // Mounted for a child alone, the file system is gone again with it.
    let made = in_child(|| {
        let mounted = unshare(CloneFlags::CLONE_NEWNS)
            .and_then(|()| mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>))
            .and_then(|()| mount(Some("debugfs"), DEBUGFS, Some("debugfs"), MsFlags::empty(), None::<&str>));
        i32::from(mounted.is_err() || make_settings(Path::new(DEBUGFS)).is_err())
    });
    if made == Ok(Some(0)) { Ok(()) } else { Err(format!("its settings in {DEBUGFS} cannot be made")) }
}

fn make_settings(debugfs: &Path) -> std::io::Result<()> {
    // Only what is there can be opened: no file is made in a directory that nothing is mounted on.
    SETTINGS
        .iter()
        .try_for_each(|(name, value)| OpenOptions::new().write(true).open(debugfs.join(name))?.write_all(value.as_bytes()))
}

/// Asks to be traced; the process must be one that ends right after.
pub fn trace_me() -> Result<(), Errno> {
    Ok(nix::sys::ptrace::traceme()?)
}
