//! The fixture of the cases about condition variables: a mutex, a condition variable, and permits that waiters wait for.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread::SharedMutex;
use conformance::sys::pthread::condition::SharedCondition;

use super::fixture::{Kind, LockUnlock};

/// The word behind the mutex that counts the permits; a waiter takes one.
pub const PERMITS: usize = 0;
/// The word that counts the processes that have begun to wait.
pub const WAITING: usize = 1;
/// The word that counts the processes that have taken a permit.
pub const RETURNED: usize = 2;

/// A mutex of a kind, and a condition variable.
pub struct Scene {
    pub mutex: SharedMutex,
    pub condition: SharedCondition,
}

impl Scene {
    /// Without waiters and permits.
    pub fn new(kind: Kind) -> Result<Self, Errno> {
        let condition = SharedCondition::create(Mapping::anonymous(page_size())?)?;
        Ok(Scene { mutex: kind.mutex()?, condition })
    }

    /// The value of a word behind the mutex.
    pub fn word(&self, index: usize) -> u32 {
        self.mutex.word(index).load(SeqCst)
    }

    /// Waits for a permit and takes it: what locking, the last wait and unlocking returned.
    pub fn take_a_permit(&self) -> [Result<(), Errno>; 3] {
        let locked = self.mutex.lock();
        self.mutex.word(WAITING).fetch_add(1, SeqCst);
        let mut waited = Ok(());
        while self.word(PERMITS) == 0 && waited.is_ok() {
            waited = self.condition.wait(&self.mutex);
        }
        self.mutex.word(PERMITS).fetch_sub(1, SeqCst);
        self.mutex.word(RETURNED).fetch_add(1, SeqCst);
        [locked, waited, self.mutex.unlock()]
    }

    /// Adds permits under the mutex, and notifies no waiter.
    pub fn add_permits(&self, permits: u32) -> LockUnlock {
        let locked = self.mutex.lock();
        self.mutex.word(PERMITS).fetch_add(permits, SeqCst);
        (locked, self.mutex.unlock())
    }

    /// Participants that are blocked on the condition variable, and not on the mutex.
    pub fn waiters(&self, count: u32) -> Result<Vec<Waiter>, Failure> {
        let mut waiters = Vec::new();
        for number in 0..count {
            let before = self.word(WAITING);
            let waiter = Participant::spawn(&format!("waiter {number}"), (), |(), _| self.take_a_permit())?;
            self.until_waiting_exceeds(before);
            waiter.until_blocked()?;
            waiters.push(waiter);
        }
        Ok(waiters)
    }

    /// Returns once more than so many have begun to wait. They own the mutex until they block.
    pub fn until_waiting_exceeds(&self, before: u32) {
        let mut pause = Pause::default();
        while self.word(WAITING) <= before {
            pause.sleep();
        }
    }

    /// How many have taken a permit, once at least so many have.
    pub fn returned(&self, expected: u32) -> u32 {
        let mut pause = Pause::default();
        while self.word(RETURNED) < expected {
            pause.sleep();
        }
        self.word(RETURNED)
    }
}

/// A participant that runs `take_a_permit` and returns its result.
pub type Waiter = Participant<[Result<(), Errno>; 3]>;

/// What `take_a_permit` gives where every call returned 0.
pub const ALL_OK: [Result<(), Errno>; 3] = [Ok(()); 3];
