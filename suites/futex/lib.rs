//! Futexes: `futex(2)` with all of its operations, `futex_waitv(2)`, the futex2 system calls `futex_wait(2)`, `futex_wake(2)` and
//! `futex_requeue(2)`, and robust lists (`set_robust_list(2)`).
//!
//! The mutexes, semaphores and condition variables that a C library builds on futexes have suites of their own.

#![cfg(linux)]

mod bitset;
mod fixture;
mod futex2;
mod interruption;
mod invalid_arguments;
mod pi_deadlock;
mod pi_inconsistency;
mod pi_lock;
mod pi_owner_death;
mod pi_priority;
mod private_flag;
mod requeue;
mod requeue_pi;
mod robust_list;
mod robust_list_calls;
mod robust_list_pending;
mod robust_list_walk;
mod storm;
mod sweep;
mod time_namespace;
mod timeout;
mod wait;
mod waitv;
mod wake;
mod wake_op;
mod word_identity;
