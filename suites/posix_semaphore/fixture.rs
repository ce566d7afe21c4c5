//! The fixture of the suite: named and unnamed semaphores, names, and processes that wait.

use conformance::prelude::*;
use conformance::sys::semaphore::{Semaphore, sem_unlink};
use rstest_reuse::template;

/// A kind of semaphore. The kinds differ in how they are created and opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Created with `sem_open`.
    Named,
    /// Created with `sem_init` in memory that participants share.
    Unnamed,
}

/// A case for each kind of semaphore.
#[template]
#[rstest]
fn named_and_unnamed(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) {}

impl Kind {
    /// A new semaphore. On a system whose call fails with `ENOSYS` the case ends as unsupported.
    #[track_caller]
    pub fn create(self, value: u32) -> Result<Semaphore, Failure> {
        let (feature, created) = match self {
            Kind::Named => ("sem_open", Semaphore::create(&unique_name("sem"), value)),
            Kind::Unnamed => ("sem_init", Semaphore::unnamed(Mapping::anonymous(page_size())?, value)),
        };
        match created {
            Err(ENOSYS) => Err(Failure::unsupported(feature, "ENOSYS")),
            other => Ok(other?),
        }
    }
}

/// A name that the process which chose it unlinks on drop, whichever process created a semaphore of that name.
#[derive(Debug)]
pub struct Name {
    text: String,
    owner: u32,
}

impl Name {
    /// A name that no semaphore has.
    pub fn new() -> Self {
        Name::of(unique_name("sem"))
    }

    /// This very name.
    pub fn of(text: String) -> Self {
        Name { text, owner: std::process::id() }
    }
}

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            let _ = sem_unlink(&self.text);
        }
    }
}

/// The flags with which `sem_open` creates a semaphore and never opens one that exists.
pub const CREATE_NEW: OFlag = OFlag::O_CREAT.union(OFlag::O_EXCL);

/// `sem_open` with `O_CREAT | O_EXCL`, mode 0600 and that value.
pub fn create_named(name: &str, value: u32) -> Result<Semaphore, Errno> {
    Semaphore::open_with(name, CREATE_NEW, 0o600, value)
}

/// Processes that wait for a semaphore, and write their number into a pipe when they have been woken.
pub struct Waiters {
    pub participants: Vec<Participant<Result<(), Errno>>>,
    pub woken: OwnedFd,
}

impl Waiters {
    /// So many processes, all blocked in `sem_wait`, in the order of their numbers.
    #[track_caller]
    pub fn blocked(semaphore: &Semaphore, count: u8) -> Result<Self, Failure> {
        Waiters::blocked_in(count, || semaphore.wait())
    }

    /// So many processes, all blocked in the given call, in the order of their numbers.
    #[track_caller]
    pub fn blocked_in(count: u8, wait: impl Fn() -> Result<(), Errno>) -> Result<Self, Failure> {
        let (woken, report) = pipe()?;
        let mut participants = Vec::new();
        for number in 0..count {
            // Inherits every descriptor: on some systems a named semaphore is one.
            let waiter = Participant::spawn_inheriting(&format!("waiter {number}"), |_| {
                let waited = wait();
                write_all(&report, &[number]).and(waited)
            })?;
            waiter.until_blocked()?;
            participants.push(waiter);
        }
        Ok(Waiters { participants, woken })
    }

    /// The numbers of the next waiters that are woken, in ascending order.
    pub fn next_woken(&self, count: usize) -> Result<Vec<u8>, Errno> {
        let mut numbers = read_exactly(&self.woken, count)?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// How many are blocked, once all are blocked or have ended.
    pub fn still_blocked(&self) -> Result<usize, Errno> {
        let settled = self.participants.iter().map(|participant| participant.until_settled()).collect::<Result<Vec<_>, _>>()?;
        Ok(settled.into_iter().filter(|&settled| settled == Settled::Blocked).count())
    }
}

/// One process that is blocked in `sem_wait`.
#[track_caller]
pub fn one_blocked(semaphore: &Semaphore) -> Result<Participant<Result<(), Errno>>, Failure> {
    let waiter = Participant::spawn_inheriting("waiter", |_| semaphore.wait())?;
    waiter.until_blocked()?;
    Ok(waiter)
}
