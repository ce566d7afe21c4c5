//! Cases that leave something behind.

use std::ffi::CString;
use std::time::Duration;

use conformance::prelude::*;
use conformance::process::Pause;
#[cfg(linux)]
use conformance::sandbox::journal::{Object, announce};
use conformance::sandbox::names::{unique_key, unique_name};
use conformance::sys::process::wait::has_ended;
use conformance::sys::sysv::shm::shmget;
use nix::fcntl::OFlag;
#[cfg(linux)]
use nix::mqueue::MqAttr;
use nix::sys::signal::kill;
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{ForkResult, Pid, fork, setsid};

/// Forks without the harness; the child does `body` and then nothing for a long time.
fn child(body: impl FnOnce()) -> Result<Pid, Errno> {
    // SAFETY: this process has one thread.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            body();
            std::thread::sleep(Duration::from_mins(10));
            std::process::abort()
        }
    }
}

/// Forgets a child that lives on.
#[conformance::test(man = "fork(2)")]
fn a_child() -> Outcome {
    child(|| {})?;
    Ok(())
}

/// Forgets a child that has ended: nothing lives on, so nothing is wrong.
#[conformance::test(man = "fork(2)")]
fn a_zombie() -> Outcome {
    // SAFETY: `_exit` has no preconditions.
    let ended = child(|| unsafe { libc::_exit(0) })?;
    let mut pause = Pause::default();
    while !has_ended(ended)? {
        pause.sleep();
    }
    // It is a zombie now, and stays one.
    Ok(())
}

/// Forgets a child that is stopped.
#[conformance::test(man = "fork(2)")]
fn a_stopped_child() -> Outcome {
    let stopped = child(|| {})?;
    kill(stopped, Signal::SIGSTOP)?;
    waitpid(stopped, Some(WaitPidFlag::WUNTRACED))?;
    Ok(())
}

/// Forgets a child that has left the session and with it the process group, and ignores what can be ignored.
#[conformance::test(man = "setsid(2)")]
fn a_child_of_another_session() -> Outcome {
    let (reader, writer) = pipe()?;
    child(|| {
        let left = setsid().is_ok() && signal::ignore(Signal::SIGTERM).is_ok() && signal::ignore(Signal::SIGHUP).is_ok();
        let _ = write(&writer, &[u8::from(left)]);
    })?;
    expect_eq!(read_exactly(&reader, 1), Ok(vec![1]));
    Ok(())
}

/// Makes a daemon: a grandchild in a session of its own, whose parent has ended.
#[conformance::test(man = "setsid(2)")]
fn a_daemon() -> Outcome {
    let (reader, writer) = pipe()?;
    let parent = child(|| {
        let done = setsid().is_ok() && child(|| {}).is_ok();
        let _ = write(&writer, &[u8::from(done)]);
        // SAFETY: `_exit` has no preconditions.
        unsafe { libc::_exit(0) }
    })?;
    expect_eq!(read_exactly(&reader, 1), Ok(vec![1]));
    waitpid(parent, None)?;
    Ok(())
}

/// Leaves a FIFO in its directory.
#[conformance::test(man = "fifo(7)")]
fn a_fifo() -> Outcome {
    mkfifo(Path::new("forgotten"), 0o600)?;
    Ok(())
}

/// Leaves a shared memory object.
#[conformance::test(man = "shm_overview(7)")]
fn shared_memory() -> Outcome {
    let name = CString::new(unique_name("left")).expect("a name has no NUL");
    nix::sys::mman::shm_open(name.as_c_str(), OFlag::O_CREAT | OFlag::O_RDWR, Mode::S_IRUSR)?;
    Ok(())
}

/// Leaves a named semaphore.
#[conformance::test(man = "sem_overview(7)")]
fn a_named_semaphore() -> Outcome {
    let name = CString::new(unique_name("left")).expect("a name has no NUL");
    // SAFETY: the name is a C string borrowed for the call; mode and value are the two further arguments that O_CREAT asks for.
    let semaphore = unsafe { libc::sem_open(name.as_ptr(), libc::O_CREAT, 0o600 as libc::c_uint, 0 as libc::c_uint) };
    expect!(semaphore != libc::SEM_FAILED);
    Ok(())
}

/// Leaves a System V shared memory segment.
#[conformance::test(man = "shmget(2)")]
fn a_system_v_segment() -> Outcome {
    shmget(unique_key(), 1, libc::IPC_CREAT | 0o600)?;
    Ok(())
}

/// Leaves a System V semaphore set that no key leads to.
#[cfg(linux)]
#[conformance::test(man = "semget(2)")]
fn a_system_v_semaphore_set() -> Outcome {
    // SAFETY: integers only.
    let id = Errno::result(unsafe { libc::semget(libc::IPC_PRIVATE, 1, 0o600) })?;
    announce(&Object::SemaphoresId(id))?;
    Ok(())
}

/// Leaves a System V message queue.
#[cfg(linux)]
#[conformance::test(man = "msgget(2)")]
fn a_system_v_queue() -> Outcome {
    // SAFETY: integers only.
    Errno::result(unsafe { libc::msgget(unique_key(), libc::IPC_CREAT | 0o600) })?;
    Ok(())
}

/// Leaves a POSIX message queue.
#[cfg(linux)]
#[conformance::test(man = "mq_overview(7)")]
fn a_message_queue() -> Outcome {
    let name = CString::new(unique_name("left")).expect("a name has no NUL");
    match nix::mqueue::mq_open(name.as_c_str(), nix::mqueue::MQ_OFlag::O_CREAT, Mode::S_IRUSR, Some(&MqAttr::new(0, 1, 8, 0))) {
        Err(nix::errno::Errno::ENOSYS) => unsupported!("mq_open", ENOSYS),
        other => other?,
    };
    Ok(())
}

/// Leaves a child, a FIFO and a shared memory object, and fails as well.
#[conformance::test(man = "fork(2)")]
fn several_things_after_a_failure() -> Outcome {
    a_child()?;
    a_fifo()?;
    shared_memory()?;
    expect_eq!(1, 2);
    Ok(())
}
