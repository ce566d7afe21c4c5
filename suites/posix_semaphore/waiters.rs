//! Processes that wait, and say so when they have been let go.

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;

/// Processes that wait for the semaphore and put their number into a pipe when they have been let go.
pub struct Waiters {
    pub participants: Vec<Participant<Result<(), Errno>>>,
    pub woken: OwnedFd,
}

impl Waiters {
    /// So many, all of them blocked, in the order of their numbers.
    #[track_caller]
    pub fn blocked(semaphore: &Semaphore, count: u8) -> Result<Self, Failure> {
        Waiters::blocked_in(count, || semaphore.wait())
    }

    /// The same, blocked in a call of one's choice.
    #[track_caller]
    pub fn blocked_in(count: u8, wait: impl Fn() -> Result<(), Errno>) -> Result<Self, Failure> {
        let (woken, wakes) = pipe()?;
        let mut participants = Vec::new();
        for number in 0..count {
            // Inherited with everything else: to some systems a named semaphore is a descriptor.
            let waiter = Participant::spawn_inheriting(&format!("waiter {number}"), |_| {
                let waited = wait();
                write_all(&wakes, &[number]).and(waited)
            })?;
            waiter.until_blocked()?;
            participants.push(waiter);
        }
        Ok(Waiters { participants, woken })
    }

    /// The numbers of the next waiters that are let go, in ascending order.
    pub fn next(&self, count: usize) -> Result<Vec<u8>, Errno> {
        let mut numbers = read_exactly(&self.woken, count)?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// How many are blocked, once everybody has come to rest.
    pub fn asleep(&self) -> Result<usize, Errno> {
        let settled = self.participants.iter().map(|participant| participant.until_settled()).collect::<Result<Vec<_>, _>>()?;
        Ok(settled.into_iter().filter(|&settled| settled == Settled::Blocked).count())
    }
}

/// One process that waits for the semaphore, blocked.
#[track_caller]
pub fn one_blocked(semaphore: &Semaphore) -> Result<Participant<Result<(), Errno>>, Failure> {
    let waiter = Participant::spawn_inheriting("waiter", |_| semaphore.wait())?;
    waiter.until_blocked()?;
    Ok(waiter)
}
