//! `IPC_RMID` with attachments: the key is free at once, the memory lives on for those who have it, and goes with the last of them.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::shm::{Segment, shmget};

/// Processes attached to a removed segment go on sharing its memory.
#[conformance::test(man = "shmctl(2)")]
fn leaves_the_memory_to_those_attached() -> Outcome {
    let segment = Segment::create(unique_key(), page_size())?;
    let ours = segment.attach(0)?;
    ours.bytes()[0].store(1, SeqCst);
    let holder = Participant::spawn("holder", (), |(), link| {
        link.meet("attached");
        let seen = [0, 1].map(|index| ours.bytes()[index].load(SeqCst));
        ours.bytes()[2].store(3, SeqCst);
        seen
    })?;
    holder.until_reached("attached")?;
    expect_eq!(segment.remove(), Ok(()));
    ours.bytes()[1].store(2, SeqCst);
    holder.open("attached")?;
    expect_eq!(holder.join()?, [1, 2]);
    expect_eq!(ours.bytes()[2].load(SeqCst), 3);
    Ok(())
}

/// The key of a removed segment names nothing any more, attached or not, and then whatever is made with it: another segment.
#[conformance::test(posix = "shmctl", posix = "shmget", man = "shmctl(2)")]
fn frees_the_key_at_once() -> Outcome {
    let key = unique_key();
    let segment = Segment::create(key, page_size())?;
    let old = segment.attach(0)?;
    old.bytes()[0].store(1, SeqCst);
    expect_eq!((shmget(key, 0, 0), segment.remove()), (Ok(segment.id()), Ok(())));
    expect_eq!(shmget(key, 0, 0), Err(ENOENT));

    let successor = Segment::create(key, page_size())?;
    expect!(successor.id() != segment.id(), "the removed one is still attached");
    let new = successor.attach(0)?;
    expect_eq!(new.bytes()[0].load(SeqCst), 0);
    new.bytes()[0].store(2, SeqCst);
    expect_eq!((old.bytes()[0].load(SeqCst), shmget(key, 0, 0)), (1, Ok(successor.id())));
    Ok(())
}

/// The id of a removed segment that nobody has attached is invalid for every call.
#[conformance::test(posix = "shmctl", posix = "shmat", man = "shmctl(2)")]
fn of_an_unattached_segment_ends_its_id() -> Outcome {
    let segment = Segment::create(unique_key(), page_size())?;
    segment.attach(0)?.detach()?;
    expect_eq!(segment.remove(), Ok(()));
    expect_eq!((segment.status(), segment.attach(0).map(drop), segment.remove()), (Err(EINVAL), Err(EINVAL), Err(EINVAL)));
    Ok(())
}

/// A removed segment can be asked about and attached until its last attachment is gone, by detachment or with a killed process, and
/// its status says that it is doomed.
#[cfg(has_doomed_segments)]
#[conformance::test(man = "shmctl(2)")]
fn is_completed_by_the_last_holder() -> Outcome {
    use conformance::sys::sysv::shm::SHM_DEST;

    let segment = Segment::create(unique_key(), page_size())?;
    let ours = segment.attach(0)?;
    ours.bytes()[0].store(1, SeqCst);
    let holder = Participant::spawn("holder", (), |(), link| -> () { link.park() })?;
    let seen = || segment.status().map(|status| (status.attached, status.mode & SHM_DEST != 0));
    expect_eq!((seen(), segment.remove(), seen()), (Ok((2, false)), Ok(()), Ok((2, true))));

    let late = segment.attach(0);
    expect_eq!(late.as_ref().map(|late| late.bytes()[0].load(SeqCst)), Ok(1));
    expect_eq!(seen(), Ok((3, true)));
    drop(late);
    expect_eq!((ours.detach(), seen()), (Ok(()), Ok((1, true))));
    holder.kill()?;
    expect_eq!(comes_to(&Err(EINVAL), seen), Err(EINVAL));
    expect_eq!(segment.attach(0).map(drop), Err(EINVAL));
    Ok(())
}
