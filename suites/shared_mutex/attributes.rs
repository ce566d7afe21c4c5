//! Attribute objects of mutexes, condition variables, read-write locks and barriers: defaults, setting and reading, invalid values.

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

/// Values that no attribute has.
const INVALID: [i32; 2] = [-1, 77];

/// On attributes after their `init` call, `pthread_mutexattr_getpshared`, `pthread_condattr_getpshared` and
/// `pthread_rwlockattr_getpshared` give `PTHREAD_PROCESS_PRIVATE`, and `pthread_mutexattr_getprotocol` gives `PTHREAD_PRIO_NONE`.
#[conformance::test(posix = "pthread_mutexattr_getpshared")]
fn default_to_private_and_prio_none() -> Outcome {
    let (mutex, condition, lock) = (MutexAttributes::new()?, ConditionAttributes::new()?, LockAttributes::new()?);
    expect_eq!(([mutex.shared(), condition.shared(), lock.shared()], mutex.protocol()), ([Ok(PRIVATE); 3], Ok(PRIO_NONE)));
    Ok(())
}

/// `pthread_barrierattr_getpshared` gives `PTHREAD_PROCESS_PRIVATE` on attributes after `pthread_barrierattr_init`, and
/// `PTHREAD_PROCESS_SHARED` after `pthread_barrierattr_setpshared` with `PTHREAD_PROCESS_SHARED`.
#[cfg(has_barriers)]
#[conformance::test(posix = "pthread_barrierattr_getpshared")]
fn barrier_is_private_by_default() -> Outcome {
    let mut attributes = BarrierAttributes::new()?;
    expect_eq!(attributes.shared(), Ok(PRIVATE));
    expect_eq!((attributes.set_shared(SHARED), attributes.shared()), (Ok(()), Ok(SHARED)));
    Ok(())
}

/// `pthread_barrierattr_setpshared` fails with `EINVAL` for the values -1 and 77, and `pthread_barrierattr_getpshared` still
/// gives the value set before.
#[cfg(has_barriers)]
#[conformance::test(posix = "pthread_barrierattr_setpshared", level = customary)]
fn barrier_setpshared_rejects_unknown_values() -> Outcome {
    let mut attributes = BarrierAttributes::new()?;
    attributes.set_shared(SHARED)?;
    expect_eq!((INVALID.map(|value| attributes.set_shared(value)), attributes.shared()), ([Err(EINVAL); 2], Ok(SHARED)));
    Ok(())
}

/// On new mutex attributes, `pthread_mutexattr_getrobust` gives `PTHREAD_MUTEX_STALLED`.
#[cfg(has_robust_mutexes)]
#[conformance::test(posix = "pthread_mutexattr_getrobust", man = "pthread_mutexattr_setrobust(3)")]
fn default_to_stalled() -> Outcome {
    expect_eq!(MutexAttributes::new()?.robust(), Ok(STALLED));
    Ok(())
}

/// On attributes after `pthread_mutexattr_init`, `pthread_mutexattr_gettype` gives `PTHREAD_MUTEX_DEFAULT`, which is equal to
/// `PTHREAD_MUTEX_NORMAL`, `PTHREAD_MUTEX_ERRORCHECK` or `PTHREAD_MUTEX_RECURSIVE`. The case records whether it is
/// `PTHREAD_MUTEX_NORMAL`.
#[conformance::test(posix = "pthread_mutexattr_gettype", man = "pthread_mutexattr_settype(3)", level = observed)]
fn default_type_is_one_of_the_named_types() -> Outcome {
    let kind = MutexAttributes::new()?.kind();
    expect_eq!(kind, Ok(nix::libc::PTHREAD_MUTEX_DEFAULT));
    expect_matches!(kind, Ok(NORMAL | ERRORCHECK | RECURSIVE));
    observe!("mutex.default-type-is-normal", kind == Ok(NORMAL));
    Ok(())
}

/// `pthread_mutexattr_setpshared`, `pthread_mutexattr_settype` and `pthread_mutexattr_setprotocol` each return 0 and change the
/// value that `pthread_mutexattr_getpshared`, `pthread_mutexattr_gettype` or `pthread_mutexattr_getprotocol` gives, and not the
/// values that the other two give.
#[conformance::test(posix = "pthread_mutexattr_settype")]
fn are_set_independently() -> Outcome {
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

/// `pthread_mutexattr_getrobust` gives the value that `pthread_mutexattr_setrobust` has set last, `PTHREAD_MUTEX_ROBUST` or
/// `PTHREAD_MUTEX_STALLED`. `pthread_mutexattr_gettype` and `pthread_mutexattr_getpshared` give the same values as before.
#[cfg(has_robust_mutexes)]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn setrobust_sets_robustness_only() -> Outcome {
    let mut attributes = MutexAttributes::new()?;
    expect_eq!([attributes.set_kind(RECURSIVE), attributes.set_shared(SHARED)], [Ok(()); 2]);
    for robust in [ROBUST, STALLED, ROBUST] {
        expect_eq!((attributes.set_robust(robust), attributes.robust()), (Ok(()), Ok(robust)));
        expect_eq!((attributes.kind(), attributes.shared()), (Ok(RECURSIVE), Ok(SHARED)));
    }
    Ok(())
}

/// `pthread_mutexattr_settype` and `pthread_mutexattr_setrobust` fail with `EINVAL` for the values -1 and 77, and
/// `pthread_mutexattr_gettype` and `pthread_mutexattr_getrobust` still give the values set before.
#[rstest]
#[case::mutex_type(MutexAttributes::set_kind, MutexAttributes::kind, ERRORCHECK)]
#[cfg_attr(has_robust_mutexes, case::robustness(MutexAttributes::set_robust, MutexAttributes::robust, ROBUST))]
#[conformance::test(posix = "pthread_mutexattr_settype", man = "pthread_mutexattr_setrobust(3)")]
fn settype_and_setrobust_reject_unknown_values(
    #[case] set: fn(&mut MutexAttributes, i32) -> Result<(), Errno>,
    #[case] get: fn(&MutexAttributes) -> Result<i32, Errno>,
    #[case] valid: i32,
) -> Outcome {
    reject_invalid(set, get, valid)
}

/// `pthread_mutexattr_setpshared` and `pthread_mutexattr_setprotocol` fail with `EINVAL` for the values -1 and 77, and
/// `pthread_mutexattr_getpshared` and `pthread_mutexattr_getprotocol` still give the values set before.
#[rstest]
#[case::process_shared(MutexAttributes::set_shared, MutexAttributes::shared, SHARED)]
#[case::protocol(MutexAttributes::set_protocol, MutexAttributes::protocol, PRIO_INHERIT)]
#[conformance::test(
    posix = "pthread_mutexattr_setprotocol",
    posix = "pthread_mutexattr_setpshared",
    man = "pthread_mutexattr_setpshared(3)",
    level = customary
)]
fn mutex_setpshared_and_setprotocol_reject_unknown_values(
    #[case] set: fn(&mut MutexAttributes, i32) -> Result<(), Errno>,
    #[case] get: fn(&MutexAttributes) -> Result<i32, Errno>,
    #[case] valid: i32,
) -> Outcome {
    reject_invalid(set, get, valid)
}

/// Sets a valid value, and expects the invalid ones to fail and to leave it.
fn reject_invalid(
    set: fn(&mut MutexAttributes, i32) -> Result<(), Errno>,
    get: fn(&MutexAttributes) -> Result<i32, Errno>,
    valid: i32,
) -> Outcome {
    let mut attributes = MutexAttributes::new()?;
    expect_eq!(set(&mut attributes, valid), Ok(()));
    expect_eq!((INVALID.map(|value| set(&mut attributes, value)), get(&attributes)), ([Err(EINVAL); 2], Ok(valid)));
    Ok(())
}

/// After `PTHREAD_PROCESS_SHARED` was set, `pthread_condattr_setpshared` and `pthread_rwlockattr_setpshared` fail with `EINVAL`
/// for the values -1 and 77. `pthread_condattr_getpshared` and `pthread_rwlockattr_getpshared` still give
/// `PTHREAD_PROCESS_SHARED`.
#[conformance::test(posix = "pthread_condattr_setpshared", posix = "pthread_rwlockattr_setpshared", level = customary)]
fn condition_and_rwlock_setpshared_reject_unknown_values() -> Outcome {
    let (mut condition, mut lock) = (ConditionAttributes::new()?, LockAttributes::new()?);
    expect_eq!((condition.set_shared(SHARED), condition.shared()), (Ok(()), Ok(SHARED)));
    expect_eq!((INVALID.map(|value| condition.set_shared(value)), condition.shared()), ([Err(EINVAL); 2], Ok(SHARED)));
    expect_eq!((lock.set_shared(SHARED), lock.shared()), (Ok(()), Ok(SHARED)));
    expect_eq!((INVALID.map(|value| lock.set_shared(value)), lock.shared()), ([Err(EINVAL); 2], Ok(SHARED)));
    Ok(())
}

/// `pthread_condattr_getclock` gives `CLOCK_REALTIME` on new attributes, and `CLOCK_MONOTONIC` after `pthread_condattr_setclock`
/// with `CLOCK_MONOTONIC`.
#[cfg(has_timed_locks)]
#[conformance::test(posix = "pthread_condattr_setclock")]
fn condition_clock_is_realtime_or_monotonic() -> Outcome {
    let mut attributes = ConditionAttributes::new()?;
    let (realtime, monotonic) = (Clock::Realtime.id(), Clock::Monotonic.id());
    expect_eq!(attributes.clock(), Ok(realtime));
    expect_eq!((attributes.set_clock(monotonic), attributes.clock()), (Ok(()), Ok(monotonic)));
    expect_eq!((attributes.clock(), attributes.shared()), (Ok(monotonic), Ok(PRIVATE)));
    expect_eq!((attributes.set_shared(SHARED), attributes.clock()), (Ok(()), Ok(monotonic)));
    Ok(())
}

/// `pthread_condattr_setclock` fails with `EINVAL` for `CLOCK_PROCESS_CPUTIME_ID` and for the unknown clock 4711, and
/// `pthread_condattr_getclock` still gives `CLOCK_MONOTONIC`, which was set before.
#[cfg(has_timed_locks)]
#[conformance::test(posix = "pthread_condattr_setclock", level = customary)]
fn condition_setclock_rejects_cpu_time_and_unknown_clocks() -> Outcome {
    let mut attributes = ConditionAttributes::new()?;
    let monotonic = Clock::Monotonic.id();
    attributes.set_clock(monotonic)?;
    expect_eq!([attributes.set_clock(PROCESSOR_TIME), attributes.set_clock(4711)], [Err(EINVAL); 2]);
    expect_eq!(attributes.clock(), Ok(monotonic));
    Ok(())
}

/// `pthread_rwlockattr_getkind_np` gives `PTHREAD_RWLOCK_PREFER_READER_NP` on new attributes, and
/// `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP` after `pthread_rwlockattr_setkind_np` with this kind.
/// `pthread_rwlockattr_setkind_np` fails with `EINVAL` for the values -1 and 77.
#[cfg(has_lock_preference)]
#[conformance::test(man = "pthread_rwlockattr_setkind_np(3)")]
fn rwlock_prefers_readers_by_default_or_writers() -> Outcome {
    let mut attributes = LockAttributes::new()?;
    expect_eq!(attributes.preference(), Ok(PREFER_READERS));
    expect_eq!((attributes.set_preference(PREFER_WRITERS), attributes.preference()), (Ok(()), Ok(PREFER_WRITERS)));
    expect_eq!(
        (INVALID.map(|value| attributes.set_preference(value)), attributes.preference()),
        ([Err(EINVAL); 2], Ok(PREFER_WRITERS))
    );
    Ok(())
}
