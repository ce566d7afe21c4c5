//! One object of each kind, made and forgotten.

use std::os::unix::net::UnixListener;
use std::path::Path;

use conformance::sandbox::journal::{Object, announce};
use nix::fcntl::OFlag;
use nix::mqueue::{MQ_OFlag, MqAttr, mq_open};
use nix::sys::mman::shm_open;
use nix::sys::stat::Mode;

/// Makes one of each kind that this system has.
pub fn make_all(directory: &Path) {
    let mode = Mode::from_bits_truncate(0o600);
    std::fs::write(directory.join("file"), "text").unwrap();
    std::fs::create_dir(directory.join("below")).unwrap();
    std::fs::write(directory.join("below/file"), "text").unwrap();
    nix::unistd::mkfifo(&directory.join("fifo"), mode).unwrap();
    drop(UnixListener::bind(directory.join("socket")).unwrap());
    shm_open("/forgotten", OFlag::O_CREAT | OFlag::O_RDWR, mode).unwrap();
    // What sem_open(3) makes.
    std::fs::write("/dev/shm/sem.forgotten", [0; 32]).unwrap();
    // Without attributes nix passes no arguments for the mode and them, and the kernel reads what happens to be there.
    let attributes = MqAttr::new(0, 4, 16, 0);
    mq_open("/forgotten", MQ_OFlag::O_CREAT | MQ_OFlag::O_RDWR, mode, Some(&attributes)).unwrap();
    let [_, semaphores, _] = make_system_v();
    // Needed only where the kernel does not list them.
    for object in [Object::Key(0x7e57), Object::SemaphoresId(semaphores)] {
        announce(&object).unwrap();
    }
}

/// The three System V kinds.
pub fn make_system_v() -> [i32; 3] {
    let flags = libc::IPC_CREAT | 0o600;
    // SAFETY: the three calls take integers only.
    let ids =
        unsafe { [libc::shmget(0x7e57, 4096, flags), libc::semget(libc::IPC_PRIVATE, 2, flags), libc::msgget(0x7e57, flags)] };
    assert!(ids.iter().all(|&id| id >= 0), "{ids:?}");
    ids
}

/// What the audit of [`make_all`] must say, apart from System V ids.
pub const NAMED: [&str; 7] = [
    "directory below in the case's directory",
    "file file in the case's directory",
    "FIFO fifo in the case's directory",
    "socket socket in the case's directory",
    "shared memory object /forgotten",
    "named semaphore /forgotten",
    "message queue /forgotten",
];
