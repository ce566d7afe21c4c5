//! `futex(2)`: waiting on a word in memory, waking, requeueing, locks with priority inheritance, and robust lists.

#![cfg(linux)]

mod bitset;
mod fixture;
mod interruption;
mod keys;
mod pi;
mod pi_death;
mod pi_state;
mod priority;
mod private;
mod refusal;
mod requeue;
mod requeue_pi;
mod robust;
mod robust_call;
mod robust_pending;
mod robust_walk;
mod storm;
mod sweep;
mod time_namespace;
mod timeout;
mod wait;
mod waitv;
mod wake;
mod wake_op;
mod younger;
