//! Absence: what a C library does not have it does not have at all, so that programs can tell by looking.

use conformance::prelude::*;
use conformance::sys::symbol;
use rstest::rstest;

/// A system that lacks one function of a group lacks them all.
#[rstest]
#[case::timed_locks([c"pthread_mutex_timedlock", c"pthread_rwlock_timedrdlock", c"pthread_rwlock_timedwrlock"])]
#[case::barriers([c"pthread_barrier_init", c"pthread_barrier_wait", c"pthread_barrierattr_setpshared"])]
#[case::spin_locks([c"pthread_spin_init", c"pthread_spin_lock", c"pthread_spin_trylock"])]
#[conformance::test(posix = "pthread.h")]
fn is_of_whole_groups(#[case] names: [&'static std::ffi::CStr; 3]) -> Outcome {
    expect_eq!((symbol::exists(c"pthread_mutex_lock"), names.map(symbol::exists)), (true, [false; 3]));
    Ok(())
}
