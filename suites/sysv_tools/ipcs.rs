//! `ipcs`: lists the existing segments, semaphore sets and message queues with id and key.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use rstest::rstest;

use common::sysv::{Kind, listing};

/// While a segment, semaphore set or message queue exists, `ipcs` lists exactly one object of that kind with its key, and in the
/// same line its id. Before `shmget`, `semget` or `msgget`, and after removal by `IPC_RMID`, `ipcs` lists no object of that kind
/// with the key.
#[rstest]
#[conformance::test(posix = "ipcs", man = "ipcs(1)", needs(program("ipcs")))]
fn lists_an_object_while_it_exists(#[values(Kind::SharedMemory, Kind::SemaphoreSet, Kind::MessageQueue)] kind: Kind) -> Outcome {
    let key = unique_key();
    let with = |wanted: u32| listing(kind).map(|listed| listed.into_iter().filter(|&(_, key)| key == wanted).collect::<Vec<_>>());
    let shown = key.cast_unsigned();
    expect_eq!(with(shown), Ok(vec![]));
    let object = kind.create(key)?;
    expect_eq!(with(shown), Ok(vec![(object.id(), shown)]));
    drop(object);
    expect_eq!(with(shown), Ok(vec![]));
    Ok(())
}
