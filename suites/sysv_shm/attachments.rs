//! Attachments (`shmat`, `shmdt`): how `shm_nattch` counts them, also when a process ends.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::shm::Segment;
use rstest::rstest;

/// Each of two `shmat` calls of one process for one segment increases `shm_nattch`, as reported by `shmctl` with `IPC_STAT`, by
/// 1, and each `shmdt` decreases it by 1. A byte stored through one of the two attachments is read through the other.
#[conformance::test(posix = "shmat", posix = "shmdt", man = "shmop(2)")]
fn shm_nattch_counts_every_attachment() -> Outcome {
    let segment = Segment::create(unique_key(), 100)?;
    let attached = || segment.status().map(|status| status.attached);
    expect_eq!(attached(), Ok(0));
    let first = segment.attach(0)?;
    let second = segment.attach(0)?;
    expect_eq!(attached(), Ok(2));
    first.bytes()[99].store(7, SeqCst);
    expect_eq!(second.bytes()[99].load(SeqCst), 7);
    expect_eq!((first.detach(), attached()), (Ok(()), Ok(1)));
    expect_eq!(second.bytes()[99].load(SeqCst), 7);
    expect_eq!((second.detach(), attached()), (Ok(()), Ok(0)));
    Ok(())
}

/// How a process with attachments ends.
#[derive(Clone, Copy, Debug)]
enum Termination {
    Exit,
    Killed,
}

/// When a child with one inherited attachment of a segment and one from its own `shmat` exits or is killed, `shm_nattch`, as
/// reported by `shmctl` with `IPC_STAT`, decreases from 3 to 1. The parent then reads in its own attachment the bytes that the
/// child stored through each of its two.
#[rstest]
#[conformance::test(posix = "_exit", man = "shmop(2)")]
fn end_of_a_process_detaches_its_segments(#[values(Termination::Exit, Termination::Killed)] termination: Termination) -> Outcome {
    let segment = Segment::create(unique_key(), page_size())?;
    let ours = segment.attach(0)?;
    let attached_process = Participant::spawn("attached process", (), |(), link| {
        let own = segment.attach(0)?;
        ours.bytes()[0].store(1, SeqCst);
        own.bytes()[1].store(2, SeqCst);
        link.meet("attached");
        // Keeps the attachment until the process ends, as the values of this closure are dropped before.
        std::mem::forget(own);
        Ok::<_, Errno>(())
    })?;
    attached_process.until_reached("attached")?;
    expect_eq!(segment.status().map(|status| status.attached), Ok(3));
    match termination {
        Termination::Killed => attached_process.kill()?,
        Termination::Exit => {
            attached_process.open("attached")?;
            expect_eq!(attached_process.join()?, Ok(()));
        }
    }
    let attached = || segment.status().map(|status| status.attached);
    expect_eq!(comes_to(&Ok(1), attached), Ok(1));
    expect_eq!([0, 1, 2].map(|index| ours.bytes()[index].load(SeqCst)), [1, 2, 0]);
    Ok(())
}
