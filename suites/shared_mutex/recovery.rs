//! Recovery of a robust mutex after `EOWNERDEAD`: `pthread_mutex_consistent`, the rights of the new owner, its death, and the state not
//! recoverable.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{BOTH_OK, Kind, every_kind, lock_unlock, owner};

/// `pthread_mutex_consistent` on a robust mutex returns 0 if `pthread_mutex_lock` has returned `EOWNERDEAD` to the caller and the
/// mutex was not yet made consistent. It fails with `EINVAL` if repeated, on an unlocked mutex, after a `pthread_mutex_lock` that
/// returned 0, and before the first lock after the kill.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_consistent", man = "pthread_mutex_consistent(3)")]
fn consistent_needs_an_inconsistent_mutex(kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    expect_eq!((mutex.consistent(), mutex.lock(), mutex.consistent(), mutex.unlock()), (Err(EINVAL), Ok(()), Err(EINVAL), Ok(())));
    owner(&mutex)?.kill()?;
    expect_eq!((mutex.consistent(), mutex.lock()), (Err(EINVAL), Err(EOWNERDEAD)));
    expect_eq!([mutex.consistent(), mutex.consistent(), mutex.unlock()], [Ok(()), Err(EINVAL), Ok(())]);
    expect_eq!((mutex.consistent(), lock_unlock(&mutex)), (Err(EINVAL), BOTH_OK));
    Ok(())
}

/// `pthread_mutex_consistent` on a mutex that is not robust, unlocked or owned by the caller, fails with `EINVAL`.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_consistent", man = "pthread_mutex_consistent(3)")]
fn consistent_rejects_a_mutex_that_is_not_robust(kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    expect_eq!((mutex.consistent(), mutex.lock(), mutex.consistent(), mutex.unlock()), (Err(EINVAL), Ok(()), Err(EINVAL), Ok(())));
    Ok(())
}

/// `pthread_mutex_consistent` by a process that does not own the mutex, while the process to which `pthread_mutex_lock` returned
/// `EOWNERDEAD` owns it, returns 0 or fails with `EPERM` or `EINVAL`, which is recorded. `pthread_mutex_consistent` by the owner
/// then fails with `EINVAL` if the first call returned 0, and otherwise returns 0.
#[conformance::test(posix = "pthread_mutex_consistent", level = observed)]
fn consistent_by_another_process_is_recorded() -> Outcome {
    let mutex = Kind::Normal.robust()?;
    owner(&mutex)?.kill()?;
    expect_eq!(mutex.lock(), Err(EOWNERDEAD));
    let other = Participant::spawn("other", (), |(), _| (mutex.consistent(), mutex.unlock()))?;
    let (consistent, unlocked) = other.join()?;
    observe!("mutex.consistent-by-another-process", format!("{consistent:?}"));
    expect_matches!(consistent, Ok(()) | Err(EPERM | EINVAL));
    expect_eq!(unlocked, Err(EPERM));
    expect_eq!((mutex.consistent(), mutex.unlock()), (if consistent == Ok(()) { Err(EINVAL) } else { Ok(()) }, Ok(())));
    expect_eq!(lock_unlock(&mutex), BOTH_OK);
    Ok(())
}

/// If a process exits that has locked a recursive robust mutex three times, `pthread_mutex_lock` returns `EOWNERDEAD` to the next
/// process. After `pthread_mutex_consistent` and a second `pthread_mutex_lock` by this process, two `pthread_mutex_unlock` calls
/// return 0 and a third one fails with `EPERM`.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)")]
fn recursive_count_restarts_at_one() -> Outcome {
    let mutex = Kind::Recursive.robust()?;
    let owner = Participant::spawn("owner", (), |(), _| [mutex.lock(), mutex.lock(), mutex.lock()])?;
    expect_eq!(owner.join()?, [Ok(()); 3]);
    expect_eq!((mutex.lock(), mutex.consistent()), (Err(EOWNERDEAD), Ok(())));
    let other = |expected| {
        let other = Participant::spawn("other", (), |(), _| (mutex.try_lock(), mutex.unlock()))?;
        expect_eq!(other.join()?, expected);
        Ok(())
    };
    expect_eq!([mutex.lock(), mutex.unlock()], [Ok(()); 2]);
    other((Err(EBUSY), Err(EPERM)))?;
    expect_eq!([mutex.unlock(), mutex.unlock()], [Ok(()), Err(EPERM)]);
    other((Ok(()), Ok(())))
}

/// After `pthread_mutex_lock` returned `EOWNERDEAD` on a recursive robust mutex, a second `pthread_mutex_lock` by the same
/// process returns 0 before `pthread_mutex_consistent`. After `pthread_mutex_consistent`, two `pthread_mutex_unlock` calls return
/// 0 and a third one fails with `EPERM`.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)")]
fn recursive_can_be_relocked_before_consistent() -> Outcome {
    let mutex = Kind::Recursive.robust()?;
    owner(&mutex)?.kill()?;
    expect_eq!([mutex.lock(), mutex.lock(), mutex.consistent()], [Err(EOWNERDEAD), Ok(()), Ok(())]);
    expect_eq!([mutex.unlock(), mutex.unlock(), mutex.unlock()], [Ok(()), Ok(()), Err(EPERM)]);
    let next = Participant::spawn("next owner", (), |(), _| lock_unlock(&mutex))?;
    expect_eq!(next.join()?, BOTH_OK);
    Ok(())
}

/// After `pthread_mutex_lock` returned `EOWNERDEAD` on an errorcheck robust mutex, a second `pthread_mutex_lock` by the same
/// process fails with `EDEADLK`, before and after `pthread_mutex_consistent`.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)")]
fn errorcheck_relock_fails_with_edeadlk() -> Outcome {
    let mutex = Kind::Errorcheck.robust()?;
    owner(&mutex)?.kill()?;
    expect_eq!([mutex.lock(), mutex.lock()], [Err(EOWNERDEAD), Err(EDEADLK)]);
    expect_eq!([mutex.consistent(), mutex.lock(), mutex.unlock()], [Ok(()), Err(EDEADLK), Ok(())]);
    let next = Participant::spawn("next owner", (), |(), _| lock_unlock(&mutex))?;
    expect_eq!(next.join()?, BOTH_OK);
    Ok(())
}

/// If each of three processes to which `pthread_mutex_lock` returned `EOWNERDEAD` is killed in turn without
/// `pthread_mutex_unlock`, with or without an earlier `pthread_mutex_consistent`, the next `pthread_mutex_lock` returns
/// `EOWNERDEAD` every time.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_consistent", man = "pthread_mutexattr_setrobust(3)")]
fn each_killed_new_owner_leaves_eownerdead(kind: Kind, #[values(false, true)] consistent: bool) -> Outcome {
    let mutex = kind.robust()?;
    owner(&mutex)?.kill()?;
    for generation in 1..4 {
        let next = Participant::spawn("new owner", (), |(), link| -> () {
            assert_eq!((mutex.lock(), mutex.word(0).load(SeqCst)), (Err(EOWNERDEAD), generation - 1));
            assert!(!consistent || mutex.consistent() == Ok(()));
            mutex.word(0).store(generation, SeqCst);
            link.reached("locked");
            link.park()
        })?;
        next.until_reached("locked")?;
        expect_eq!(mutex.try_lock(), Err(EBUSY));
        next.kill()?;
    }
    expect_eq!((mutex.lock(), mutex.word(0).load(SeqCst)), (Err(EOWNERDEAD), 3));
    expect_eq!((mutex.consistent(), mutex.unlock(), lock_unlock(&mutex)), (Ok(()), Ok(()), BOTH_OK));
    Ok(())
}

/// If the process to which `pthread_mutex_lock` returned `EOWNERDEAD` is killed without `pthread_mutex_unlock` while two others
/// are blocked in `pthread_mutex_lock`, the call returns `EOWNERDEAD` in one of these. After `pthread_mutex_consistent` and
/// `pthread_mutex_unlock` by this process, `pthread_mutex_lock` returns 0 in the other.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)")]
fn killed_new_owner_gives_eownerdead_to_one_waiter(kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    owner(&mutex)?.kill()?;
    let next = Participant::spawn("new owner", (), |(), link| -> () {
        assert_eq!(mutex.lock(), Err(EOWNERDEAD));
        link.reached("locked");
        link.park()
    })?;
    next.until_reached("locked")?;
    let wait = |(), _: &Link| {
        let locked = mutex.lock();
        (locked, if locked == Err(EOWNERDEAD) { mutex.consistent() } else { Ok(()) }, mutex.unlock())
    };
    let waiters = [Participant::spawn("waiter 1", (), wait)?, Participant::spawn("waiter 2", (), wait)?];
    for waiter in &waiters {
        waiter.until_blocked()?;
    }
    next.kill()?;
    let [first, second] = waiters;
    let mut seen = [first.join()?, second.join()?];
    seen.sort_unstable();
    expect_eq!((seen, lock_unlock(&mutex)), ([(Ok(()), Ok(()), Ok(())), (Err(EOWNERDEAD), Ok(()), Ok(()))], BOTH_OK));
    Ok(())
}

/// If the process to which `pthread_mutex_lock` returned `EOWNERDEAD` calls `pthread_mutex_unlock` without
/// `pthread_mutex_consistent`, every later `pthread_mutex_lock` and `pthread_mutex_trylock` fails with `ENOTRECOVERABLE`. A later
/// `pthread_mutex_consistent` fails with `EINVAL`.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_consistent(3)")]
fn unlock_without_consistent_makes_it_not_recoverable(kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    owner(&mutex)?.kill()?;
    expect_eq!((mutex.lock(), mutex.unlock()), (Err(EOWNERDEAD), Ok(())));
    expect_eq!([mutex.lock(), mutex.consistent(), mutex.unlock()], [Err(ENOTRECOVERABLE), Err(EINVAL), Err(EPERM)]);
    let other = Participant::spawn("other", (), |(), _| [mutex.lock(), mutex.lock(), mutex.try_lock()])?;
    expect_eq!(other.join()?, [Err(ENOTRECOVERABLE); 3]);
    Ok(())
}

/// If the process to which `pthread_mutex_lock` returned `EOWNERDEAD` calls `pthread_mutex_unlock` without
/// `pthread_mutex_consistent`, `pthread_mutex_lock` returns `ENOTRECOVERABLE` in a process that is blocked in it.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_consistent(3)")]
fn waiter_gets_enotrecoverable(kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    owner(&mutex)?.kill()?;
    expect_eq!(mutex.lock(), Err(EOWNERDEAD));
    let waiter = Participant::spawn("waiter", (), |(), _| mutex.lock())?;
    waiter.until_blocked()?;
    expect_eq!((mutex.unlock(), waiter.join()?), (Ok(()), Err(ENOTRECOVERABLE)));
    Ok(())
}

/// While a process to which `pthread_mutex_lock` returned `EOWNERDEAD` owns a robust mutex and two others are blocked in
/// `pthread_mutex_lock`, `pthread_mutex_trylock` fails with `EBUSY` and `pthread_mutex_timedlock` with `ETIMEDOUT`. After
/// `pthread_mutex_consistent` and `pthread_mutex_unlock` by the owner, the blocked calls return 0, one after the other.
#[cfg(has_timed_locks)]
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)", fixed_in = "glibc, commit 5920a4a624")]
fn waiters_lock_after_failed_attempts_of_others(kind: Kind) -> Outcome {
    use conformance::sys::time::Clock;
    let mutex = kind.robust()?;
    let owner = owner(&mutex)?;
    let wait = |name: &str| {
        let waiter = Participant::spawn(name, (), |(), link| {
            let locked = mutex.lock();
            if locked == Err(EOWNERDEAD) {
                link.meet("recover");
            }
            (locked, if locked.is_err() { mutex.consistent() } else { Ok(()) }, mutex.unlock())
        })?;
        waiter.until_blocked()?;
        Ok::<_, Failure>(waiter)
    };
    let first = wait("waiter 1")?;
    owner.kill()?;
    first.until_reached("recover")?;
    let (second, third) = (wait("waiter 2")?, wait("waiter 3")?);
    let soon = Clock::Realtime.after(std::time::Duration::from_millis(1))?;
    expect_eq!([mutex.try_lock(), mutex.timed_lock(soon)], [Err(EBUSY), Err(ETIMEDOUT)]);
    first.open("recover")?;
    let consistent = (Ok(()), Ok(()), Ok(()));
    let recovered = (Err(EOWNERDEAD), Ok(()), Ok(()));
    expect_eq!((first.join()?, second.join()?, third.join()?), (recovered, consistent, consistent));
    expect_eq!(lock_unlock(&mutex), BOTH_OK);
    Ok(())
}
