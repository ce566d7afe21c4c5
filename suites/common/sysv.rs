//! Fixture for cases about System V IPC as a whole: an object of any of the three mechanisms, and what `ipcs` lists.

use std::process::{Command, Output};

use conformance::prelude::*;
use conformance::sys::sysv::msg::{MessageQueue, find_queue};
use conformance::sys::sysv::sem::{SemaphoreSet, find_set};
use conformance::sys::sysv::shm::{Segment, shmget};

/// One of the three mechanisms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A shared memory segment.
    SharedMemory,
    /// A semaphore set.
    SemaphoreSet,
    /// A message queue.
    MessageQueue,
}

/// A System V object, which is removed when this value is dropped.
#[derive(Debug)]
pub enum Object {
    /// A shared memory segment.
    Segment(Segment),
    /// A semaphore set.
    Semaphores(SemaphoreSet),
    /// A message queue.
    Queue(MessageQueue),
}

impl Kind {
    /// Creates an object with this key.
    pub fn create(self, key: i32) -> Result<Object, Errno> {
        Ok(match self {
            Kind::SharedMemory => Object::Segment(Segment::create(key, 100)?),
            Kind::SemaphoreSet => Object::Semaphores(SemaphoreSet::create(key, &[1])?),
            Kind::MessageQueue => Object::Queue(MessageQueue::create(key)?),
        })
    }

    /// Looks up the id of the object with this key.
    pub fn find(self, key: i32) -> Result<i32, Errno> {
        match self {
            Kind::SharedMemory => shmget(key, 0, 0),
            Kind::SemaphoreSet => find_set(key, 0, 0),
            Kind::MessageQueue => find_queue(key, 0),
        }
    }

    /// The option with which `ipcs` lists objects of this kind, and with which `ipcrm` removes one by id.
    pub fn option(self) -> &'static str {
        match self {
            Kind::SharedMemory => "-m",
            Kind::SemaphoreSet => "-s",
            Kind::MessageQueue => "-q",
        }
    }

    /// The option with which `ipcrm` removes an object of this kind by key.
    pub fn key_option(self) -> &'static str {
        match self {
            Kind::SharedMemory => "-M",
            Kind::SemaphoreSet => "-S",
            Kind::MessageQueue => "-Q",
        }
    }
}

impl Object {
    /// The id of the object.
    pub fn id(&self) -> i32 {
        match self {
            Object::Segment(object) => object.id(),
            Object::Semaphores(object) => object.id(),
            Object::Queue(object) => object.id(),
        }
    }

    /// Looks the object up by id; fails with `EINVAL` or `EIDRM` after the object was removed.
    pub fn state(&self) -> Result<(), Errno> {
        match self {
            Object::Segment(object) => object.status().map(drop),
            Object::Semaphores(object) => object.value(0).map(drop),
            Object::Queue(object) => object.status().map(drop),
        }
    }
}

/// Runs a program in the POSIX locale, so that its messages are not translated.
pub fn run(program: &str, arguments: &[&str]) -> Result<Output, Errno> {
    Ok(Command::new(program).args(arguments).env("LC_ALL", "C").output()?)
}

/// Ids and keys that `ipcs` lists. The columns are found by their headings: POSIX puts the id first, util-linux the key.
pub fn listing(kind: Kind) -> Result<Vec<(i32, u32)>, Errno> {
    let output = run("ipcs", &[kind.option()])?;
    if !output.status.success() {
        return Err(EIO);
    }
    let text = String::from_utf8_lossy(&output.stdout).to_ascii_lowercase();
    let mut columns = None;
    let mut listed = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let heading = |names: &[&str]| words.iter().position(|word| names.contains(word));
        if let (Some(id), Some(key)) = (heading(&["id", "shmid", "semid", "msqid"]), heading(&["key"])) {
            columns = Some((id, key));
        } else if let Some((id, key)) = columns
            && let (Some(id), Some(key)) = (words.get(id), words.get(key))
            && let (Ok(id), Some(key)) = (id.parse(), parse_key(key))
        {
            listed.push((id, key));
        }
    }
    Ok(listed)
}

/// Parses a key in hexadecimal, or in decimal, which some implementations print.
fn parse_key(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
