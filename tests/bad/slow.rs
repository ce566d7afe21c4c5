//! Cases for a run that is killed or interrupted: they hold everything that can be left, and take their time.

use std::ffi::CString;

use conformance::prelude::*;
use conformance::sandbox::names::{unique_key, unique_name};
use conformance::sys::sysv::shm::shmget;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

/// Holds one object of each kind and three processes, and waits for ever.
fn hold(forked: bool) -> Outcome {
    let name = CString::new(unique_name("slow")).expect("a name has no NUL");
    mkfifo(Path::new("held"), 0o600)?;
    nix::sys::mman::shm_open(name.as_c_str(), OFlag::O_CREAT | OFlag::O_RDWR, Mode::S_IRUSR)?;
    shmget(unique_key(), 1, libc::IPC_CREAT | 0o600)?;
    #[cfg(linux)]
    {
        // SAFETY: integers only.
        Errno::result(unsafe { libc::msgget(unique_key(), libc::IPC_CREAT | 0o600) })?;
        // SAFETY: integers only.
        Errno::result(unsafe { libc::semget(unique_key(), 1, libc::IPC_CREAT | 0o600) })?;
        let _ = nix::mqueue::mq_open(
            name.as_c_str(),
            nix::mqueue::MQ_OFlag::O_CREAT,
            Mode::S_IRUSR,
            Some(&nix::mqueue::MqAttr::new(0, 1, 8, 0)),
        );
    }
    let outer = Participant::spawn("outer", (), |(), link| -> () {
        let _inner = Participant::spawn("inner", (), |(), link| -> () { link.park() });
        link.park()
    })?;
    let _afresh = Participant::exec("afresh", (), &(), |(), (), link| -> () { link.park() })?;
    if forked {
        // SAFETY: this process has one thread.
        if let nix::unistd::ForkResult::Child = unsafe { nix::unistd::fork()? } {
            let _ = nix::unistd::setsid();
            loop {
                nix::unistd::pause();
            }
        }
    }
    outer.join()?;
    Ok(())
}

/// Holds objects and participants.
#[conformance::test(man = "pipe(7)")]
fn holds_participants() -> Outcome {
    hold(false)
}

/// Holds objects, participants, and a child that it has forked itself.
#[conformance::test(man = "pipe(7)")]
fn holds_a_child_of_another_session() -> Outcome {
    hold(true)
}
