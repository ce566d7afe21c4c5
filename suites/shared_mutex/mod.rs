//! Mutexes that several processes share (`PTHREAD_PROCESS_SHARED`), and what goes with them: condition variables, read-write
//! locks, barriers and spin locks.

#[cfg(not(has_barriers))]
mod absence;
mod attributes;
#[cfg(has_barriers)]
mod barrier;
mod condition;
mod condition_death;
mod condition_scene;
mod condition_time;
mod condition_use;
mod counter;
mod exclusion;
mod fixture;
#[cfg(linux)]
mod futex_bitset;
#[cfg(linux)]
mod futex_fixture;
#[cfg(linux)]
mod futex_interruption;
#[cfg(linux)]
mod futex_keys;
#[cfg(linux)]
mod futex_pi;
#[cfg(linux)]
mod futex_pi_death;
#[cfg(linux)]
mod futex_pi_state;
#[cfg(linux)]
mod futex_priority;
#[cfg(linux)]
mod futex_private;
#[cfg(linux)]
mod futex_refusal;
#[cfg(linux)]
mod futex_requeue;
#[cfg(linux)]
mod futex_requeue_pi;
#[cfg(linux)]
mod futex_robust;
#[cfg(linux)]
mod futex_robust_call;
#[cfg(linux)]
mod futex_robust_pending;
#[cfg(linux)]
mod futex_robust_walk;
#[cfg(linux)]
mod futex_storm;
#[cfg(linux)]
mod futex_sweep;
#[cfg(linux)]
mod futex_time_namespace;
#[cfg(linux)]
mod futex_timeout;
#[cfg(linux)]
mod futex_wait;
#[cfg(linux)]
mod futex_waitv;
#[cfg(linux)]
mod futex_wake;
#[cfg(linux)]
mod futex_wake_op;
#[cfg(linux)]
mod futex_younger;
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
