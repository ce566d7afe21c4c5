//! The fixture of the cases about read-write locks: participants that hold a lock or wait for one, and what others get.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread::rwlock::{SharedLock, Wish};

/// A lock in memory that is shared with all participants.
pub fn rwlock() -> Result<SharedLock, Errno> {
    SharedLock::create(Mapping::anonymous(page_size())?)
}

/// A lock of the kind `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP`.
#[cfg(has_lock_preference)]
pub fn rwlock_that_prefers_writers() -> Result<SharedLock, Errno> {
    use conformance::sys::pthread::attributes::PREFER_WRITERS;
    SharedLock::create_with(Mapping::anonymous(page_size())?, |attributes| attributes.set_preference(PREFER_WRITERS))
}

/// A participant that holds the lock until the gate `unlock` is opened, or it is killed; what unlocking returned.
pub fn holder(lock: &SharedLock, mode: Wish) -> Result<Participant<Result<(), Errno>>, Failure> {
    let holder = Participant::spawn("holder", (), |(), link| {
        lock.lock(mode).expect("the lock is free");
        link.meet("unlock");
        lock.unlock()
    })?;
    holder.until_reached("unlock")?;
    Ok(holder)
}

/// A participant that is blocked on the lock; what locking and unlocking returned. Word 0 counts those that hold the lock.
pub fn waiter(lock: &SharedLock, mode: Wish) -> Result<Participant<[Result<(), Errno>; 2]>, Failure> {
    let waiter = Participant::spawn(if mode == Wish::Read { "reader" } else { "writer" }, (), |(), link| {
        let locked = lock.lock(mode);
        lock.word(0).fetch_add(1, SeqCst);
        link.wait("unlock");
        lock.word(0).fetch_sub(1, SeqCst);
        [locked, lock.unlock()]
    })?;
    waiter.until_blocked()?;
    Ok(waiter)
}

/// How many of the waiters hold the lock, once at least so many do.
pub fn holding(lock: &SharedLock, expected: u32) -> u32 {
    let mut pause = Pause::default();
    while lock.word(0).load(SeqCst) < expected {
        pause.sleep();
    }
    lock.word(0).load(SeqCst)
}

/// What another process gets that tries to lock for reading and for writing.
pub fn tried_by_another(lock: &SharedLock) -> Result<[Result<(), Errno>; 2], Failure> {
    let try_and_unlock = |mode| lock.try_lock(mode).and_then(|()| lock.unlock());
    Participant::spawn("other", (), |(), _| [Wish::Read, Wish::Write].map(try_and_unlock))?.join()
}

/// What another process gets where the lock is free; also what locking and unlocking return.
pub const FREE: [Result<(), Errno>; 2] = [Ok(()), Ok(())];

/// What another process gets where readers hold the lock.
pub const READ_LOCKED: [Result<(), Errno>; 2] = [Ok(()), Err(EBUSY)];

/// What another process gets where a writer holds the lock.
pub const WRITE_LOCKED: [Result<(), Errno>; 2] = [Err(EBUSY), Err(EBUSY)];
