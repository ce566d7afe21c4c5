//! The fixture: an object of each of the three mechanisms, and the tools that see it from outside.

use std::process::{Command, Output};

use conformance::prelude::*;
use conformance::sys::sysv::msg::{MessageQueue, find_queue};
use conformance::sys::sysv::sem::{SemaphoreSet, find_set};
use conformance::sys::sysv::shm::{Segment, shmget};

/// One of the three mechanisms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A shared memory segment.
    Segment,
    /// A set of semaphores.
    Semaphores,
    /// A message queue.
    Queue,
}

/// An object, removed when it is dropped.
#[derive(Debug)]
pub enum Object {
    /// A shared memory segment.
    Segment(Segment),
    /// A set of semaphores.
    Semaphores(SemaphoreSet),
    /// A message queue.
    Queue(MessageQueue),
}

impl Kind {
    /// Makes an object.
    pub fn create(self, key: i32) -> Result<Object, Errno> {
        Ok(match self {
            Kind::Segment => Object::Segment(Segment::create(key, 100)?),
            Kind::Semaphores => Object::Semaphores(SemaphoreSet::create(key, &[1])?),
            Kind::Queue => Object::Queue(MessageQueue::create(key)?),
        })
    }

    /// The id of the object with that key.
    pub fn find(self, key: i32) -> Result<i32, Errno> {
        match self {
            Kind::Segment => shmget(key, 0, 0),
            Kind::Semaphores => find_set(key, 0, 0),
            Kind::Queue => find_queue(key, 0),
        }
    }

    /// The option that `ipcs` lists it under, and `ipcrm` removes it by id with.
    pub fn option(self) -> &'static str {
        match self {
            Kind::Segment => "-m",
            Kind::Semaphores => "-s",
            Kind::Queue => "-q",
        }
    }

    /// The option that `ipcrm` removes it by key with.
    pub fn key_option(self) -> &'static str {
        match self {
            Kind::Segment => "-M",
            Kind::Semaphores => "-S",
            Kind::Queue => "-Q",
        }
    }
}

impl Object {
    /// Its id.
    pub fn id(&self) -> i32 {
        match self {
            Object::Segment(object) => object.id(),
            Object::Semaphores(object) => object.id(),
            Object::Queue(object) => object.id(),
        }
    }

    /// Whether the system still knows the id.
    pub fn state(&self) -> Result<(), Errno> {
        match self {
            Object::Segment(object) => object.status().map(drop),
            Object::Semaphores(object) => object.value(0).map(drop),
            Object::Queue(object) => object.status().map(drop),
        }
    }
}

/// Runs a program with the messages of the POSIX locale.
pub fn run(program: &str, arguments: &[&str]) -> Result<Output, Errno> {
    Ok(Command::new(program).args(arguments).env("LC_ALL", "C").output()?)
}

/// Ids and keys that `ipcs` lists. The headings say which columns they are in: POSIX puts the id first and util-linux the key.
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

/// A key in hexadecimal, or in decimal as some implementations show it.
fn parse_key(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
