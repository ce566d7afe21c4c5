//! What the cases about condition variables share: a mutex, a condition variable, and permits that waiters wait for.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread::SharedMutex;
use conformance::sys::pthread_condition::SharedCondition;

use super::fixture::{Kind, Turn};

/// The word behind the mutex that tells how many permits there are, which waiters take.
pub const PERMITS: usize = 0;
/// How many have come to wait.
pub const WAITING: usize = 1;
/// How many have gone on.
pub const GONE_ON: usize = 2;

/// A mutex of a kind, and a condition variable.
pub struct Scene {
    pub mutex: SharedMutex,
    pub condition: SharedCondition,
}

impl Scene {
    /// With nobody waiting and no permit.
    pub fn new(kind: Kind) -> Result<Self, Errno> {
        let condition = SharedCondition::create(Mapping::anonymous(page_size())?)?;
        Ok(Scene { mutex: kind.mutex()?, condition })
    }

    /// What a word behind the mutex holds.
    pub fn word(&self, index: usize) -> u32 {
        self.mutex.word(index).load(SeqCst)
    }

    /// Waits for a permit and takes it: what locking, the last wait and unlocking answered.
    pub fn take_a_permit(&self) -> [Result<(), Errno>; 3] {
        let locked = self.mutex.lock();
        self.mutex.word(WAITING).fetch_add(1, SeqCst);
        let mut waited = Ok(());
        while self.word(PERMITS) == 0 && waited.is_ok() {
            waited = self.condition.wait(&self.mutex);
        }
        self.mutex.word(PERMITS).fetch_sub(1, SeqCst);
        self.mutex.word(GONE_ON).fetch_add(1, SeqCst);
        [locked, waited, self.mutex.unlock()]
    }

    /// Adds permits under the mutex, and notifies nobody.
    pub fn give(&self, permits: u32) -> Turn {
        let locked = self.mutex.lock();
        self.mutex.word(PERMITS).fetch_add(permits, SeqCst);
        (locked, self.mutex.unlock())
    }

    /// Participants that sleep in the condition variable, and not on the mutex.
    pub fn waiters(&self, count: u32) -> Result<Vec<Waiter>, Failure> {
        let mut waiters = Vec::new();
        for number in 0..count {
            let before = self.word(WAITING);
            let waiter = Participant::spawn(&format!("waiter {number}"), (), |(), _| self.take_a_permit())?;
            self.until_more_wait_than(before);
            waiter.until_blocked()?;
            waiters.push(waiter);
        }
        Ok(waiters)
    }

    /// Returns once more than so many have come to wait. They hold the mutex until they sleep.
    pub fn until_more_wait_than(&self, before: u32) {
        let mut pause = Pause::default();
        while self.word(WAITING) <= before {
            pause.sleep();
        }
    }

    /// How many have gone on, once so many have.
    pub fn gone_on(&self, expected: u32) -> u32 {
        let mut pause = Pause::default();
        while self.word(GONE_ON) < expected {
            pause.sleep();
        }
        self.word(GONE_ON)
    }
}

/// What a waiter gives back is what `take_a_permit` gives.
pub type Waiter = Participant<[Result<(), Errno>; 3]>;

/// What a waiter is answered that goes on as it should.
pub const WENT_ON: [Result<(), Errno>; 3] = [Ok(()); 3];
