//! What the kernel says about itself while a case runs: taint and warnings.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use super::complaint::{Complaint, Record};

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

    /// What the kernel complained of since the last call, if it did.
    pub fn since_last(&mut self) -> Option<Complaint> {
        let records = self.new_records();
        let mut taint = None;
        if let Some((file, before)) = &mut self.taint
            && let Some(now) = read_taint(file)
            && now != *before
        {
            taint = Some((*before, now));
            *before = now;
        }
        Complaint::new(records, taint)
    }

    /// What is in the log and has not been read: a record a read, until there is none (`EAGAIN`, at the first read as a rule).
    fn new_records(&mut self) -> Vec<Record> {
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
                Ok(length) => records.extend(String::from_utf8_lossy(&buffer[..length]).lines().filter_map(Record::parse)),
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
