//! Kinds of mutex: what the owner is answered that locks once more, and what a process is answered that does not own.

use conformance::prelude::*;
use conformance::sys::pthread::{MutexAttributes, SharedMutex, attributes};
use proptest::prelude::*;
use rstest::rstest;

use super::fixture::{Kind, WELL, holder, turn};

/// Trying a mutex that another process holds fails at once, as often as one tries, and takes nothing from its owner.
#[rstest]
#[conformance::test(posix = "pthread_mutex_trylock", man = "pthread_mutex_lock(3)")]
fn are_busy_for_others(#[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let holder = holder(&mutex)?;
    expect_eq!([mutex.try_lock(), mutex.try_lock()], [Err(EBUSY); 2]);
    let third = Participant::spawn("third", (), |(), _| mutex.try_lock())?;
    expect_eq!(third.join()?, Err(EBUSY));
    holder.open("unlock")?;
    expect_eq!((holder.join()?, mutex.try_lock(), mutex.unlock()), (Ok(()), Ok(()), Ok(())));
    Ok(())
}

/// A mutex that checks errors tells its owner who locks once more, and is unlocked by one call all the same.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_lock(3)")]
fn that_check_errors_refuse_a_second_lock() -> Outcome {
    let mutex = Kind::ErrorChecking.mutex()?;
    expect_eq!([mutex.lock(), mutex.lock(), mutex.lock()], [Ok(()), Err(EDEADLK), Err(EDEADLK)]);
    expect_eq!([mutex.unlock(), mutex.unlock()], [Ok(()), Err(EPERM)]);
    let next = Participant::spawn("next", (), |(), _| turn(&mutex))?;
    expect_eq!(next.join()?, WELL);
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "one of several ways to configure")]
fn nothing_else(_: &mut MutexAttributes) -> Result<(), Errno> {
    Ok(())
}

fn inheriting(attributes: &mut MutexAttributes) -> Result<(), Errno> {
    attributes.set_protocol(attributes::PRIO_INHERIT)
}

#[cfg(has_robust_mutexes)]
fn robust(attributes: &mut MutexAttributes) -> Result<(), Errno> {
    attributes.set_robust(attributes::ROBUST)
}

/// Trying is never a deadlock: to the owner of a mutex that checks errors it is as busy as to others, whatever else the mutex is.
#[rstest]
#[case::plain(nothing_else)]
#[case::inheriting(inheriting)]
#[cfg_attr(has_robust_mutexes, case::robust(robust))]
#[conformance::test(posix = "pthread_mutex_trylock", man = "pthread_mutex_lock(3)")]
fn that_check_errors_are_busy_for_their_owner(#[case] configure: fn(&mut MutexAttributes) -> Result<(), Errno>) -> Outcome {
    let mutex = SharedMutex::create_with(Mapping::anonymous(page_size())?, |attributes| {
        configure(attributes)?;
        Kind::ErrorChecking.configure(attributes)
    })?;
    expect_eq!([mutex.lock(), mutex.try_lock(), mutex.unlock()], [Ok(()), Err(EBUSY), Ok(())]);
    Ok(())
}

/// The owner of a normal mutex that locks it once more sleeps for ever: nobody else could free it.
#[rstest]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_lock(3)")]
fn that_are_normal_deadlock_their_owner(#[values(Kind::Normal, Kind::Inheriting)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = Participant::spawn("owner", (), |(), _| (mutex.lock(), mutex.try_lock(), mutex.lock()))?;
    owner.until_blocked()?;
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    owner.expect_still_blocked()?;
    owner.kill()?;
    Ok(())
}

/// A process that does not own a mutex which keeps account of its owner cannot unlock it, nor can the owner itself once too often.
#[rstest]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_lock(3)")]
fn cannot_be_unlocked_by_others(#[values(Kind::ErrorChecking, Kind::Recursive)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    expect_eq!(mutex.unlock(), Err(EPERM));
    let holder = holder(&mutex)?;
    expect_eq!([mutex.unlock(), mutex.unlock(), mutex.try_lock()], [Err(EPERM), Err(EPERM), Err(EBUSY)]);
    holder.open("unlock")?;
    expect_eq!((holder.join()?, mutex.unlock(), turn(&mutex)), (Ok(()), Err(EPERM), WELL));
    Ok(())
}

/// Nor can a robust mutex, of whichever kind.
#[cfg(has_robust_mutexes)]
#[rstest]
#[conformance::test(posix = "pthread_mutex_unlock", man = "pthread_mutex_lock(3)")]
fn that_are_robust_cannot_be_unlocked_by_others(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let mutex = kind.robust()?;
    expect_eq!(mutex.unlock(), Err(EPERM));
    let holder = holder(&mutex)?;
    expect_eq!([mutex.unlock(), mutex.try_lock()], [Err(EPERM), Err(EBUSY)]);
    holder.open("unlock")?;
    expect_eq!((holder.join()?, mutex.unlock(), turn(&mutex)), (Ok(()), Err(EPERM), WELL));
    Ok(())
}

/// A child does not own what its parent has locked: it cannot unlock it or lock it once more, and its end frees nothing.
#[rstest]
#[conformance::test(posix = "fork", man = "pthread_mutex_lock(3)")]
fn are_not_inherited_by_a_child(#[values(Kind::ErrorChecking, Kind::Recursive)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    expect_eq!(mutex.lock(), Ok(()));
    let child = Participant::spawn("child", (), |(), link| {
        let seen = (mutex.unlock(), mutex.try_lock());
        link.meet("lock");
        (seen, turn(&mutex))
    })?;
    child.until_reached("lock")?;
    child.open("lock")?;
    child.until_blocked()?;
    expect_eq!(mutex.unlock(), Ok(()));
    expect_eq!(child.join()?, ((Err(EPERM), Err(EBUSY)), WELL));
    Ok(())
}

/// A recursive mutex is free again after exactly as many unlocks as it was locked and tried, and not one earlier.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_lock(3)")]
fn that_are_recursive_count() -> Outcome {
    property(&prop::collection::vec(any::<bool>(), 1..12), |tried| {
        let mutex = Kind::Recursive.mutex()?;
        let other = |expected| {
            let other = Participant::spawn("other", (), |(), _| (mutex.try_lock(), mutex.unlock()))?;
            expect_eq!(other.join()?, expected);
            Ok(())
        };
        for &tried in &tried {
            expect_eq!(if tried { mutex.try_lock() } else { mutex.lock() }, Ok(()));
        }
        for _ in 1..tried.len() {
            expect_eq!(mutex.unlock(), Ok(()));
        }
        other((Err(EBUSY), Err(EPERM)))?;
        expect_eq!([mutex.unlock(), mutex.unlock()], [Ok(()), Err(EPERM)]);
        other((Ok(()), Ok(())))
    })
}

/// Destroying a mutex that is locked is refused, and leaves it locked; unlocked it can be destroyed, and made anew in the same memory.
#[rstest]
#[conformance::test(posix = "pthread_mutex_destroy", level = observed)]
fn that_are_held_are_not_destroyed(#[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive)] kind: Kind) -> Outcome {
    let mutex = kind.mutex()?;
    let holder = holder(&mutex)?;
    let tried = mutex.try_destroy();
    observe!("mutex.destroy-while-locked", format!("{:?}", tried.as_ref().map(drop).map_err(|(_, errno)| errno)));
    if let Err((mutex, EBUSY)) = tried {
        expect_eq!(mutex.try_lock(), Err(EBUSY));
        holder.open("unlock")?;
        expect_eq!((holder.join()?, turn(&mutex)), (Ok(()), WELL));
        let memory = mutex.destroy();
        expect_matches!(memory, Ok(_));
        let anew = SharedMutex::create(memory?)?;
        let next = Participant::spawn("next", (), |(), _| turn(&anew))?;
        expect_eq!((next.join()?, turn(&anew)), (WELL, WELL));
    }
    Ok(())
}

/// The death of its owner means nothing to a mutex that is not robust: it is locked for ever.
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn that_are_stalled_stay_locked_by_the_dead(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive)] kind: Kind,
    #[values(Signal::SIGKILL, Signal::SIGTERM)] signal: Signal,
) -> Outcome {
    let mutex = kind.mutex()?;
    let owner = holder(&mutex)?;
    let waiter = Participant::spawn("waiter", (), |(), _| mutex.lock())?;
    waiter.until_blocked()?;
    owner.signal(signal)?;
    expect_eq!(owner.end()?, End::Killed(signal));
    expect_eq!(mutex.try_lock(), Err(EBUSY));
    waiter.expect_still_blocked()?;
    Ok(())
}
