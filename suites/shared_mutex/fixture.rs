//! The fixture of the suite: kinds of mutex, participants that own a mutex or wait for it, deadlines, and shared memory that two
//! processes map at different addresses.

use std::time::Duration;

#[cfg(has_timed_locks)]
use conformance::outcome::{CaseResult, Cause};
use conformance::prelude::*;
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::pthread::{MutexAttributes, SharedMutex, attributes};
use conformance::sys::time::{Clock, Time};
use rstest_reuse::template;

/// The type of a mutex, or its protocol where that decides how it behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `PTHREAD_MUTEX_NORMAL`.
    Normal,
    /// `PTHREAD_MUTEX_ERRORCHECK`.
    Errorcheck,
    /// `PTHREAD_MUTEX_RECURSIVE`.
    Recursive,
    /// The default type with the protocol `PTHREAD_PRIO_INHERIT`: the kernel knows the owner.
    PrioInherit,
}

/// A case for each kind of mutex.
#[template]
#[rstest]
fn every_kind(#[values(Kind::Normal, Kind::Errorcheck, Kind::Recursive, Kind::PrioInherit)] kind: Kind) {}

/// A case for a mutex that the kernel does not know, and for one whose owner it knows.
#[template]
#[rstest]
fn normal_and_prio_inherit(#[values(Kind::Normal, Kind::PrioInherit)] kind: Kind) {}

impl Kind {
    pub fn configure(self, attributes: &mut MutexAttributes) -> Result<(), Errno> {
        match self {
            Kind::Normal => attributes.set_kind(attributes::NORMAL),
            Kind::Errorcheck => attributes.set_kind(attributes::ERRORCHECK),
            Kind::Recursive => attributes.set_kind(attributes::RECURSIVE),
            Kind::PrioInherit => attributes.set_protocol(attributes::PRIO_INHERIT),
        }
    }

    /// A mutex in memory that is shared with all participants.
    pub fn mutex(self) -> Result<SharedMutex, Errno> {
        SharedMutex::create_with(Mapping::anonymous(page_size())?, |attributes| self.configure(attributes))
    }

    /// A robust mutex (`PTHREAD_MUTEX_ROBUST`) in memory that is shared with all participants.
    #[cfg(has_robust_mutexes)]
    pub fn robust(self) -> Result<SharedMutex, Errno> {
        SharedMutex::create_with(Mapping::anonymous(page_size())?, |attributes| {
            attributes.set_robust(attributes::ROBUST)?;
            self.configure(attributes)
        })
    }
}

/// An absolute time that has passed on every clock: the beginning of `CLOCK_REALTIME`.
pub const PAST: Time = Time { seconds: 0, nanoseconds: 0 };

/// A timeout that does not expire while a case runs: years, as the real-time clock may be set forward by hours.
pub const FAR_AHEAD: Duration = Duration::from_hours(50_000);

/// A deadline on `CLOCK_REALTIME` that does not come while a case runs.
pub fn far_deadline() -> Result<Time, Errno> {
    Clock::Realtime.after(FAR_AHEAD)
}

/// Runs `scenario` with a deadline on `CLOCK_REALTIME` a few milliseconds ahead. Where the scenario returns `false`, as the deadline
/// came before it had seen its waiters blocked, it runs again with a deadline further ahead.
#[cfg(has_timed_locks)]
pub fn with_deadline(scenario: impl Fn(Time) -> Result<bool, Failure>) -> Outcome {
    for milliseconds in [5, 20, 80, 320, 1280, 5120] {
        if scenario(Clock::Realtime.after(Duration::from_millis(milliseconds))?)? {
            return Ok(());
        }
    }
    Err(Failure::new(CaseResult::Unresolved, Cause::Setup, "the deadline came each time before the waiters were seen blocked"))
}

/// Whether the deadline on `CLOCK_REALTIME` is still ahead.
#[cfg(has_timed_locks)]
pub fn is_ahead(until: Time) -> Result<bool, Errno> {
    Ok(Time::now(Clock::Realtime)? < until)
}

/// A participant that owns the mutex until the gate `unlock` is opened, or it is killed; what unlocking returned.
pub fn owner(mutex: &SharedMutex) -> Result<Participant<Result<(), Errno>>, Failure> {
    let owner = Participant::spawn("owner", (), |(), link| {
        mutex.lock().expect("the mutex is free");
        link.meet("unlock");
        mutex.unlock()
    })?;
    owner.until_reached("unlock")?;
    Ok(owner)
}

/// Waits until a participant is blocked, sends it `SIGUSR1`, which it catches, and stops and continues it; fails where it is not
/// blocked again after each.
#[track_caller]
pub fn disturb<T>(waiter: &Participant<T>) -> Result<(), Failure> {
    waiter.until_blocked()?;
    waiter.signal(Signal::SIGUSR1)?;
    waiter.expect_still_blocked()?;
    waiter.stop()?;
    waiter.resume()?;
    waiter.expect_still_blocked()
}

/// What locking and unlocking returned.
pub type LockUnlock = (Result<(), Errno>, Result<(), Errno>);

/// Locks the mutex and unlocks it.
pub fn lock_unlock(mutex: &SharedMutex) -> LockUnlock {
    (mutex.lock(), mutex.unlock())
}

/// Both the lock and the unlock returned 0.
pub const BOTH_OK: LockUnlock = (Ok(()), Ok(()));

/// A new shared memory object of one page, and a mapping of it.
pub fn named_memory(name: &str) -> Result<(SharedMemory, Mapping), Errno> {
    let memory = SharedMemory::create(&unique_name(name))?;
    memory.set_size(page_size())?;
    let mapping = memory.map(page_size(), Access::ReadWrite)?;
    Ok((memory, mapping))
}

/// Opens the shared memory object of that name and maps it. Another mapping comes first, so that the address is not that of the
/// process that created the object.
pub fn map_elsewhere(name: &str) -> Result<Mapping, Errno> {
    let memory = SharedMemory::open(name, Access::ReadWrite)?;
    let _other = Mapping::anonymous(3 * page_size())?;
    memory.map(page_size(), Access::ReadWrite)
}
