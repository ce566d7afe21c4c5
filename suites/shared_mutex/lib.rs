//! Mutexes that several processes share (`PTHREAD_PROCESS_SHARED`), and what goes with them: condition variables, read-write
//! locks, barriers and spin locks.

#[cfg(not(has_barriers))]
mod absence;
mod attributes;
#[cfg(has_barriers)]
mod barrier;
mod condition;
mod condition_death;
mod condition_fixture;
mod condition_time;
mod condition_use;
mod counter;
mod exclusion;
mod fixture;
#[cfg(has_robust_mutexes)]
mod instruction;
mod kinds;
mod memory;
#[cfg(has_robust_mutexes)]
mod owner_death;
#[cfg(linux)]
mod priority;
#[cfg(has_robust_mutexes)]
mod recovery;
mod register;
#[cfg_attr(has_robust_mutexes, path = "robust.rs")]
#[cfg_attr(not(has_robust_mutexes), path = "without_robust.rs")]
mod robust;
mod rwlock;
#[cfg(has_timed_locks)]
mod rwlock_time;
#[cfg(has_barriers)]
mod spin;
#[cfg(has_timed_locks)]
mod timed;
mod waiters;
