//! Absence, on systems whose C library lacks a group of functions: programs find out by looking for one symbol. Robust mutexes have a
//! file of their own.

use conformance::prelude::*;
use conformance::sys::symbol;
use rstest::rstest;

/// If compiled for an Apple system, whose C library lacks these functions, `dlsym` finds `pthread_mutex_lock` and returns NULL
/// for `pthread_mutex_timedlock`, `pthread_rwlock_timedrdlock` and `pthread_rwlock_timedwrlock`, for `pthread_barrier_init`,
/// `pthread_barrier_wait` and `pthread_barrierattr_setpshared`, and for `pthread_spin_init`, `pthread_spin_lock` and
/// `pthread_spin_trylock`.
#[rstest]
#[case::timed_locks([c"pthread_mutex_timedlock", c"pthread_rwlock_timedrdlock", c"pthread_rwlock_timedwrlock"])]
#[case::barriers([c"pthread_barrier_init", c"pthread_barrier_wait", c"pthread_barrierattr_setpshared"])]
#[case::spin_locks([c"pthread_spin_init", c"pthread_spin_lock", c"pthread_spin_trylock"])]
#[conformance::test(posix = "pthread.h", level = customary)]
fn lacks_each_function_of_a_missing_group(#[case] functions: [&'static std::ffi::CStr; 3]) -> Outcome {
    expect_eq!((symbol::exists(c"pthread_mutex_lock"), functions.map(symbol::exists)), (true, [false; 3]));
    Ok(())
}
