//! `ipcs` lists what exists: each object once, by its id and key, and nothing that is gone.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use rstest::rstest;

use common::sysv::{Kind, listing};

/// An object is listed once, with its key, under its own mechanism from when it is made until it is removed.
#[rstest]
#[conformance::test(posix = "ipcs", man = "ipcs(1)", needs(program("ipcs")))]
fn lists_an_object_as_long_as_it_exists(
    #[values(Kind::SharedMemory, Kind::SemaphoreSet, Kind::MessageQueue)] kind: Kind,
) -> Outcome {
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
