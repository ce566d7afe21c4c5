//! Names: a named semaphore belongs to its name and its users, and has no owner whose death would matter.

use conformance::prelude::*;
use conformance::sys::semaphore::{Semaphore, sem_unlink};

/// A semaphore keeps its value when the process that made and took it is killed: nothing is given back, and it works on.
#[conformance::test(posix = "sem_open", man = "sem_overview(7)")]
fn keep_what_a_killed_process_took() -> Outcome {
    let name = unique_name("sem");
    let creator = Participant::spawn("creator", (), |(), link| -> () {
        let semaphore = Semaphore::create(&name, 3).expect("a new name");
        assert_eq!((semaphore.wait(), semaphore.wait()), (Ok(()), Ok(())));
        link.reached("taken");
        link.park()
    })?;
    creator.until_reached("taken")?;
    creator.kill()?;
    let semaphore = Semaphore::adopt(&name)?;
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, link| {
        let semaphore = Semaphore::open(&name)?;
        let left = semaphore.drain()?;
        link.reached("drained");
        semaphore.wait()?;
        Ok::<_, Errno>(left)
    })?;
    stranger.until_reached("drained")?;
    stranger.until_blocked()?;
    expect_eq!((semaphore.post(), stranger.join()?, semaphore.drain()), (Ok(()), Ok(1), Ok(0)));
    Ok(())
}

/// An unlinked semaphore goes on for those who have it open; the same name made again is another one, with a value of its own.
#[conformance::test(posix = "sem_unlink", man = "sem_unlink(3)")]
fn start_anew_after_they_were_unlinked() -> Outcome {
    let name = unique_name("sem");
    let old = Semaphore::create(&name, 0)?;
    // With all that the case has open: to some systems a named semaphore is a descriptor.
    let waiter = Participant::spawn_inheriting("waiter", |_| old.wait())?;
    waiter.until_blocked()?;
    expect_eq!((sem_unlink(&name), sem_unlink(&name), Semaphore::open(&name).map(drop)), (Ok(()), Err(ENOENT), Err(ENOENT)));
    let new = Semaphore::create(&name, 5);
    expect_matches!(new, Ok(_));
    let new = new?;
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, _| {
        let semaphore = Semaphore::open(&name)?;
        Ok::<_, Errno>((semaphore.try_wait(), semaphore.post(), semaphore.post()))
    })?;
    expect_eq!(stranger.join()?, Ok((Ok(()), Ok(()), Ok(()))));
    waiter.expect_still_blocked()?;
    expect_eq!((old.post(), waiter.join()?), (Ok(()), Ok(())));
    expect_eq!((old.drain(), new.drain()), (Ok(0), Ok(6)));
    Ok(())
}
