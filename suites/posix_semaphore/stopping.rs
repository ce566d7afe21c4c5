//! Stop and continue: a process that waits for a semaphore waits on afterwards, and one that is stopped is owed what was posted.

use conformance::prelude::*;
use rstest::rstest;

use super::fixture::Kind;
use super::waiters::{Waiters, one_blocked};

/// Stopped and continued a waiter sleeps on, without `EINTR`, and a post lets it go.
#[rstest]
#[conformance::test(posix = "sem_wait", man = "signal(7)")]
fn leaves_a_waiter_waiting(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = one_blocked(&semaphore)?;
    for _ in 0..2 {
        waiter.stop()?;
        waiter.resume()?;
        waiter.expect_still_blocked()?;
    }
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// A post to a waiter that is stopped lets it go once it is continued.
#[rstest]
#[conformance::test(posix = "sem_post", posix = "sem_wait")]
fn keeps_a_post_for_the_one_that_waits(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = one_blocked(&semaphore)?;
    waiter.stop()?;
    expect_eq!(semaphore.post(), Ok(()));
    waiter.resume()?;
    expect_eq!((waiter.join()?, semaphore.drain()), (Ok(()), Ok(0)));
    Ok(())
}

/// While one waiter is stopped, two posts let the other go too, and the one that is stopped when it is continued.
#[rstest]
#[conformance::test(posix = "sem_post", posix = "sem_wait")]
fn holds_up_nobody_else(#[values(0, 1)] stopped: usize, #[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 2)?;
    waiters.participants[stopped].stop()?;
    expect_eq!((semaphore.post(), semaphore.post()), (Ok(()), Ok(())));
    expect_eq!(waiters.next(1)?, [u8::from(stopped == 0)]);
    waiters.participants[stopped].resume()?;
    expect_eq!((waiters.next(1)?, semaphore.drain()), (vec![u8::from(stopped == 1)], Ok(0)));
    Ok(())
}

/// A waiter that was killed while it was stopped, before anybody posted, takes nothing.
#[rstest]
#[conformance::test(posix = "sem_post", posix = "_Exit")]
fn before_death_costs_nothing(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 2)?;
    waiters.participants[0].stop()?;
    waiters.participants[0].kill()?;
    expect_eq!((semaphore.post(), waiters.next(1)), (Ok(()), Ok(vec![1])));
    expect_eq!((semaphore.post(), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// What is posted while the only waiter is stopped can be taken by another process meanwhile; the waiter then sleeps on.
#[rstest]
#[conformance::test(posix = "sem_trywait", posix = "sem_wait")]
fn reserves_nothing(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = one_blocked(&semaphore)?;
    waiter.stop()?;
    expect_eq!((semaphore.post(), semaphore.try_wait(), semaphore.try_wait()), (Ok(()), Ok(()), Err(EAGAIN)));
    waiter.resume()?;
    expect_eq!(waiter.until_settled(), Ok(Settled::Blocked));
    expect_eq!((semaphore.post(), waiter.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}
