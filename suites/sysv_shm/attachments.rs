//! Attachments: the system counts them, and a process loses its own when it ends, however it ends.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sandbox::names::unique_key;
use conformance::sys::sysv::shm::Segment;
use rstest::rstest;

/// The count of attachments goes up by one for each attachment, of one process too, and down by one for each detachment.
#[conformance::test(posix = "shmat", posix = "shmdt", man = "shmop(2)")]
fn are_counted_one_by_one() -> Outcome {
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

/// How a process that holds attachments comes to its end.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Exits,
    IsKilled,
}

/// A process that ends takes its attachments off the count, one inherited and one of its own, and leaves the contents.
#[rstest]
#[conformance::test(posix = "_exit", man = "shmop(2)")]
fn end_with_their_process(#[values(Ending::Exits, Ending::IsKilled)] ending: Ending) -> Outcome {
    let segment = Segment::create(unique_key(), page_size())?;
    let ours = segment.attach(0)?;
    let holder = Participant::spawn("holder", (), |(), link| {
        let own = segment.attach(0)?;
        ours.bytes()[0].store(1, SeqCst);
        own.bytes()[1].store(2, SeqCst);
        link.meet("attached");
        // The attachment lasts until the end of the process: a body's values are dropped before.
        std::mem::forget(own);
        Ok::<_, Errno>(())
    })?;
    holder.until_reached("attached")?;
    expect_eq!(segment.status().map(|status| status.attached), Ok(3));
    match ending {
        Ending::IsKilled => holder.kill()?,
        Ending::Exits => {
            holder.open("attached")?;
            expect_eq!(holder.join()?, Ok(()));
        }
    }
    let attached = || segment.status().map(|status| status.attached);
    expect_eq!(comes_to(&Ok(1), attached), Ok(1));
    expect_eq!([0, 1, 2].map(|index| ours.bytes()[index].load(SeqCst)), [1, 2, 0]);
    Ok(())
}
