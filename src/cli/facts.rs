//! `facts`: what this system is, and the limits that its inter-process communication has. Read, never guessed: what can't be read
//! here is said to be so.

use std::fmt::Write as _;
use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{PathconfVar, SysconfVar, pathconf, sysconf};

use crate::platform::{Platform, System};

/// Name and value of a fact.
pub(super) type Fact = (String, String);

const UNREADABLE: &str = "not readable here";

/// Limits that Linux shows in files.
const FILES: &[(&str, &str)] = &[
    ("pipe: largest size", "/proc/sys/fs/pipe-max-size"),
    ("pipe: pages a user may have", "/proc/sys/fs/pipe-user-pages-soft"),
    ("POSIX queues", "/proc/sys/fs/mqueue/queues_max"),
    ("POSIX queue: messages", "/proc/sys/fs/mqueue/msg_max"),
    ("POSIX queue: bytes of a message", "/proc/sys/fs/mqueue/msgsize_max"),
    ("System V shared memory: segments", "/proc/sys/kernel/shmmni"),
    ("System V shared memory: bytes of a segment", "/proc/sys/kernel/shmmax"),
    ("System V shared memory: pages in all", "/proc/sys/kernel/shmall"),
    ("System V semaphores: a set, in all, operations, sets", "/proc/sys/kernel/sem"),
    ("System V queues", "/proc/sys/kernel/msgmni"),
    ("System V queue: bytes", "/proc/sys/kernel/msgmnb"),
    ("System V queue: bytes of a message", "/proc/sys/kernel/msgmax"),
    ("socket: largest send buffer", "/proc/sys/net/core/wmem_max"),
];

/// The facts as text, in sections.
pub(super) fn facts(system: &System, platform: &Platform, sandbox: Vec<Fact>) -> String {
    let pins = platform.pins().iter().map(|(key, pin)| (key.clone(), pin.value.to_string())).collect();
    let sections =
        [("system", identity(system, platform)), ("limits", limits()), ("isolation", sandbox), ("pinned observations", pins)];
    sections
        .iter()
        .filter(|(_, facts)| !facts.is_empty())
        .map(|(title, facts)| section(title, facts))
        .collect::<Vec<_>>()
        .join("\n")
}

fn section(title: &str, facts: &[Fact]) -> String {
    let column = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let mut text = format!("{title}\n");
    for (name, value) in facts {
        let _ = writeln!(text, "  {name:column$}  {value}");
    }
    text
}

fn identity(system: &System, platform: &Platform) -> Vec<Fact> {
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        fact("platform", platform.name()),
        fact("kernel", &format!("{} {}", system.kernel, system.release)),
        fact("C library", &system.library()),
        fact("build", &system.version),
        fact("machine", &system.machine),
        fact("suite", env!("CARGO_PKG_VERSION")),
    ]
}

fn limits() -> Vec<Fact> {
    let number = |value: nix::Result<Option<libc::c_long>>| match value {
        Ok(Some(value)) => value.to_string(),
        Ok(None) => "no limit".to_owned(),
        Err(errno) => errno.to_string(),
    };
    let mut facts = vec![
        ("bytes of a page".to_owned(), number(sysconf(SysconfVar::PAGE_SIZE))),
        ("pipe: bytes of an atomic write".to_owned(), number(pathconf("/", PathconfVar::PIPE_BUF))),
        ("open descriptors".to_owned(), limit(Resource::RLIMIT_NOFILE)),
    ];
    #[cfg(target_os = "linux")]
    facts.push(("POSIX queues: bytes of a user".to_owned(), limit(Resource::RLIMIT_MSGQUEUE)));
    facts.extend(FILES.iter().map(|&(name, path)| (name.to_owned(), content(path))));
    facts
}

fn limit(resource: Resource) -> String {
    let shown = |value: libc::rlim_t| if value == libc::RLIM_INFINITY { "no limit".to_owned() } else { value.to_string() };
    match getrlimit(resource) {
        Ok((soft, hard)) => format!("{} (can be raised to {})", shown(soft), shown(hard)),
        Err(errno) => errno.to_string(),
    }
}

/// A file's numbers, with single spaces.
fn content(path: &str) -> String {
    match fs::read_to_string(path) {
        Ok(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        Err(_) => UNREADABLE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_aligned_and_empty_ones_left_out() {
        let system = System::detect();
        let platform = Platform::load(Some("linux"), &system).unwrap();
        let text = facts(&system, &platform, vec![("namespaces".to_owned(), "ipc, mount".to_owned())]);
        assert!(text.starts_with("system\n  platform   Linux\n  kernel     "), "{text}");
        assert!(text.contains("\nisolation\n  namespaces  ipc, mount\n"), "{text}");
        let (_, pinned) = text.split_once("\npinned observations\n").unwrap();
        assert!(pinned.lines().any(|line| line.split_whitespace().eq(["pipe.links", "\"1\""])), "{text}");
        assert!(!facts(&system, &platform, Vec::new()).contains("isolation"));
    }

    #[test]
    fn what_cannot_be_read_is_said_to_be_so() {
        assert_eq!(content("/nowhere/at/all"), UNREADABLE);
    }
}
