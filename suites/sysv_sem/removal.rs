//! `IPC_RMID` while others wait: nobody is left asleep on a set that is gone.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::sem::{Operation, SemaphoreSet, find_set};

/// Removing a set wakes whoever waits on any of its semaphores, for a greater value or for zero, and each call fails with `EIDRM`.
#[conformance::test(posix = "semop", posix = "semctl", man = "semop(2)")]
fn wakes_every_waiter() -> Outcome {
    let set = SemaphoreSet::create(unique_key(), &[1, 2])?;
    let for_more = Participant::spawn("waits for more", (), |(), _| set.operate(&[Operation::new(0, -2)]))?;
    let for_zero = Participant::spawn("waits for zero", (), |(), _| set.operate(&[Operation::new(1, 0)]))?;
    let for_both = Participant::spawn("waits half way", (), |(), _| set.operate(&[Operation::new(0, -1), Operation::new(1, -3)]))?;
    for waiter in [&for_more, &for_zero, &for_both] {
        waiter.until_blocked()?;
    }
    expect_eq!((set.waiters(0), set.waiters(1), set.values()), (Ok((1, 0)), Ok((1, 1)), Ok(vec![1, 2])));
    expect_eq!(set.remove(), Ok(()));
    expect_eq!([for_more.join()?, for_zero.join()?, for_both.join()?], [Err(EIDRM); 3]);
    Ok(())
}

/// The id of a removed set is invalid for every call, and its key names nothing until a new set is made with it.
#[conformance::test(posix = "semctl", posix = "semop", man = "semctl(2)")]
fn ends_id_and_key() -> Outcome {
    let key = unique_key();
    let set = SemaphoreSet::create(key, &[5])?;
    expect_eq!((find_set(key, 0, 0), set.remove()), (Ok(set.id()), Ok(())));
    expect_eq!((find_set(key, 0, 0), set.value(0), set.set(0, 1)), (Err(ENOENT), Err(EINVAL), Err(EINVAL)));
    expect_eq!((set.operate(&[Operation::new(0, 1)]), set.remove()), (Err(EINVAL), Err(EINVAL)));
    let successor = SemaphoreSet::create(key, &[7])?;
    expect_eq!((set.value(0), successor.value(0)), (Err(EINVAL), Ok(7)), "the old id does not reach the new set");
    Ok(())
}
