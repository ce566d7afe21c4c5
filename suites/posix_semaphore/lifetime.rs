//! The lifetime of named semaphores: after the death of a user, and after `sem_unlink`.

use conformance::prelude::*;
use conformance::sys::semaphore::{Semaphore, sem_unlink};

/// If the process that created a named semaphore with value 3 is killed after two `sem_wait` calls, the value is 1 after
/// `sem_open` in an unrelated process. After `sem_trywait` has taken the value to 0, `sem_wait` by the unrelated process blocks
/// until a `sem_post` by a third process.
#[conformance::test(posix = "sem_open", man = "sem_overview(7)")]
fn value_survives_a_killed_process() -> Outcome {
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
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, link| {
        let semaphore = Semaphore::open(&name)?;
        let left = semaphore.drain()?;
        link.reached("drained");
        semaphore.wait()?;
        Ok::<_, Errno>(left)
    })?;
    unrelated.until_reached("drained")?;
    unrelated.until_blocked()?;
    expect_eq!((semaphore.post(), unrelated.join()?, semaphore.drain()), (Ok(()), Ok(1), Ok(0)));
    Ok(())
}

/// After `sem_unlink`, `sem_open` with `O_CREAT | O_EXCL` creates a new semaphore of the same name with its own value. A process
/// that is blocked in `sem_wait` on the unlinked semaphore stays blocked after `sem_post` on the new one, and returns 0 from
/// `sem_wait` after `sem_post` on the unlinked one.
#[conformance::test(posix = "sem_unlink", man = "sem_unlink(3)")]
fn unlinked_name_can_be_created_again() -> Outcome {
    let name = unique_name("sem");
    let old = Semaphore::create(&name, 0)?;
    // Inherits every descriptor: on some systems a named semaphore is one.
    let waiter = Participant::spawn_inheriting("waiter", |_| old.wait())?;
    waiter.until_blocked()?;
    expect_eq!((sem_unlink(&name), sem_unlink(&name), Semaphore::open(&name).map(drop)), (Ok(()), Err(ENOENT), Err(ENOENT)));
    let new = Semaphore::create(&name, 5);
    expect_matches!(new, Ok(_));
    let new = new?;
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, _| {
        let semaphore = Semaphore::open(&name)?;
        Ok::<_, Errno>((semaphore.try_wait(), semaphore.post(), semaphore.post()))
    })?;
    expect_eq!(unrelated.join()?, Ok((Ok(()), Ok(()), Ok(()))));
    waiter.expect_still_blocked()?;
    expect_eq!((old.post(), waiter.join()?), (Ok(()), Ok(())));
    expect_eq!((old.drain(), new.drain()), (Ok(0), Ok(6)));
    Ok(())
}
