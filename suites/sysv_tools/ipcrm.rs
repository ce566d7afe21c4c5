//! `ipcrm` removes one object, by id or key, as the call would: at once, and with the same effect on those who use it.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv_msg::MessageQueue;
use rstest::rstest;

use common::sysv::{Kind, run};

/// An object removed by its id or its key is gone for its user, and another of the same mechanism is not.
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

/// How an object is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Id,
    Key,
}

/// Asked to remove what does not exist, the tool says so on standard error and with its exit status.
#[rstest]
#[conformance::test(posix = "ipcrm", man = "ipcrm(1)", needs(program("ipcrm")))]
fn reports_an_id_that_is_gone(#[values(Kind::SharedMemory, Kind::SemaphoreSet, Kind::MessageQueue)] kind: Kind) -> Outcome {
    let object = kind.create(unique_key())?;
    let id = object.id().to_string();
    drop(object);
    let output = run("ipcrm", &[kind.option(), &id])?;
    expect_matches!(output.status.code(), Some(1..));
    expect!(!output.stderr.is_empty(), "somebody has to be told");
    Ok(())
}

/// A receiver that waits on a queue removed from the command line wakes up with `EIDRM`.
#[conformance::test(posix = "ipcrm", posix = "msgrcv", needs(program("ipcrm")))]
fn wakes_those_who_wait_on_the_object() -> Outcome {
    let queue = MessageQueue::create(unique_key())?;
    let receiver = Participant::spawn("receiver", (), |(), _| queue.receive(0, 0, 0))?;
    receiver.until_blocked()?;
    expect_eq!(run("ipcrm", &["-q", &queue.id().to_string()])?.status.code(), Some(0));
    expect_eq!(receiver.join()?, Err(EIDRM));
    Ok(())
}
