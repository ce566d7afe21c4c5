//! Objects that outlive their makers: how a journal names them, and how they are removed.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use super::audit::{directory, system_v};
use super::leak::{Leak, LeakKind};
use crate::sys::Errno;
use crate::sys::memory::shm::shm_unlink;
use crate::sys::mqueue::mq_unlink;
use crate::sys::semaphore::sem_unlink;
use crate::sys::sysv::objects::{SystemV, SystemVObject, system_v_find, system_v_remove};

/// Something that can outlive the process that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// A POSIX shared memory object, named semaphore or message queue of that name; announced before it is made.
    Name(String),
    /// A System V object of whatever kind with that key; announced before it is made.
    Key(i32),
    /// A System V shared memory segment; announced after it is made.
    SharedMemoryId(i32),
    /// A System V semaphore set; announced after it is made.
    SemaphoresId(i32),
    /// A System V message queue; announced after it is made.
    MessagesId(i32),
    /// A directory and all that is in it; announced before it is made.
    Directory(PathBuf),
}

/// One line of a journal.
pub(super) fn line(value: &impl Serialize) -> Result<Vec<u8>, Errno> {
    let mut line = serde_json::to_vec(value).map_err(|_| crate::sys::errno::EINVAL)?;
    line.push(b'\n');
    Ok(line)
}

/// The objects in a journal's lines. A last line that a kill cut short names nothing that was made.
pub(super) fn objects(lines: &str) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for object in lines.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        if !objects.contains(&object) {
            objects.push(object);
        }
    }
    // Keys before ids: an object announced as both is removed, and reported, by its key.
    objects.sort_by_key(|object| matches!(object, Object::SharedMemoryId(_) | Object::SemaphoresId(_) | Object::MessagesId(_)));
    objects
}

/// Removes one object if it exists. Ids start again with each boot, so those of another boot are others' objects.
pub(super) fn remove(object: &Object, same_boot: bool, leaks: &mut Vec<Leak>) {
    let mut system_v = |kind, id, key| {
        if system_v_remove(kind, id).is_ok() {
            leaks.push(system_v::describe(kind, SystemVObject { id, key }));
        }
    };
    match object {
        Object::Key(key) => {
            for kind in SystemV::ALL {
                if let Ok(id) = system_v_find(kind, *key) {
                    system_v(kind, id, *key);
                }
            }
        }
        Object::SharedMemoryId(id) if same_boot => system_v(SystemV::SharedMemory, *id, 0),
        Object::SemaphoresId(id) if same_boot => system_v(SystemV::Semaphores, *id, 0),
        Object::MessagesId(id) if same_boot => system_v(SystemV::Messages, *id, 0),
        Object::SharedMemoryId(_) | Object::SemaphoresId(_) | Object::MessagesId(_) => {}
        Object::Name(name) => {
            let unlinked = [
                (LeakKind::SharedMemory, shm_unlink(name)),
                (LeakKind::NamedSemaphore, sem_unlink(name)),
                (LeakKind::MessageQueue, mq_unlink(name)),
            ];
            leaks.extend(unlinked.into_iter().filter(|(_, done)| done.is_ok()).map(|(kind, _)| Leak::new(kind, name)));
        }
        Object::Directory(path) => {
            let ours = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == geteuid().as_raw());
            if ours {
                leaks.push(Leak::new(LeakKind::Directory, path.display().to_string()));
                directory::remove_tree(path, "it", &mut Vec::new());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_and_a_torn_one_is_ignored() {
        let all =
            [Object::Name("/a\nb".to_owned()), Object::Key(-3), Object::Directory("/tmp/x y".into()), Object::SemaphoresId(7)];
        let mut text: String = all.iter().map(|object| String::from_utf8(line(object).unwrap()).unwrap()).collect();
        text.push_str("{\"name\":\"/to");
        assert_eq!(objects(&text), all);
    }

    #[test]
    fn keys_come_before_ids_and_nothing_comes_twice() {
        let text = "{\"semaphores_id\":7}\n{\"key\":5}\n{\"key\":5}\n";
        assert_eq!(objects(text), [Object::Key(5), Object::SemaphoresId(7)]);
    }
}
