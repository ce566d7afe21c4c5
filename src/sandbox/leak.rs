//! Leaks: what a case left behind.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What sort of thing was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LeakKind {
    /// A process that still ran.
    Process,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A FIFO.
    Fifo,
    /// A socket's name in the file system.
    Socket,
    /// Another entry of a directory: a link, a device.
    OtherFile,
    /// A POSIX shared memory object.
    SharedMemory,
    /// A POSIX named semaphore.
    NamedSemaphore,
    /// A POSIX message queue.
    MessageQueue,
    /// A System V shared memory segment.
    SystemVSharedMemory,
    /// A System V semaphore set.
    SystemVSemaphores,
    /// A System V message queue.
    SystemVMessages,
}

/// One thing that a case left behind, and that has been removed since.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Leak {
    /// What sort of thing.
    pub kind: LeakKind,
    /// Which one, as its mechanism names it.
    pub name: String,
}

impl Leak {
    /// A leak of that sort and name.
    pub fn new(kind: LeakKind, name: impl Into<String>) -> Self {
        Leak { kind, name: name.into() }
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = match self.kind {
            LeakKind::Process => "process",
            LeakKind::File => "file",
            LeakKind::Directory => "directory",
            LeakKind::Fifo => "FIFO",
            LeakKind::Socket => "socket",
            LeakKind::OtherFile => "directory entry",
            LeakKind::SharedMemory => "shared memory object",
            LeakKind::NamedSemaphore => "named semaphore",
            LeakKind::MessageQueue => "message queue",
            LeakKind::SystemVSharedMemory => "System V shared memory segment",
            LeakKind::SystemVSemaphores => "System V semaphore set",
            LeakKind::SystemVMessages => "System V message queue",
        };
        write!(f, "{noun} {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_reads_as_a_phrase() {
        assert_eq!(Leak::new(LeakKind::SystemVSemaphores, "5, key 0x0").to_string(), "System V semaphore set 5, key 0x0");
        assert_eq!(Leak::new(LeakKind::Fifo, "f in the case's directory").to_string(), "FIFO f in the case's directory");
    }
}
