//! `shmctl` with `IPC_RMID`: the key is free immediately, and attached processes keep the memory until the last one detaches.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::shm::{Segment, shmget};

/// After `shmctl` with `IPC_RMID` on an attached segment, a byte that one attached process stores in the memory is read by
/// another attached process.
#[conformance::test(man = "shmctl(2)")]
fn attached_processes_keep_sharing_the_memory() -> Outcome {
    let segment = Segment::create(unique_key(), page_size())?;
    let ours = segment.attach(0)?;
    ours.bytes()[0].store(1, SeqCst);
    let attached_process = Participant::spawn("attached process", (), |(), link| {
        link.meet("attached");
        let seen = [0, 1].map(|index| ours.bytes()[index].load(SeqCst));
        ours.bytes()[2].store(3, SeqCst);
        seen
    })?;
    attached_process.until_reached("attached")?;
    expect_eq!(segment.remove(), Ok(()));
    ours.bytes()[1].store(2, SeqCst);
    attached_process.open("attached")?;
    expect_eq!(attached_process.join()?, [1, 2]);
    expect_eq!(ours.bytes()[2].load(SeqCst), 3);
    Ok(())
}

/// After `shmctl` with `IPC_RMID` on an attached segment, `shmget` with its key and without `IPC_CREAT` fails with `ENOENT`. A
/// segment created again with the key starts with null bytes, and a byte stored in it leaves the memory of the removed segment as
/// it was.
#[conformance::test(posix = "shmctl", posix = "shmget", man = "shmctl(2)")]
fn ipc_rmid_frees_the_key() -> Outcome {
    let key = unique_key();
    let segment = Segment::create(key, page_size())?;
    let old = segment.attach(0)?;
    old.bytes()[0].store(1, SeqCst);
    expect_eq!((shmget(key, 0, 0), segment.remove()), (Ok(segment.id()), Ok(())));
    expect_eq!(shmget(key, 0, 0), Err(ENOENT));

    let successor = Segment::create(key, page_size())?;
    let new = successor.attach(0)?;
    expect_eq!(new.bytes()[0].load(SeqCst), 0);
    new.bytes()[0].store(2, SeqCst);
    expect_eq!((old.bytes()[0].load(SeqCst), shmget(key, 0, 0)), (1, Ok(successor.id())));
    Ok(())
}

/// If `shmctl` with `IPC_RMID` has removed a segment that is still attached, `shmget` with `IPC_CREAT | IPC_EXCL` and the key of
/// that segment returns an id other than the id of that segment.
#[conformance::test(posix = "shmget", man = "shmctl(2)", level = customary)]
fn new_segment_gets_another_id_while_the_removed_one_is_attached() -> Outcome {
    let key = unique_key();
    let segment = Segment::create(key, page_size())?;
    let _attached = segment.attach(0)?;
    expect_eq!(segment.remove(), Ok(()));
    let successor = Segment::create(key, page_size())?;
    expect!(successor.id() != segment.id(), "both segments have the id {}", segment.id());
    Ok(())
}

/// After `shmctl` with `IPC_RMID` on a segment that no process has attached, `shmat`, and `shmctl` with `IPC_STAT` or `IPC_RMID`,
/// on its id fail with `EINVAL`.
#[conformance::test(posix = "shmctl", posix = "shmat", man = "shmctl(2)")]
fn ipc_rmid_invalidates_an_unattached_id() -> Outcome {
    let segment = Segment::create(unique_key(), page_size())?;
    segment.attach(0)?.detach()?;
    expect_eq!(segment.remove(), Ok(()));
    expect_eq!((segment.status(), segment.attach(0).map(drop), segment.remove()), (Err(EINVAL), Err(EINVAL), Err(EINVAL)));
    Ok(())
}

/// After `shmctl` with `IPC_RMID` on an attached segment, `shmctl` with `IPC_STAT` reports `SHM_DEST` in `shm_perm.mode`, and
/// `shmat` with the id attaches the same memory. After one of the last two attached processes has called `shmdt` and the other
/// was killed, `shmctl` with `IPC_STAT`, and `shmat`, fail with `EINVAL`.
#[cfg(has_doomed_segments)]
#[conformance::test(man = "shmctl(2)")]
fn last_detach_destroys_a_removed_segment() -> Outcome {
    use conformance::sys::sysv::shm::SHM_DEST;

    let segment = Segment::create(unique_key(), page_size())?;
    let ours = segment.attach(0)?;
    ours.bytes()[0].store(1, SeqCst);
    let attached_process = Participant::spawn("attached process", (), |(), link| -> () { link.park() })?;
    let seen = || segment.status().map(|status| (status.attached, status.mode & SHM_DEST != 0));
    expect_eq!((seen(), segment.remove(), seen()), (Ok((2, false)), Ok(()), Ok((2, true))));

    let late = segment.attach(0);
    expect_eq!(late.as_ref().map(|late| late.bytes()[0].load(SeqCst)), Ok(1));
    expect_eq!(seen(), Ok((3, true)));
    drop(late);
    expect_eq!((ours.detach(), seen()), (Ok(()), Ok((1, true))));
    attached_process.kill()?;
    expect_eq!(comes_to(&Err(EINVAL), seen), Err(EINVAL));
    expect_eq!(segment.attach(0).map(drop), Err(EINVAL));
    Ok(())
}
