//! Waiters: an unlock lets exactly one in, and neither signals, stops nor the death of one of them disturbs the others.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread::SharedMutex;
use rstest::rstest;

use super::fixture::{Kind, WELL, holder, turn};

/// Participants that are blocked on the mutex; one that gets it holds it until its gate `unlock` is opened.
fn waiters<const N: usize>(mutex: &SharedMutex) -> Result<[Participant<Result<(), Errno>>; N], Failure> {
    let mut waiters = Vec::new();
    for number in (0..).take(N) {
        let waiter = Participant::spawn(&format!("waiter {number}"), (), |(), link| {
            mutex.lock()?;
            mutex.word(1).store(number, SeqCst);
            mutex.word(0).fetch_add(1, SeqCst);
            link.wait("unlock");
            mutex.unlock()
        })?;
        waiter.until_blocked()?;
        waiters.push(waiter);
    }
    let Ok(waiters) = waiters.try_into() else { unreachable!("as many as were pushed") };
    Ok(waiters)
}

/// How many have come in so far, once somebody has.
fn came_in(mutex: &SharedMutex, expected: u32) -> u32 {
    let mut pause = Pause::default();
    while mutex.word(0).load(SeqCst) < expected {
        pause.sleep();
    }
    mutex.word(0).load(SeqCst)
}

/// Each unlock lets exactly one of several waiters in: the others sleep on until that one unlocks, and nobody is forgotten.
#[rstest]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_lock(3)")]
fn come_in_one_by_one(#[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    expect_eq!(mutex.lock(), Ok(()));
    let mut waiting: Vec<_> = (0..).zip(waiters::<3>(&mutex)?).collect();
    expect_eq!((came_in(&mutex, 0), mutex.unlock()), (0, Ok(())));
    for turn in 1..=3 {
        expect_eq!(came_in(&mutex, turn), turn);
        let who = mutex.word(1).load(SeqCst);
        let (inside, outside): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(number, _)| *number == who);
        for (_, waiter) in &outside {
            waiter.expect_still_blocked()?;
        }
        expect_eq!((inside.len(), came_in(&mutex, turn), mutex.try_lock()), (1, turn, Err(EBUSY)));
        for (_, waiter) in inside {
            waiter.open("unlock")?;
            expect_eq!(waiter.join()?, Ok(()));
        }
        waiting = outside;
    }
    expect_eq!((came_in(&mutex, 3), turn(&mutex)), (3, WELL));
    Ok(())
}

/// A waiter runs the handler of a signal, once, and waits on: locking is never interrupted.
#[rstest]
#[conformance::test(posix = "pthread_mutex_lock", man = "signal(7)")]
fn wait_on_after_a_signal(
    #[values(Kind::Normal, Kind::Inheriting)] kind: Kind,
    #[values(Restart::Yes, Restart::No)] restart: Restart,
) -> Outcome {
    let mutex = kind.mutex()?;
    let holder = holder(&mutex)?;
    let waiter = Participant::spawn("waiter", (), |(), _| {
        signal::catch(Signal::SIGUSR1, restart)?;
        Ok::<_, Errno>((turn(&mutex), signal::caught(Signal::SIGUSR1)))
    })?;
    waiter.until_blocked()?;
    waiter.signal(Signal::SIGUSR1)?;
    waiter.expect_still_blocked()?;
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    holder.open("unlock")?;
    expect_eq!((holder.join()?, waiter.join()?), (Ok(()), Ok((WELL, 1))));
    Ok(())
}

/// A waiter that is stopped and continued waits on, and one that is stopped while the mutex is freed gets it when it goes on.
#[rstest]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_lock(3)")]
fn wait_on_after_a_stop(#[values(Kind::Normal, Kind::Inheriting)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let holder = holder(&mutex)?;
    let waiter = Participant::spawn("waiter", (), |(), _| turn(&mutex))?;
    waiter.until_blocked()?;
    waiter.stop()?;
    waiter.resume()?;
    waiter.expect_still_blocked()?;
    waiter.stop()?;
    holder.open("unlock")?;
    expect_eq!(holder.join()?, Ok(()));
    waiter.resume()?;
    expect_eq!((waiter.join()?, turn(&mutex)), (WELL, WELL));
    Ok(())
}

/// A waiter that is killed takes no turn with it: the unlock lets another one in, wherever in the queue the dead one was.
#[rstest]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_lock(3)")]
fn are_not_disturbed_when_one_of_them_is_killed(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
    #[values(0, 1, 2)] victim: usize,
) -> Outcome {
    let mutex = kind.mutex()?;
    expect_eq!(mutex.lock(), Ok(()));
    let waiters = waiters::<3>(&mutex)?;
    waiters[victim].kill()?;
    expect_eq!((mutex.unlock(), came_in(&mutex, 1)), (Ok(()), 1));
    let survivors = waiters.into_iter().enumerate().filter(|(number, _)| *number != victim).map(|(_, waiter)| waiter);
    let survivors: Vec<_> = survivors.collect();
    for survivor in &survivors {
        survivor.open("unlock")?;
    }
    for survivor in survivors {
        expect_eq!(survivor.join()?, Ok(()));
    }
    expect_eq!((came_in(&mutex, 2), turn(&mutex)), (2, WELL));
    Ok(())
}

/// The only waiter being killed leaves a mutex that is locked, unlocked and locked by others as if it had never been there.
#[rstest]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_lock(3)")]
fn leave_nothing_behind(#[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let holder = holder(&mutex)?;
    let [waiter] = waiters::<1>(&mutex)?;
    waiter.kill()?;
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    holder.open("unlock")?;
    expect_eq!((holder.join()?, came_in(&mutex, 0)), (Ok(()), 0));
    let next = Participant::spawn("next", (), |(), _| turn(&mutex))?;
    expect_eq!((next.join()?, mutex.try_lock(), mutex.unlock()), (WELL, Ok(()), Ok(())));
    expect_matches!(mutex.destroy(), Ok(_));
    Ok(())
}
