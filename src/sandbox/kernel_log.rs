//! What the kernel says about itself while a case runs: taint and warnings.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

/// Watches the kernel's log and its taint. Open one for each worker, in the runner, and move it into the worker: the log
/// may be out of reach in a user namespace, and each worker needs a reading position of its own.
#[derive(Debug)]
pub struct KernelWatch {
    taint: Option<(File, u64)>,
    log: Option<File>,
    remarks: Vec<String>,
}

impl KernelWatch {
    /// Opens what the system lets be read; the rest becomes a remark.
    pub fn open() -> Self {
        let mut remarks = Vec::new();
        let taint = File::open("/proc/sys/kernel/tainted").ok().and_then(|file| read_taint(&file).map(|now| (file, now)));
        if taint.is_none() {
            remarks.push("the kernel's taint cannot be read (/proc/sys/kernel/tainted), so it is not watched".to_owned());
        }
        let log = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").and_then(|mut file| {
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        });
        if let Err(error) = &log {
            remarks.push(format!("the kernel's log is not watched: /dev/kmsg cannot be opened: {error}"));
        }
        KernelWatch { taint, log: log.ok(), remarks }
    }

    /// What cannot be watched, a sentence each.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What the kernel complained about since the last call, if it did.
    pub fn since_last(&mut self) -> Option<String> {
        let mut complaint = complaints(&self.new_records());
        if let Some((file, before)) = &mut self.taint
            && let Some(now) = read_taint(file)
            && now != *before
        {
            complaint.push(format!("kernel became tainted: {before} → {now}"));
            *before = now;
        }
        (!complaint.is_empty()).then(|| complaint.join("\n"))
    }

    /// One record a read, until there is none: `EAGAIN`, at the first read as a rule.
    fn new_records(&mut self) -> Vec<String> {
        /// Longest record of the kernel, and some room.
        const RECORD: usize = 16384;
        /// A flood is cut off: what matters has been said by then.
        const FLOOD: usize = 5000;
        let mut records = Vec::new();
        let Some(log) = &mut self.log else { return records };
        let mut buffer = [0; RECORD];
        while records.len() < FLOOD {
            match log.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => records.push(String::from_utf8_lossy(&buffer[..length]).into_owned()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The oldest unread records were overwritten; the next read goes on behind the gap.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(_) => break,
            }
        }
        records
    }
}

/// Marks of a kernel that was at fault: a page in a bad state, an Oops, a warning. Others are about modules, firmware and
/// hardware, and anybody's doing.
const AT_FAULT: u64 = 1 << 5 | 1 << 7 | 1 << 9;

fn read_taint(file: &File) -> Option<u64> {
    let mut text = [0; 32];
    let length = file.read_at(&mut text, 0).ok()?;
    std::str::from_utf8(&text[..length]).ok()?.trim().parse().ok().map(|taint: u64| taint & AT_FAULT)
}

/// Lines that follow a complaint and explain it (a call trace); at most so many.
const CONTEXT: usize = 60;

/// The records from the first complaint on, without their prefixes.
fn complaints(records: &[String]) -> Vec<String> {
    let messages: Vec<&str> = records.iter().filter_map(|record| kernel_message(record)).collect();
    let Some(first) = messages.iter().position(|message| is_complaint(message)) else { return Vec::new() };
    messages[first..].iter().take(CONTEXT).map(|message| (*message).to_owned()).collect()
}

/// The text of a record `PRIORITY,SEQUENCE,TIME,FLAGS;TEXT`, if the kernel itself wrote it: a program that writes to the log
/// has another facility, in the bits above the level.
fn kernel_message(record: &str) -> Option<&str> {
    let (prefix, text) = record.split_once(';')?;
    let priority: u32 = prefix.split(',').next()?.parse().ok()?;
    (priority < 8).then(|| text.lines().next().unwrap_or_default())
}

/// Whether a message says that the kernel found itself at fault. What it says of a program (`segfault at`, `Out of memory`)
/// is none of that; nor is that something was stalled, which is so on a machine whose own processors were taken from it. Who is
/// stalled for good is found by a case's deadline.
fn is_complaint(message: &str) -> bool {
    const STALLS: [&str; 3] = ["BUG: soft lockup", "BUG: workqueue lockup", "hard LOCKUP"];
    const STARTS: [&str; 7] =
        ["WARNING: ", "BUG: ", "kernel BUG at ", "------------[ cut here ]", "Oops", "Kernel panic", "UBSAN: "];
    const PARTS: [&str; 8] = [
        "refcount_t: ",
        "KASAN: ",
        "KCSAN: ",
        "KMSAN: ",
        "KFENCE: ",
        "kernel NULL pointer dereference",
        "Unable to handle kernel",
        "list_del corruption",
    ];
    let fault = message.contains("general protection fault") && (message.contains(", probably") || message.contains("[#"));
    let possible = ["possible circular locking", "possible recursive locking", "inconsistent lock state", "suspicious RCU usage"];
    if STALLS.iter().any(|stall| message.contains(stall)) {
        return false;
    }
    fault
        || STARTS.iter().any(|start| message.starts_with(start))
        || PARTS.iter().chain(&possible).any(|part| message.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(messages: &[&str]) -> Vec<String> {
        messages.iter().map(|message| format!("4,1234,5678,-;{message}\n SUBSYSTEM=x\n")).collect()
    }

    #[test]
    fn a_warning_is_reported_with_what_follows() {
        let seen = complaints(&records(&[
            "eth0: link up",
            "------------[ cut here ]------------",
            "WARNING: CPU: 1 PID: 7",
            "Call Trace:",
        ]));
        assert_eq!(seen, ["------------[ cut here ]------------", "WARNING: CPU: 1 PID: 7", "Call Trace:"]);
    }

    #[test]
    fn complaints_are_told_from_news() {
        for message in [
            "BUG: unable to handle page fault for address: 0000",
            "Oops: 0002 [#1] PREEMPT SMP",
            "Oops: general protection fault, probably for non-canonical address",
            "refcount_t: underflow; use-after-free.",
            "BUG: KASAN: slab-use-after-free in do_msgrcv",
            "UBSAN: shift-out-of-bounds in ipc/util.c:1",
            "WARNING: possible circular locking dependency detected",
        ] {
            assert!(is_complaint(message), "{message}");
        }
        for message in [
            "conformance[12]: segfault at 0 ip 0000 sp 0000 error 4",
            "traps: conformance[12] general protection fault ip:1 sp:2 error:0",
            "Out of memory: Killed process 12 (conformance)",
            "mqueue: a debug message",
            "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "watchdog: BUG: soft lockup - CPU#1 stuck for 26s!",
            "BUG: workqueue lockup - pool cpus=1 node=0 flags=0x0 nice=0 stuck for 31s!",
            "INFO: task conformance:12 blocked for more than 120 seconds.",
            "process 'x' launched '/dev/fd/3' with NULL argv: empty string added",
        ] {
            assert!(!is_complaint(message), "{message}");
        }
    }

    #[test]
    fn what_a_program_writes_to_the_log_does_not_count() {
        assert_eq!(kernel_message("12,1,2,-;WARNING: pretended\n"), None);
        assert_eq!(kernel_message("4,1,2,-;WARNING: meant\n"), Some("WARNING: meant"));
        assert_eq!(kernel_message("no record"), None);
    }
}
