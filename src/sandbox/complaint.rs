//! [`Complaint`]: that the kernel found itself at fault, read from its log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A record of the kernel's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number: the log counts its records.
    pub number: u64,
    /// The message.
    pub message: String,
}

impl Record {
    /// Reads a line `PRIORITY,NUMBER,TIME,FLAGS;MESSAGE`, if the kernel itself wrote it: a program that writes to the log has another
    /// facility, in the bits above the level. Lines that belong to the record before them begin with a space, and are none.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let (prefix, message) = line.split_once(';')?;
        let mut fields = prefix.split(',');
        let priority: u32 = fields.next()?.parse().ok()?;
        let number = fields.next()?.parse().ok()?;
        (priority < 8).then(|| Record { number, message: message.to_owned() })
    }
}

/// What the kernel said of itself within some time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// The records from the first bad one on.
    records: Vec<Record>,
    /// Marks of a kernel at fault, before and after, where they changed.
    taint: Option<(u64, u64)>,
}

impl Complaint {
    /// What is bad in these records, and in the taint.
    pub(super) fn new(records: Vec<Record>, taint: Option<(u64, u64)>) -> Option<Self> {
        let first = records.iter().position(|record| is_complaint(&record.message)).unwrap_or(records.len());
        let complaint = Complaint { records: records.into_iter().skip(first).collect(), taint };
        (complaint != Complaint::default()).then_some(complaint)
    }

    /// What is in it and not in a complaint that is known already.
    pub fn beyond(&self, known: &Complaint) -> Option<Self> {
        let last = known.records.last().map(|record| record.number);
        let records = self.records.iter().filter(|record| Some(record.number) > last).cloned().collect();
        let end = |taint: Option<(u64, u64)>| taint.map(|(_, after)| after);
        Complaint::new(records, self.taint.filter(|_| end(self.taint) != end(known.taint)))
    }

    /// Both, of which `other` is the later one.
    #[must_use]
    pub fn and(mut self, other: &Complaint) -> Self {
        let last = self.records.last().map(|record| record.number);
        self.records.extend(other.records.iter().filter(|record| Some(record.number) > last).cloned());
        self.taint = other.taint.or(self.taint);
        self
    }
}

/// The messages, a line each, and the taint.
impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Lines that follow a complaint and explain it (a call trace); at most so many.
        const CONTEXT: usize = 60;
        let messages = self.records.iter().take(CONTEXT).map(|record| record.message.clone());
        let taint = self.taint.map(|(before, after)| format!("kernel became tainted: {before} → {after}"));
        f.write_str(&messages.chain(taint).collect::<Vec<_>>().join("\n"))
    }
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

/// A complaint of these records, for tests.
#[cfg(test)]
pub(crate) fn of(records: impl Iterator<Item = (u64, &'static str)>) -> Complaint {
    Complaint { records: records.map(|(number, message)| Record { number, message: message.to_owned() }).collect(), taint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(first: u64, messages: &[&str]) -> Vec<Record> {
        let line = |(number, message): (u64, &&str)| format!("4,{number},5678,-;{message}");
        (first..).zip(messages).filter_map(|record| Record::parse(&line(record))).collect()
    }

    #[test]
    fn a_warning_is_reported_with_what_follows() {
        let news = ["eth0: link up", "------------[ cut here ]------------", "WARNING: CPU: 1 PID: 7", "Call Trace:"];
        let complaint = Complaint::new(records(7, &news), None).unwrap();
        assert_eq!(complaint.to_string(), "------------[ cut here ]------------\nWARNING: CPU: 1 PID: 7\nCall Trace:");
        assert_eq!(Complaint::new(records(7, &["eth0: link up"]), None), None);
        assert_eq!(Complaint::new(Vec::new(), Some((0, 512))).unwrap().to_string(), "kernel became tainted: 0 → 512");
    }

    #[test]
    fn what_is_known_is_not_new() {
        let of = |first, messages: &[&str], taint| Complaint::new(records(first, messages), taint).unwrap();
        let known = of(7, &["WARNING: one", "Call Trace:"], Some((0, 512)));
        assert_eq!(known.beyond(&known), None);
        assert_eq!(of(7, &["WARNING: one", "Call Trace:", " more"], None).beyond(&known), None);
        assert_eq!(of(7, &["WARNING: one", "Call Trace:", "BUG: two"], None).beyond(&known), Some(of(9, &["BUG: two"], None)));
        assert_eq!(of(9, &["BUG: two"], None).beyond(&Complaint::default()), Some(of(9, &["BUG: two"], None)));
        let both = known.clone().and(&of(8, &["BUG: two", "BUG: three"], None));
        assert_eq!(both.to_string(), "WARNING: one\nCall Trace:\nBUG: three\nkernel became tainted: 0 → 512");
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
        assert_eq!(Record::parse("12,1,2,-;WARNING: pretended"), None);
        assert_eq!(Record::parse("4,1,2,-;WARNING: meant").unwrap().message, "WARNING: meant");
        assert_eq!(Record::parse(" SUBSYSTEM=x"), None);
        assert_eq!(Record::parse("no record"), None);
    }
}
