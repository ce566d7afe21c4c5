//! Waiters that are stopped and continued: the wait goes on, and posts meanwhile are not lost.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, Waiters, named_and_unnamed, one_blocked};

/// A process that is blocked in `sem_wait` is blocked in `sem_wait` again after `SIGSTOP` and `SIGCONT`, and after a second
/// `SIGSTOP` and `SIGCONT`. After a `sem_post`, `sem_wait` returns 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", man = "signal(7)")]
fn stopped_and_continued_waiter_stays_blocked(kind: Kind) -> Outcome {
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

/// If the only process that is blocked in `sem_wait` is stopped, and `sem_post` is called before `SIGCONT`, `sem_wait` returns 0
/// in that process after `SIGCONT`. The value is 0 afterwards.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", posix = "sem_wait")]
fn post_to_a_stopped_waiter_is_kept(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = one_blocked(&semaphore)?;
    waiter.stop()?;
    expect_eq!(semaphore.post(), Ok(()));
    waiter.resume()?;
    expect_eq!((waiter.join()?, semaphore.drain()), (Ok(()), Ok(0)));
    Ok(())
}

/// If one of two processes blocked in `sem_wait` is stopped, two `sem_post` calls wake the other process. After `SIGCONT`,
/// `sem_wait` returns 0 in the stopped process too, and the value is 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", posix = "sem_wait")]
fn stopped_waiter_does_not_stop_another(#[values(0, 1)] stopped: usize, kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 2)?;
    waiters.participants[stopped].stop()?;
    expect_eq!((semaphore.post(), semaphore.post()), (Ok(()), Ok(())));
    expect_eq!(waiters.next_woken(1)?, [u8::from(stopped == 0)]);
    waiters.participants[stopped].resume()?;
    expect_eq!((waiters.next_woken(1)?, semaphore.drain()), (vec![u8::from(stopped == 1)], Ok(0)));
    Ok(())
}

/// If one of two processes blocked in `sem_wait` is stopped and then killed, the next `sem_post` wakes the other process, and a
/// second `sem_post` makes the value 1.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", posix = "_Exit")]
fn waiter_killed_while_stopped_takes_no_post(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 2)?;
    waiters.participants[0].stop()?;
    waiters.participants[0].kill()?;
    expect_eq!((semaphore.post(), waiters.next_woken(1)), (Ok(()), Ok(vec![1])));
    expect_eq!((semaphore.post(), semaphore.drain()), (Ok(()), Ok(1)));
    Ok(())
}

/// If the only process blocked in `sem_wait` is stopped, and then `sem_post` and `sem_trywait` are called by another process
/// before `SIGCONT`, either `sem_trywait` returns 0 and `sem_wait` stays blocked after `SIGCONT`, or `sem_trywait` fails with
/// `EAGAIN` and `sem_wait` returns 0. Both results are accepted and recorded.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_trywait", posix = "sem_wait", level = observed)]
fn trywait_beside_a_stopped_waiter_is_recorded(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = one_blocked(&semaphore)?;
    waiter.stop()?;
    let (posted, tried) = (semaphore.post(), semaphore.try_wait());
    expect_matches!((posted, tried), (Ok(()), Ok(()) | Err(EAGAIN)));
    expect_eq!(semaphore.try_wait(), Err(EAGAIN));
    waiter.resume()?;
    let taken = tried == Ok(());
    expect_eq!(waiter.until_settled(), Ok(if taken { Settled::Blocked } else { Settled::Ended }));
    observe!("semaphore.trywait-takes-a-post-to-a-stopped-waiter", taken);
    if taken {
        expect_eq!(semaphore.post(), Ok(()));
    }
    expect_eq!((waiter.join()?, semaphore.drain()), (Ok(()), Ok(0)));
    Ok(())
}
