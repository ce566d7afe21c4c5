//! Recovery: who inherits a mutex from the dead may declare it repaired, and dies as any other owner if it does not come to that.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use rstest::rstest;

use super::fixture::{Kind, WELL, holder, turn};

/// Only a mutex that has been inherited can be declared repaired, and once.
#[rstest]
#[conformance::test(posix = "pthread_mutex_consistent", man = "pthread_mutex_consistent(3)")]
fn is_for_what_is_broken(#[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    expect_eq!((mutex.consistent(), mutex.lock(), mutex.consistent(), mutex.unlock()), (Err(EINVAL), Ok(()), Err(EINVAL), Ok(())));
    holder(&mutex)?.kill()?;
    expect_eq!((mutex.consistent(), mutex.lock()), (Err(EINVAL), Err(EOWNERDEAD)));
    expect_eq!([mutex.consistent(), mutex.consistent(), mutex.unlock()], [Ok(()), Err(EINVAL), Ok(())]);
    expect_eq!((mutex.consistent(), turn(&mutex)), (Err(EINVAL), WELL));
    Ok(())
}

/// A mutex that is not robust is never broken, so that it cannot be repaired.
#[rstest]
#[conformance::test(posix = "pthread_mutex_consistent", man = "pthread_mutex_consistent(3)")]
fn is_not_for_a_mutex_that_is_not_robust(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let mutex = kind.mutex()?;
    expect_eq!((mutex.consistent(), mutex.lock(), mutex.consistent(), mutex.unlock()), (Err(EINVAL), Ok(()), Err(EINVAL), Ok(())));
    Ok(())
}

/// Who has not inherited the mutex but declares it repaired is refused, or does it for the owner: no standard says.
#[conformance::test(posix = "pthread_mutex_consistent", level = observed)]
fn by_another_than_the_heir_is_up_to_the_system() -> Outcome {
    let mutex = Kind::Normal.robust()?;
    holder(&mutex)?.kill()?;
    expect_eq!(mutex.lock(), Err(EOWNERDEAD));
    let stranger = Participant::spawn("stranger", (), |(), _| (mutex.consistent(), mutex.unlock()))?;
    let (consistent, unlocked) = stranger.join()?;
    observe!("mutex.repaired-by-a-stranger", format!("{consistent:?}"));
    expect_matches!(consistent, Ok(()) | Err(EPERM | EINVAL));
    expect_eq!(unlocked, Err(EPERM));
    expect_eq!((mutex.consistent(), mutex.unlock()), (if consistent == Ok(()) { Err(EINVAL) } else { Ok(()) }, Ok(())));
    expect_eq!(turn(&mutex), WELL);
    Ok(())
}

/// The heir of a recursive mutex holds it once, however often the dead owner had locked it; from there it counts as ever.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)")]
fn of_a_recursive_mutex_begins_at_one() -> Outcome {
    let mutex = Kind::Recursive.robust()?;
    let owner = Participant::spawn("owner", (), |(), _| [mutex.lock(), mutex.lock(), mutex.lock()])?;
    expect_eq!(owner.join()?, [Ok(()); 3]);
    expect_eq!((mutex.lock(), mutex.consistent()), (Err(EOWNERDEAD), Ok(())));
    let other = |answer| {
        let other = Participant::spawn("other", (), |(), _| (mutex.try_lock(), mutex.unlock()))?;
        expect_eq!(other.join()?, answer);
        Ok(())
    };
    expect_eq!([mutex.lock(), mutex.unlock()], [Ok(()); 2]);
    other((Err(EBUSY), Err(EPERM)))?;
    expect_eq!([mutex.unlock(), mutex.unlock()], [Ok(()), Err(EPERM)]);
    other((Ok(()), Ok(())))
}

/// The heir of a recursive mutex may lock it once more before it is repaired.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)")]
fn of_a_recursive_mutex_may_wait_until_it_is_locked_twice() -> Outcome {
    let mutex = Kind::Recursive.robust()?;
    holder(&mutex)?.kill()?;
    expect_eq!([mutex.lock(), mutex.lock(), mutex.consistent()], [Err(EOWNERDEAD), Ok(()), Ok(())]);
    expect_eq!([mutex.unlock(), mutex.unlock(), mutex.unlock()], [Ok(()), Ok(()), Err(EPERM)]);
    let next = Participant::spawn("next", (), |(), _| turn(&mutex))?;
    expect_eq!(next.join()?, WELL);
    Ok(())
}

/// The heir of a mutex that checks errors owns it: locking it once more is a deadlock, even before it is repaired.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)")]
fn of_a_checking_mutex_knows_the_heir() -> Outcome {
    let mutex = Kind::ErrorChecking.robust()?;
    holder(&mutex)?.kill()?;
    expect_eq!([mutex.lock(), mutex.lock()], [Err(EOWNERDEAD), Err(EDEADLK)]);
    expect_eq!([mutex.consistent(), mutex.lock(), mutex.unlock()], [Ok(()), Err(EDEADLK), Ok(())]);
    let next = Participant::spawn("next", (), |(), _| turn(&mutex))?;
    expect_eq!(next.join()?, WELL);
    Ok(())
}

/// An heir that is killed in turn, before the repair or after it, has an heir: as often as it happens.
#[rstest]
#[conformance::test(posix = "pthread_mutex_consistent", man = "pthread_mutexattr_setrobust(3)")]
fn can_be_cut_short_and_begun_again(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
    #[values(false, true)] repaired: bool,
) -> Outcome {
    let mutex = kind.robust()?;
    holder(&mutex)?.kill()?;
    for generation in 1..4 {
        let heir = Participant::spawn("heir", (), |(), link| -> () {
            assert_eq!((mutex.lock(), mutex.word(0).load(SeqCst)), (Err(EOWNERDEAD), generation - 1));
            assert!(!repaired || mutex.consistent() == Ok(()));
            mutex.word(0).store(generation, SeqCst);
            link.reached("inherited");
            link.park()
        })?;
        heir.until_reached("inherited")?;
        expect_eq!(mutex.try_lock(), Err(EBUSY));
        heir.kill()?;
    }
    expect_eq!((mutex.lock(), mutex.word(0).load(SeqCst)), (Err(EOWNERDEAD), 3));
    expect_eq!((mutex.consistent(), mutex.unlock(), turn(&mutex)), (Ok(()), Ok(()), WELL));
    Ok(())
}

/// While an heir is at the repair others wait, and the death of the heir is told to exactly one of them.
#[rstest]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)")]
fn is_waited_for(#[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    holder(&mutex)?.kill()?;
    let heir = Participant::spawn("heir", (), |(), link| -> () {
        assert_eq!(mutex.lock(), Err(EOWNERDEAD));
        link.reached("inherited");
        link.park()
    })?;
    heir.until_reached("inherited")?;
    let wait = |(), _: &Link| {
        let locked = mutex.lock();
        (locked, if locked == Err(EOWNERDEAD) { mutex.consistent() } else { Ok(()) }, mutex.unlock())
    };
    let waiters = [Participant::spawn("waiter 1", (), wait)?, Participant::spawn("waiter 2", (), wait)?];
    for waiter in &waiters {
        waiter.until_blocked()?;
    }
    heir.kill()?;
    let [first, second] = waiters;
    let mut seen = [first.join()?, second.join()?];
    seen.sort_unstable();
    expect_eq!((seen, turn(&mutex)), ([(Ok(()), Ok(()), Ok(())), (Err(EOWNERDEAD), Ok(()), Ok(()))], WELL));
    Ok(())
}

/// Each kind of mutex that was unlocked without a repair is lost to all, by each way of locking, and to who destroys it it is a
/// mutex as any other.
#[rstest]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_consistent(3)")]
fn that_is_left_out_loses_the_mutex(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let mutex = kind.robust()?;
    holder(&mutex)?.kill()?;
    expect_eq!((mutex.lock(), mutex.unlock()), (Err(EOWNERDEAD), Ok(())));
    expect_eq!([mutex.lock(), mutex.consistent(), mutex.unlock()], [Err(ENOTRECOVERABLE), Err(EINVAL), Err(EPERM)]);
    let other = Participant::spawn("other", (), |(), _| [mutex.lock(), mutex.lock(), mutex.try_lock()])?;
    expect_eq!(other.join()?, [Err(ENOTRECOVERABLE); 3]);
    Ok(())
}

/// A waiter that sleeps while the mutex is lost is told so.
#[rstest]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_consistent(3)")]
fn that_is_left_out_is_told_to_a_waiter(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let mutex = kind.robust()?;
    holder(&mutex)?.kill()?;
    expect_eq!(mutex.lock(), Err(EOWNERDEAD));
    let waiter = Participant::spawn("waiter", (), |(), _| mutex.lock())?;
    waiter.until_blocked()?;
    expect_eq!((mutex.unlock(), waiter.join()?), (Ok(()), Err(ENOTRECOVERABLE)));
    Ok(())
}

/// A newcomer that begins to wait while an heir is at the repair, or gives up waiting, does not make those forgotten who wait longer.
#[cfg(has_timed_locks)]
#[rstest]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)", fixed_in = "glibc, commit 5920a4a624")]
fn leaves_the_turn_of_those_who_wait(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    use conformance::sys::time::Clock;
    let mutex = kind.robust()?;
    let owner = holder(&mutex)?;
    let wait = |name: &str| {
        let waiter = Participant::spawn(name, (), |(), link| {
            let locked = mutex.lock();
            if locked == Err(EOWNERDEAD) {
                link.meet("repair");
            }
            (locked, if locked.is_err() { mutex.consistent() } else { Ok(()) }, mutex.unlock())
        })?;
        waiter.until_blocked()?;
        Ok::<_, Failure>(waiter)
    };
    let first = wait("first")?;
    owner.kill()?;
    first.until_reached("repair")?;
    let (second, newcomer) = (wait("second")?, wait("newcomer")?);
    let late = Clock::Realtime.after(std::time::Duration::from_millis(1))?;
    expect_eq!([mutex.try_lock(), mutex.timed_lock(late)], [Err(EBUSY), Err(ETIMEDOUT)]);
    first.open("repair")?;
    let well = (Ok(()), Ok(()), Ok(()));
    expect_eq!((first.join()?, second.join()?, newcomer.join()?), ((Err(EOWNERDEAD), Ok(()), Ok(())), well, well));
    expect_eq!(turn(&mutex), WELL);
    Ok(())
}
