//! The types of mutex (normal, errorcheck, recursive): the owner that locks again, processes that do not own the mutex, destruction, and
//! the death of the owner of a mutex that is not robust.

use conformance::prelude::*;
use conformance::sys::pthread::{MutexAttributes, SharedMutex, attributes};
use proptest::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{BOTH_OK, Kind, every_kind, lock_unlock, normal_and_prio_inherit, owner};

/// While a process owns a mutex, each `pthread_mutex_trylock` by another process fails with `EBUSY`. After `pthread_mutex_unlock`
/// by the owner, which returns 0, `pthread_mutex_trylock` returns 0.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_trylock", man = "pthread_mutex_lock(3)")]
fn trylock_fails_with_ebusy_for_others(kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = owner(&mutex)?;
    expect_eq!([mutex.try_lock(), mutex.try_lock()], [Err(EBUSY); 2]);
    let other = Participant::spawn("other", (), |(), _| mutex.try_lock())?;
    expect_eq!(other.join()?, Err(EBUSY));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, mutex.try_lock(), mutex.unlock()), (Ok(()), Ok(()), Ok(())));
    Ok(())
}

/// Each `pthread_mutex_lock` by the owner of an errorcheck mutex fails with `EDEADLK`. After one `pthread_mutex_unlock` by the
/// owner, a second one fails with `EPERM`, and `pthread_mutex_lock` by another process returns 0.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_lock(3)")]
fn errorcheck_relock_fails_with_edeadlk() -> Outcome {
    let mutex = Kind::Errorcheck.mutex()?;
    expect_eq!([mutex.lock(), mutex.lock(), mutex.lock()], [Ok(()), Err(EDEADLK), Err(EDEADLK)]);
    expect_eq!([mutex.unlock(), mutex.unlock()], [Ok(()), Err(EPERM)]);
    let next = Participant::spawn("next owner", (), |(), _| lock_unlock(&mutex))?;
    expect_eq!(next.join()?, BOTH_OK);
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "one of several ways to configure")]
fn no_other_attribute(_: &mut MutexAttributes) -> Result<(), Errno> {
    Ok(())
}

fn prio_inherit(attributes: &mut MutexAttributes) -> Result<(), Errno> {
    attributes.set_protocol(attributes::PRIO_INHERIT)
}

#[cfg(has_robust_mutexes)]
fn robust(attributes: &mut MutexAttributes) -> Result<(), Errno> {
    attributes.set_robust(attributes::ROBUST)
}

/// `pthread_mutex_trylock` by the owner of an errorcheck mutex fails with `EBUSY`, whether or not the mutex is robust or has the
/// protocol `PTHREAD_PRIO_INHERIT`.
#[rstest]
#[case::stalled(no_other_attribute)]
#[case::prio_inherit(prio_inherit)]
#[cfg_attr(has_robust_mutexes, case::robust(robust))]
#[conformance::test(posix = "pthread_mutex_trylock", man = "pthread_mutex_lock(3)")]
fn errorcheck_trylock_by_the_owner_fails_with_ebusy(#[case] configure: fn(&mut MutexAttributes) -> Result<(), Errno>) -> Outcome {
    let mutex = SharedMutex::create_with(Mapping::anonymous(page_size())?, |attributes| {
        configure(attributes)?;
        Kind::Errorcheck.configure(attributes)
    })?;
    expect_eq!([mutex.lock(), mutex.try_lock(), mutex.unlock()], [Ok(()), Err(EBUSY), Ok(())]);
    Ok(())
}

/// `pthread_mutex_lock` by the owner of a normal mutex blocks and does not return. Meanwhile `pthread_mutex_trylock` by another
/// process fails with `EBUSY`.
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_lock(3)")]
fn normal_relock_blocks_the_owner(kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = Participant::spawn("owner", (), |(), _| (mutex.lock(), mutex.try_lock(), mutex.lock()))?;
    owner.until_blocked()?;
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    owner.expect_still_blocked()?;
    owner.kill()?;
    Ok(())
}

/// `pthread_mutex_unlock` of an errorcheck or recursive mutex that is unlocked, or that another process owns, fails with `EPERM`.
/// In the latter situation `pthread_mutex_trylock` then still fails with `EBUSY`, and `pthread_mutex_unlock` by the owner returns
/// 0.
#[rstest]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_lock(3)")]
fn unlock_by_another_process_fails_with_eperm(#[values(Kind::Errorcheck, Kind::Recursive)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    expect_eq!(mutex.unlock(), Err(EPERM));
    let owner = owner(&mutex)?;
    expect_eq!([mutex.unlock(), mutex.unlock(), mutex.try_lock()], [Err(EPERM), Err(EPERM), Err(EBUSY)]);
    owner.open("unlock")?;
    expect_eq!((owner.join()?, mutex.unlock(), lock_unlock(&mutex)), (Ok(()), Err(EPERM), BOTH_OK));
    Ok(())
}

/// `pthread_mutex_unlock` of a robust mutex of any type that is unlocked, or that another process owns, fails with `EPERM`. In
/// the latter situation `pthread_mutex_trylock` then still fails with `EBUSY`, and `pthread_mutex_unlock` by the owner returns 0.
#[cfg(has_robust_mutexes)]
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_lock(3)")]
fn robust_unlock_by_another_process_fails_with_eperm(kind: Kind) -> Outcome {
    let mutex = kind.robust()?;
    expect_eq!(mutex.unlock(), Err(EPERM));
    let owner = owner(&mutex)?;
    expect_eq!([mutex.unlock(), mutex.try_lock()], [Err(EPERM), Err(EBUSY)]);
    owner.open("unlock")?;
    expect_eq!((owner.join()?, mutex.unlock(), lock_unlock(&mutex)), (Ok(()), Err(EPERM), BOTH_OK));
    Ok(())
}

/// In a child forked while its parent owns an errorcheck or recursive mutex, `pthread_mutex_unlock` fails with `EPERM` and
/// `pthread_mutex_trylock` with `EBUSY`. `pthread_mutex_lock` in the child blocks until the parent calls `pthread_mutex_unlock`,
/// and then returns 0.
#[rstest]
#[conformance::test(posix = "fork", man = "pthread_mutex_lock(3)")]
fn child_is_not_the_owner(#[values(Kind::Errorcheck, Kind::Recursive)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    expect_eq!(mutex.lock(), Ok(()));
    let child = Participant::spawn("child", (), |(), link| {
        let seen = (mutex.unlock(), mutex.try_lock());
        link.meet("lock");
        (seen, lock_unlock(&mutex))
    })?;
    child.until_reached("lock")?;
    child.open("lock")?;
    child.until_blocked()?;
    expect_eq!(mutex.unlock(), Ok(()));
    expect_eq!(child.join()?, ((Err(EPERM), Err(EBUSY)), BOTH_OK));
    Ok(())
}

/// After its owner locked a recursive mutex n times (n from 1 to 11) with `pthread_mutex_lock` or `pthread_mutex_trylock`,
/// `pthread_mutex_trylock` by another process fails with `EBUSY` until the owner has called `pthread_mutex_unlock` n times, and
/// then returns 0. One more `pthread_mutex_unlock` fails with `EPERM`.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_lock(3)")]
fn recursive_is_free_after_as_many_unlocks() -> Outcome {
    property(&prop::collection::vec(any::<bool>(), 1..12), |trylocks| {
        let mutex = Kind::Recursive.mutex()?;
        let other = |expected| {
            let other = Participant::spawn("other", (), |(), _| (mutex.try_lock(), mutex.unlock()))?;
            expect_eq!(other.join()?, expected);
            Ok(())
        };
        for &trylock in &trylocks {
            expect_eq!(if trylock { mutex.try_lock() } else { mutex.lock() }, Ok(()));
        }
        for _ in 1..trylocks.len() {
            expect_eq!(mutex.unlock(), Ok(()));
        }
        other((Err(EBUSY), Err(EPERM)))?;
        expect_eq!([mutex.unlock(), mutex.unlock()], [Ok(()), Err(EPERM)]);
        other((Ok(()), Ok(())))
    })
}

/// `pthread_mutex_destroy` of a mutex that another process owns, which POSIX leaves undefined, may return 0 or any error, which
/// is recorded. If it returns `EBUSY`, `pthread_mutex_trylock` still fails with `EBUSY`, and after `pthread_mutex_unlock` by the
/// owner `pthread_mutex_destroy` and `pthread_mutex_init` return 0.
#[rstest]
#[conformance::test(posix = "pthread_mutex_destroy", level = observed)]
fn destroy_while_locked_is_recorded(#[values(Kind::Normal, Kind::Errorcheck, Kind::Recursive)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = owner(&mutex)?;
    let destroyed = mutex.try_destroy();
    observe!("mutex.destroy-while-locked", format!("{:?}", destroyed.as_ref().map(drop).map_err(|(_, errno)| errno)));
    if let Err((mutex, EBUSY)) = destroyed {
        expect_eq!(mutex.try_lock(), Err(EBUSY));
        owner.open("unlock")?;
        expect_eq!((owner.join()?, lock_unlock(&mutex)), (Ok(()), BOTH_OK));
        let memory = mutex.destroy();
        expect_matches!(memory, Ok(_));
        let second = SharedMutex::create(memory?)?;
        let next = Participant::spawn("next owner", (), |(), _| lock_unlock(&second))?;
        expect_eq!((next.join()?, lock_unlock(&second)), (BOTH_OK, BOTH_OK));
    }
    Ok(())
}

/// If the owner of a mutex that is not robust is killed by a signal, `pthread_mutex_trylock` still fails with `EBUSY`, and a
/// process blocked in `pthread_mutex_lock` stays blocked.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn stalled_stays_locked_when_its_owner_is_killed(
    #[values(Kind::Normal, Kind::Errorcheck, Kind::Recursive)] kind: Kind,
    #[values(Signal::SIGKILL, Signal::SIGTERM)] signal: Signal,
) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = owner(&mutex)?;
    let waiter = Participant::spawn("waiter", (), |(), _| mutex.lock())?;
    waiter.until_blocked()?;
    owner.signal(signal)?;
    expect_eq!(owner.end()?, End::Killed(signal));
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    waiter.expect_still_blocked()?;
    Ok(())
}
