//! Process-shared synchronisation objects of `pthread.h` (`PTHREAD_PROCESS_SHARED`): mutexes, robust mutexes, condition variables,
//! read-write locks, barriers and spin locks. The system call below them has the suite `futex`.

#[cfg(not(has_barriers))]
mod absence;
mod attributes;
#[cfg(has_barriers)]
mod barrier;
mod condition;
mod condition_death;
mod condition_fixture;
mod condition_timed;
mod condition_use;
mod counter;
mod exclusion;
mod fixture;
mod history;
#[cfg(has_robust_mutexes)]
mod instruction_sweep;
mod memory;
mod mutex_types;
#[cfg(has_robust_mutexes)]
mod owner_death;
#[cfg(linux)]
mod priority;
#[cfg(has_robust_mutexes)]
mod recovery;
#[cfg_attr(has_robust_mutexes, path = "robust.rs")]
#[cfg_attr(not(has_robust_mutexes), path = "without_robust.rs")]
mod robust;
mod rwlock;
mod rwlock_fixture;
#[cfg(has_timed_locks)]
mod rwlock_timed;
#[cfg(has_barriers)]
mod spin;
#[cfg(has_timed_locks)]
mod timed;
mod waiters;
