//! Processes that are blocked in `pthread_mutex_lock`: how many an unlock wakes, signal handlers, stops, and killed waiters.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread::SharedMutex;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{BOTH_OK, Kind, every_kind, lock_unlock, normal_and_prio_inherit, owner};

/// Participants that are blocked on the mutex; one that locks it owns it until its gate `unlock` is opened. Word 0 counts those that
/// have locked it, word 1 is the number of the last.
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

/// How many waiters have locked the mutex, once at least so many have.
fn locked_by(mutex: &SharedMutex, expected: u32) -> u32 {
    let mut pause = Pause::default();
    while mutex.word(0).load(SeqCst) < expected {
        pause.sleep();
    }
    mutex.word(0).load(SeqCst)
}

/// If three processes are blocked in `pthread_mutex_lock`, each `pthread_mutex_unlock` by the owner makes the call return 0 in
/// exactly one of them, which is the next owner. The others stay blocked until the next `pthread_mutex_unlock`.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_lock(3)")]
fn unlock_lets_one_waiter_lock(kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    expect_eq!(mutex.lock(), Ok(()));
    let mut waiting: Vec<_> = (0..).zip(waiters::<3>(&mutex)?).collect();
    expect_eq!((locked_by(&mutex, 0), mutex.unlock()), (0, Ok(())));
    for turn in 1..=3 {
        expect_eq!(locked_by(&mutex, turn), turn);
        let last = mutex.word(1).load(SeqCst);
        let (owners, blocked): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(number, _)| *number == last);
        for (_, waiter) in &blocked {
            waiter.expect_still_blocked()?;
        }
        expect_eq!((owners.len(), locked_by(&mutex, turn), mutex.try_lock()), (1, turn, Err(EBUSY)));
        for (_, waiter) in owners {
            waiter.open("unlock")?;
            expect_eq!(waiter.join()?, Ok(()));
        }
        waiting = blocked;
    }
    expect_eq!((locked_by(&mutex, 3), lock_unlock(&mutex)), (3, BOTH_OK));
    Ok(())
}

/// If a process blocked in `pthread_mutex_lock` is sent a signal whose handler is installed with or without `SA_RESTART`, the
/// handler runs once and the process stays blocked. `pthread_mutex_lock` returns 0 after `pthread_mutex_unlock` by the owner.
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_mutex_lock", man = "signal(7)")]
fn wait_goes_on_after_a_signal_handler(kind: Kind, #[values(Restart::Yes, Restart::No)] restart: Restart) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = owner(&mutex)?;
    let waiter = Participant::spawn("waiter", (), |(), _| {
        signal::catch(Signal::SIGUSR1, restart)?;
        Ok::<_, Errno>((lock_unlock(&mutex), signal::caught(Signal::SIGUSR1)))
    })?;
    waiter.until_blocked()?;
    waiter.signal(Signal::SIGUSR1)?;
    waiter.expect_still_blocked()?;
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, waiter.join()?), (Ok(()), Ok((BOTH_OK, 1))));
    Ok(())
}

/// A process blocked in `pthread_mutex_lock` is still blocked after `SIGSTOP` and `SIGCONT`. If the owner calls
/// `pthread_mutex_unlock` while the blocked process is stopped again, its `pthread_mutex_lock` returns 0 after `SIGCONT`.
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_lock(3)")]
fn wait_goes_on_after_a_stop(kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = owner(&mutex)?;
    let waiter = Participant::spawn("waiter", (), |(), _| lock_unlock(&mutex))?;
    waiter.until_blocked()?;
    waiter.stop()?;
    waiter.resume()?;
    waiter.expect_still_blocked()?;
    waiter.stop()?;
    owner.open("unlock")?;
    expect_eq!(owner.join()?, Ok(()));
    waiter.resume()?;
    expect_eq!((waiter.join()?, lock_unlock(&mutex)), (BOTH_OK, BOTH_OK));
    Ok(())
}

/// If one of three processes blocked in `pthread_mutex_lock` is killed, whether it had called first, second or last,
/// `pthread_mutex_unlock` by the owner makes the call return 0 in one of the two others. After `pthread_mutex_unlock` by that
/// one, the call returns 0 in the last one.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_lock(3)")]
fn killed_waiter_does_not_stop_the_others(kind: Kind, #[values(0, 1, 2)] victim: usize) -> Outcome {
    let mutex = kind.mutex()?;
    expect_eq!(mutex.lock(), Ok(()));
    let waiters = waiters::<3>(&mutex)?;
    waiters[victim].kill()?;
    expect_eq!((mutex.unlock(), locked_by(&mutex, 1)), (Ok(()), 1));
    let survivors = waiters.into_iter().enumerate().filter(|(number, _)| *number != victim).map(|(_, waiter)| waiter);
    let survivors: Vec<_> = survivors.collect();
    for survivor in &survivors {
        survivor.open("unlock")?;
    }
    for survivor in survivors {
        expect_eq!(survivor.join()?, Ok(()));
    }
    expect_eq!((locked_by(&mutex, 2), lock_unlock(&mutex)), (2, BOTH_OK));
    Ok(())
}

/// If the only process blocked in `pthread_mutex_lock` is killed, `pthread_mutex_trylock` still fails with `EBUSY`, and
/// `pthread_mutex_unlock` by the owner returns 0. Then `pthread_mutex_lock` and `pthread_mutex_unlock` by another process return
/// 0, and so does `pthread_mutex_destroy` of the now unlocked mutex.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_lock(3)")]
fn killed_only_waiter_leaves_a_usable_mutex(kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = owner(&mutex)?;
    let [waiter] = waiters::<1>(&mutex)?;
    waiter.kill()?;
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, locked_by(&mutex, 0)), (Ok(()), 0));
    let next = Participant::spawn("next owner", (), |(), _| lock_unlock(&mutex))?;
    expect_eq!((next.join()?, mutex.try_lock(), mutex.unlock()), (BOTH_OK, Ok(()), Ok(())));
    expect_matches!(mutex.destroy(), Ok(_));
    Ok(())
}
