//! `semctl` with `IPC_RMID`: blocked processes return, and id and key become invalid.

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::sem::{Operation, SemaphoreSet, find_set};

/// `semctl` with `IPC_RMID` of a set with the values 1 and 2 makes each of three blocked `semop` calls fail with `EIDRM`: one
/// that decrements the first semaphore by 2, one that waits for the second to become zero, and one that decrements the first by 1
/// and the second by 3.
#[conformance::test(posix = "semop", posix = "semctl", man = "semop(2)")]
fn ipc_rmid_wakes_all_waiters() -> Outcome {
    let set = SemaphoreSet::create(unique_key(), &[1, 2])?;
    let for_larger = Participant::spawn("waiter for a larger value", (), |(), _| set.operate(&[Operation::new(0, -2)]))?;
    let for_zero = Participant::spawn("waiter for zero", (), |(), _| set.operate(&[Operation::new(1, 0)]))?;
    let for_both =
        Participant::spawn("waiter for two semaphores", (), |(), _| set.operate(&[Operation::new(0, -1), Operation::new(1, -3)]))?;
    for waiter in [&for_larger, &for_zero, &for_both] {
        waiter.until_blocked()?;
    }
    expect_eq!((set.waiters(0), set.waiters(1), set.values()), (Ok((1, 0)), Ok((1, 1)), Ok(vec![1, 2])));
    expect_eq!(set.remove(), Ok(()));
    expect_eq!([for_larger.join()?, for_zero.join()?, for_both.join()?], [Err(EIDRM); 3]);
    Ok(())
}

/// After `semctl` with `IPC_RMID`, `semop`, and `semctl` with `GETVAL`, `SETVAL` or `IPC_RMID`, on the id fail with `EINVAL`, and
/// `semget` with the key and without `IPC_CREAT` fails with `ENOENT`. `semctl` with `GETALL` of a set created again with the key,
/// and set to 7, reports 7.
#[conformance::test(posix = "semctl", posix = "semop", man = "semctl(2)")]
fn ipc_rmid_invalidates_id_and_key() -> Outcome {
    let key = unique_key();
    let set = SemaphoreSet::create(key, &[5])?;
    expect_eq!((find_set(key, 0, 0), set.remove()), (Ok(set.id()), Ok(())));
    expect_eq!((find_set(key, 0, 0), set.value(0), set.set(0, 1)), (Err(ENOENT), Err(EINVAL), Err(EINVAL)));
    expect_eq!((set.operate(&[Operation::new(0, 1)]), set.remove()), (Err(EINVAL), Err(EINVAL)));
    expect_eq!(SemaphoreSet::create(key, &[7])?.values(), Ok(vec![7]));
    Ok(())
}

/// After `semctl` with `IPC_RMID` and `semget` of a new set with the same key, `semop`, and `semctl` with `GETVAL`, `SETVAL` or
/// `IPC_RMID`, on the id of the removed set fail with `EINVAL`. `semctl` with `GETALL` of the new set reports the value as it
/// was.
#[conformance::test(posix = "semctl", man = "semctl(2)", level = customary)]
fn new_set_with_the_key_gets_another_id() -> Outcome {
    let key = unique_key();
    let set = SemaphoreSet::create(key, &[5])?;
    expect_eq!(set.remove(), Ok(()));
    let successor = SemaphoreSet::create(key, &[7])?;
    expect_eq!([set.value(0).map(drop), set.set(0, 1), set.operate(&[Operation::new(0, 1)]), set.remove()], [Err(EINVAL); 4]);
    expect_eq!(successor.values(), Ok(vec![7]));
    Ok(())
}
