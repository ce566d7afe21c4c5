//! What the processes of a case are doing, for the finding of one that passed its deadline.

use std::collections::BTreeSet;
use std::fs;

use nix::unistd::Pid;

use super::blocked;
use crate::outcome::ProcessSnapshot;
use crate::sys::process::procfs::{self, Stat};

/// Most descriptors that are listed for one process.
const MOST_DESCRIPTORS: usize = 32;

/// The processes below `case`, and those of its process group, each called as `name` calls its id; empty where `/proc` does not show
/// them.
pub(crate) fn of_case(case: Pid, name: impl Fn(i32) -> String) -> Vec<ProcessSnapshot> {
    if !procfs::is_ours() {
        return Vec::new();
    }
    let all = Stat::of_all().unwrap_or_default();
    let mut chosen = BTreeSet::from([case.as_raw()]);
    loop {
        let before = chosen.len();
        for stat in &all {
            if stat.group == case.as_raw() || chosen.contains(&stat.parent) {
                chosen.insert(stat.process);
            }
        }
        if chosen.len() == before {
            break;
        }
    }
    all.iter().filter(|stat| chosen.contains(&stat.process)).map(|stat| describe(stat, name(stat.process))).collect()
}

fn describe(stat: &Stat, name: String) -> ProcessSnapshot {
    let pid = stat.process;
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
        name,
        state: stat.state_in_words(),
        system_call,
        wait_channel: text("wchan").filter(|text| !text.is_empty() && text != "0"),
        descriptors,
    }
}
