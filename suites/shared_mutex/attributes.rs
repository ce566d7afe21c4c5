//! Attributes: what an object is before anything is said, and that nothing is taken for an attribute which is none.

use conformance::prelude::*;
#[cfg(has_barriers)]
use conformance::sys::pthread::attributes::BarrierAttributes;
use conformance::sys::pthread::attributes::{ConditionAttributes, LockAttributes, MutexAttributes};
use conformance::sys::pthread::attributes::{ERRORCHECK, NORMAL, PRIO_INHERIT, PRIO_NONE, PRIVATE, RECURSIVE, SHARED};
#[cfg(has_lock_preference)]
use conformance::sys::pthread::attributes::{PREFER_READERS, PREFER_WRITERS};
#[cfg(has_robust_mutexes)]
use conformance::sys::pthread::attributes::{ROBUST, STALLED};
#[cfg(has_timed_locks)]
use conformance::sys::time::{Clock, PROCESSOR_TIME};
use rstest::rstest;

/// No value of any attribute.
const NONSENSE: [i32; 2] = [-1, 77];

/// A mutex is private to its process by default, and has no priority protocol; so are a condition variable and a read-write lock.
#[conformance::test(posix = "pthread_mutexattr_getpshared")]
fn are_private_by_default() -> Outcome {
    let (mutex, condition, lock) = (MutexAttributes::new()?, ConditionAttributes::new()?, LockAttributes::new()?);
    expect_eq!([mutex.shared(), condition.shared(), lock.shared()], [Ok(PRIVATE); 3]);
    expect_eq!(mutex.protocol(), Ok(PRIO_NONE));
    Ok(())
}

/// A barrier is private to its process by default, can be shared, and can be nothing else.
#[cfg(has_barriers)]
#[conformance::test(posix = "pthread_barrierattr_getpshared")]
fn of_a_barrier_are_private_or_shared() -> Outcome {
    let mut attributes = BarrierAttributes::new()?;
    expect_eq!(attributes.shared(), Ok(PRIVATE));
    expect_eq!((attributes.set_shared(SHARED), attributes.shared()), (Ok(()), Ok(SHARED)));
    expect_eq!((NONSENSE.map(|value| attributes.set_shared(value)), attributes.shared()), ([Err(EINVAL); 2], Ok(SHARED)));
    Ok(())
}

/// A mutex whose owner dies is of no concern to the system by default.
#[cfg(has_robust_mutexes)]
#[conformance::test(posix = "pthread_mutexattr_getrobust", man = "pthread_mutexattr_setrobust(3)")]
fn are_stalled_by_default() -> Outcome {
    expect_eq!(MutexAttributes::new()?.robust(), Ok(STALLED));
    Ok(())
}

/// The type of a mutex by default behaves as one of the three that have names; Linux has it be normal.
#[conformance::test(posix = "pthread_mutexattr_gettype", man = "pthread_mutexattr_settype(3)")]
fn are_of_a_known_type_by_default() -> Outcome {
    let kind = MutexAttributes::new()?.kind();
    expect_matches!(kind, Ok(NORMAL | ERRORCHECK | RECURSIVE));
    observe!("mutex.default-type-is-normal", kind == Ok(NORMAL));
    Ok(())
}

/// What an attribute is set to is what it is, and setting one changes no other.
#[conformance::test(posix = "pthread_mutexattr_settype")]
fn do_not_get_in_each_others_way() -> Outcome {
    let mut attributes = MutexAttributes::new()?;
    let all = |attributes: &MutexAttributes| (attributes.shared(), attributes.kind(), attributes.protocol());
    let first = attributes.kind();
    expect_eq!((attributes.set_shared(SHARED), all(&attributes)), (Ok(()), (Ok(SHARED), first, Ok(PRIO_NONE))));
    for kind in [ERRORCHECK, RECURSIVE, NORMAL] {
        expect_eq!((attributes.set_kind(kind), all(&attributes)), (Ok(()), (Ok(SHARED), Ok(kind), Ok(PRIO_NONE))));
    }
    expect_eq!(attributes.set_kind(RECURSIVE), Ok(()));
    expect_eq!(attributes.set_protocol(PRIO_INHERIT), Ok(()));
    expect_eq!(all(&attributes), (Ok(SHARED), Ok(RECURSIVE), Ok(PRIO_INHERIT)));
    expect_eq!(attributes.set_shared(PRIVATE), Ok(()));
    expect_eq!(all(&attributes), (Ok(PRIVATE), Ok(RECURSIVE), Ok(PRIO_INHERIT)));
    Ok(())
}

/// Robustness is set and unset, beside the other attributes.
#[cfg(has_robust_mutexes)]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn are_robust_when_told_so() -> Outcome {
    let mut attributes = MutexAttributes::new()?;
    expect_eq!([attributes.set_kind(RECURSIVE), attributes.set_shared(SHARED)], [Ok(()); 2]);
    for robust in [ROBUST, STALLED, ROBUST] {
        expect_eq!((attributes.set_robust(robust), attributes.robust()), (Ok(()), Ok(robust)));
        expect_eq!((attributes.kind(), attributes.shared()), (Ok(RECURSIVE), Ok(SHARED)));
    }
    Ok(())
}

/// A value that an attribute of a mutex cannot have is refused, and what was set before stays.
#[rstest]
#[case::sharing(MutexAttributes::set_shared, MutexAttributes::shared, SHARED)]
#[case::kind(MutexAttributes::set_kind, MutexAttributes::kind, ERRORCHECK)]
#[case::protocol(MutexAttributes::set_protocol, MutexAttributes::protocol, PRIO_INHERIT)]
#[cfg_attr(has_robust_mutexes, case::robustness(MutexAttributes::set_robust, MutexAttributes::robust, ROBUST))]
#[conformance::test(posix = "pthread_mutexattr_settype", man = "pthread_mutexattr_setrobust(3)")]
fn of_a_mutex_refuse_nonsense(
    #[case] set: fn(&mut MutexAttributes, i32) -> Result<(), Errno>,
    #[case] get: fn(&MutexAttributes) -> Result<i32, Errno>,
    #[case] sense: i32,
) -> Outcome {
    let mut attributes = MutexAttributes::new()?;
    expect_eq!(set(&mut attributes, sense), Ok(()));
    expect_eq!((NONSENSE.map(|value| set(&mut attributes, value)), get(&attributes)), ([Err(EINVAL); 2], Ok(sense)));
    Ok(())
}

/// A condition variable and a read-write lock are shared or private and nothing else.
#[conformance::test(posix = "pthread_condattr_setpshared")]
fn of_conditions_and_locks_refuse_nonsense() -> Outcome {
    let (mut condition, mut lock) = (ConditionAttributes::new()?, LockAttributes::new()?);
    expect_eq!((condition.set_shared(SHARED), condition.shared()), (Ok(()), Ok(SHARED)));
    expect_eq!((NONSENSE.map(|value| condition.set_shared(value)), condition.shared()), ([Err(EINVAL); 2], Ok(SHARED)));
    expect_eq!((lock.set_shared(SHARED), lock.shared()), (Ok(()), Ok(SHARED)));
    expect_eq!((NONSENSE.map(|value| lock.set_shared(value)), lock.shared()), ([Err(EINVAL); 2], Ok(SHARED)));
    Ok(())
}

/// A condition variable goes by the real-time clock by default and by the monotonic one if told so; it does not go by a clock that
/// counts a process's own work.
#[cfg(has_timed_locks)]
#[conformance::test(posix = "pthread_condattr_setclock")]
fn of_a_condition_choose_its_clock() -> Outcome {
    let mut attributes = ConditionAttributes::new()?;
    let (realtime, monotonic) = (Clock::Realtime.id(), Clock::Monotonic.id());
    expect_eq!(attributes.clock(), Ok(realtime));
    expect_eq!((attributes.set_clock(monotonic), attributes.clock()), (Ok(()), Ok(monotonic)));
    expect_eq!([attributes.set_clock(PROCESSOR_TIME), attributes.set_clock(4711)], [Err(EINVAL); 2]);
    expect_eq!((attributes.clock(), attributes.shared()), (Ok(monotonic), Ok(PRIVATE)));
    expect_eq!((attributes.set_shared(SHARED), attributes.clock()), (Ok(()), Ok(monotonic)));
    Ok(())
}

/// A read-write lock prefers readers by default, and can be told to prefer writers.
#[cfg(has_lock_preference)]
#[conformance::test(man = "pthread_rwlockattr_setkind_np(3)")]
fn of_a_lock_prefer_readers_or_writers() -> Outcome {
    let mut attributes = LockAttributes::new()?;
    expect_eq!(attributes.preference(), Ok(PREFER_READERS));
    expect_eq!((attributes.set_preference(PREFER_WRITERS), attributes.preference()), (Ok(()), Ok(PREFER_WRITERS)));
    expect_eq!(
        (NONSENSE.map(|value| attributes.set_preference(value)), attributes.preference()),
        ([Err(EINVAL); 2], Ok(PREFER_WRITERS))
    );
    Ok(())
}
