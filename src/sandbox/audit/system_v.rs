//! System V objects: from the tables in `/proc/sysvipc`, or by a walk over the kernel's table where there are none.

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::sandbox::leak::{Leak, LeakKind};
use crate::sys::sysv::objects::{SystemV, SystemVObject, system_v_make, system_v_remove};

/// The three tables, each of one IPC namespace: that in which the file was opened.
#[derive(Debug)]
pub struct Tables {
    tables: [Table; 3],
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Table {
    kind: SystemV,
    file: Option<File>,
    before: HashSet<i32>,
}

impl Tables {
    /// Opens what there is; a missing file is made up for by calls.
    pub fn open() -> Self {
        let tables = SystemV::ALL.map(|kind| {
            let name = match kind {
                SystemV::SharedMemory => "shm",
                SystemV::Semaphores => "sem",
                SystemV::Messages => "msg",
            };
            Table { kind, file: File::open(format!("/proc/sysvipc/{name}")).ok(), before: HashSet::new() }
        });
        Tables { tables, buffer: vec![0; 4096] }
    }

    /// The kinds that this system has and does not list: tried with an object of each, where there is no file.
    pub fn unlisted(&mut self) -> Vec<SystemV> {
        let buffer = &mut self.buffer;
        let mut is_unlisted = |table: &&Table| {
            if table.file.is_some() {
                return false;
            }
            let Ok(id) = system_v_make(table.kind) else { return false };
            let listed = table.objects(buffer).iter().any(|object| object.id == id);
            let _ = system_v_remove(table.kind, id);
            !listed
        };
        self.tables.iter().filter(|table| is_unlisted(table)).map(|table| table.kind).collect()
    }

    /// Takes note of what is there.
    pub fn begin(&mut self) {
        for table in &mut self.tables {
            table.before.clear();
            table.before.extend(table.objects(&mut self.buffer).iter().map(|object| object.id));
        }
    }

    /// Reports and removes what is new.
    pub fn audit(&mut self, leaks: &mut Vec<Leak>) {
        for table in &mut self.tables {
            for object in table.objects(&mut self.buffer) {
                if !table.before.contains(&object.id) {
                    leaks.push(describe(table.kind, object));
                    let _ = system_v_remove(table.kind, object.id);
                }
            }
        }
    }
}

impl Table {
    fn objects(&self, buffer: &mut Vec<u8>) -> Vec<SystemVObject> {
        let Some(file) = &self.file else { return walk(self.kind) };
        let mut length = 0;
        loop {
            match file.read_at(&mut buffer[length..], length as u64) {
                Ok(0) => break,
                Ok(more) => length += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return walk(self.kind),
            }
            if buffer[..length].iter().position(|&byte| byte == b'\n') == length.checked_sub(1) {
                // The headings alone: each read returns as many lines as fit, so there is no object.
                break;
            }
            if length == buffer.len() {
                buffer.resize(2 * length, 0);
            }
        }
        parse(&String::from_utf8_lossy(&buffer[..length]))
    }
}

#[cfg(target_os = "linux")]
fn walk(kind: SystemV) -> Vec<SystemVObject> {
    crate::sys::sysv::objects::system_v_walk(kind).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
fn walk(_: SystemV) -> Vec<SystemVObject> {
    Vec::new()
}

/// The leak that such an object is.
pub fn describe(kind: SystemV, object: SystemVObject) -> Leak {
    let leak = match kind {
        SystemV::SharedMemory => LeakKind::SystemVSharedMemory,
        SystemV::Semaphores => LeakKind::SystemVSemaphores,
        SystemV::Messages => LeakKind::SystemVMessages,
    };
    Leak::new(leak, format!("{}, key {:#x}", object.id, object.key))
}

/// Reads a table of `/proc/sysvipc`: a line of headings, then for each object its key and id first.
fn parse(table: &str) -> Vec<SystemVObject> {
    let object = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let key = fields.next()?.parse().ok()?;
        let id = fields.next()?.parse().ok()?;
        Some(SystemVObject { id, key })
    };
    table.lines().skip(1).filter_map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_by_its_first_two_columns() {
        let table = "       key      semid perms      nsems   uid\n         0      32769   600          1     0\n-559038737          2   600          1     0\n";
        let objects = parse(table);
        assert_eq!(objects, [SystemVObject { id: 32769, key: 0 }, SystemVObject { id: 2, key: -559_038_737 }]);
        assert_eq!(describe(SystemV::Semaphores, objects[1]).to_string(), "System V semaphore set 2, key 0xdeadbeef");
        assert_eq!(parse("       key      semid perms\n"), []);
    }
}
