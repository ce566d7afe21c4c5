//! What the processes of a case are doing, for the finding of one that passed its deadline.

use std::collections::BTreeSet;
use std::fs;

use nix::unistd::Pid;

use super::blocked;
use crate::outcome::ProcessSnapshot;

/// Most descriptors that are listed for one process.
const MOST_DESCRIPTORS: usize = 32;

struct Entry {
    pid: i32,
    state: char,
    parent: i32,
    group: i32,
}

/// The processes below `case`, and those of its process group; empty where `/proc` does not show them.
pub(crate) fn of_case(case: Pid) -> Vec<ProcessSnapshot> {
    if !crate::sys::process::procfs::is_ours() {
        return Vec::new();
    }
    let entries: Vec<Entry> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(read_entry)
        .collect();
    let mut chosen = BTreeSet::from([case.as_raw()]);
    loop {
        let before = chosen.len();
        for entry in &entries {
            if entry.group == case.as_raw() || chosen.contains(&entry.parent) {
                chosen.insert(entry.pid);
            }
        }
        if chosen.len() == before {
            break;
        }
    }
    entries.iter().filter(|entry| chosen.contains(&entry.pid)).map(describe).collect()
}

fn read_entry(pid: i32) -> Option<Entry> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut words = stat[stat.rfind(')')? + 1..].split_whitespace();
    Some(Entry {
        pid,
        state: words.next()?.chars().next()?,
        parent: words.next()?.parse().ok()?,
        group: words.next()?.parse().ok()?,
    })
}

fn describe(entry: &Entry) -> ProcessSnapshot {
    let pid = entry.pid;
    let text = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok().map(|text| text.trim().to_owned());
    let system_call = text("syscall").map(|line| match line.split_whitespace().next().and_then(|word| word.parse().ok()) {
        Some(number) if number >= 0 => {
            let arguments: Vec<&str> = line.split_whitespace().skip(1).take(3).collect();
            format!("{}({}, …)", blocked::call_name(number), arguments.join(", "))
        }
        _ => line,
    });
    let mut descriptors: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let target = fs::read_link(entry.path()).ok()?;
            Some(format!("{} → {}", entry.file_name().to_string_lossy(), target.to_string_lossy()))
        })
        .take(MOST_DESCRIPTORS)
        .collect();
    descriptors.sort();
    ProcessSnapshot {
        pid,
        name: String::new(),
        state: state_in_words(entry.state),
        system_call,
        wait_channel: text("wchan").filter(|text| !text.is_empty() && text != "0"),
        descriptors,
    }
}

fn state_in_words(letter: char) -> String {
    match letter {
        'R' => "running".to_owned(),
        'S' => "sleeping".to_owned(),
        'D' => "sleeping, not to be interrupted".to_owned(),
        'T' => "stopped".to_owned(),
        't' => "stopped by its tracer".to_owned(),
        'Z' => "ended, not waited for".to_owned(),
        other => format!("state {other}"),
    }
}
