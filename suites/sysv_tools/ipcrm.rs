//! `ipcrm`: removes one segment, semaphore set or message queue by id or key, with the effects of `IPC_RMID`.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::msg::MessageQueue;
use rstest::rstest;

use common::sysv::{Kind, run};

/// `ipcrm` with the id or key of a segment, semaphore set or message queue exits with status 0. Then `shmctl`, `semctl` or
/// `msgctl` with the id fails with `EINVAL` and `shmget`, `semget` or `msgget` with the key fails with `ENOENT`, while these
/// calls still return no error for another object.
#[rstest]
#[conformance::test(posix = "ipcrm", man = "ipcrm(1)", needs(program("ipcrm")))]
fn removes_the_named_object_only(
    #[values(Kind::SharedMemory, Kind::SemaphoreSet, Kind::MessageQueue)] kind: Kind,
    #[values(By::Id, By::Key)] by: By,
) -> Outcome {
    let (key, other_key) = (unique_key(), unique_key());
    let (object, other) = (kind.create(key)?, kind.create(other_key)?);
    let arguments = match by {
        By::Id => [kind.option().to_owned(), object.id().to_string()],
        By::Key => [kind.key_option().to_owned(), key.to_string()],
    };
    let output = run("ipcrm", &arguments.each_ref().map(String::as_str))?;
    expect_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    expect_eq!((object.state(), kind.find(key)), (Err(EINVAL), Err(ENOENT)));
    expect_eq!((other.state(), kind.find(other_key)), (Ok(()), Ok(other.id())));
    Ok(())
}

/// How `ipcrm` is told which object to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Id,
    Key,
}

/// `ipcrm` with the id of an object that was removed exits with a status above 0 and writes a message to standard error.
#[rstest]
#[conformance::test(posix = "ipcrm", man = "ipcrm(1)", needs(program("ipcrm")))]
fn nonexistent_id_fails(#[values(Kind::SharedMemory, Kind::SemaphoreSet, Kind::MessageQueue)] kind: Kind) -> Outcome {
    let object = kind.create(unique_key())?;
    let id = object.id().to_string();
    drop(object);
    let output = run("ipcrm", &[kind.option(), &id])?;
    expect_matches!(output.status.code(), Some(1..));
    expect!(!output.stderr.is_empty(), "nothing on standard error");
    Ok(())
}

/// If `ipcrm` removes a message queue on which a process is blocked in `msgrcv`, that `msgrcv` fails with `EIDRM`.
#[conformance::test(posix = "ipcrm", posix = "msgrcv", needs(program("ipcrm")))]
fn wakes_a_blocked_receiver() -> Outcome {
    let queue = MessageQueue::create(unique_key())?;
    let receiver = Participant::spawn("receiver", (), |(), _| queue.receive(0, 0, 0))?;
    receiver.until_blocked()?;
    expect_eq!(run("ipcrm", &["-q", &queue.id().to_string()])?.status.code(), Some(0));
    expect_eq!(receiver.join()?, Err(EIDRM));
    Ok(())
}
