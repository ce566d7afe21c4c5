//! What the topics have in common: the kinds of mutex, and processes that hold one.

use std::time::Duration;

use conformance::prelude::*;
use conformance::sys::pthread::{MutexAttributes, SharedMutex, attributes};

/// How a mutex answers its owner and strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `PTHREAD_MUTEX_NORMAL`.
    Normal,
    /// `PTHREAD_MUTEX_ERRORCHECK`.
    ErrorChecking,
    /// `PTHREAD_MUTEX_RECURSIVE`.
    Recursive,
    /// Normal and `PTHREAD_PRIO_INHERIT`: the kernel knows the owner.
    Inheriting,
}

impl Kind {
    pub fn configure(self, attributes: &mut MutexAttributes) -> Result<(), Errno> {
        match self {
            Kind::Normal => attributes.set_kind(attributes::NORMAL),
            Kind::ErrorChecking => attributes.set_kind(attributes::ERRORCHECK),
            Kind::Recursive => attributes.set_kind(attributes::RECURSIVE),
            Kind::Inheriting => attributes.set_protocol(attributes::PRIO_INHERIT),
        }
    }

    /// A mutex in memory that is shared with all participants.
    pub fn mutex(self) -> Result<SharedMutex, Errno> {
        SharedMutex::create_with(Mapping::anonymous(page_size())?, |attributes| self.configure(attributes))
    }

    /// The same, and robust.
    #[cfg(has_robust_mutexes)]
    pub fn robust(self) -> Result<SharedMutex, Errno> {
        SharedMutex::create_with(Mapping::anonymous(page_size())?, |attributes| {
            attributes.set_robust(attributes::ROBUST)?;
            self.configure(attributes)
        })
    }
}

/// For a time that does not come while a case runs: years, as a clock of the day may be set forward by hours.
pub const FAR_AWAY: Duration = Duration::from_hours(50_000);

/// A participant that holds the mutex until the gate `unlock` is opened, or it is killed; what unlocking answered.
pub fn holder(mutex: &SharedMutex) -> Result<Participant<Result<(), Errno>>, Failure> {
    let holder = Participant::spawn("holder", (), |(), link| {
        mutex.lock().expect("the mutex is free");
        link.meet("unlock");
        mutex.unlock()
    })?;
    holder.until_reached("unlock")?;
    Ok(holder)
}

/// Waits until a participant is blocked, lets it handle `SIGUSR1`, and stops it and lets it go on: it is blocked still each time.
#[track_caller]
pub fn disturb<T>(waiter: &Participant<T>) -> Result<(), Failure> {
    waiter.until_blocked()?;
    waiter.signal(Signal::SIGUSR1)?;
    waiter.expect_still_blocked()?;
    waiter.stop()?;
    waiter.resume()?;
    waiter.expect_still_blocked()
}

/// What a participant is answered that locks and unlocks.
pub type Turn = (Result<(), Errno>, Result<(), Errno>);

/// Locks and unlocks.
pub fn turn(mutex: &SharedMutex) -> Turn {
    (mutex.lock(), mutex.unlock())
}

/// A turn in which all went well.
pub const WELL: Turn = (Ok(()), Ok(()));
