//! Exclusion between processes that inherited the memory of a mutex and processes that mapped it themselves.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::pthread::SharedMutex;

use super::fixture::{map_elsewhere, named_memory};

/// Locks the mutex, adds one to the counter, and unlocks: what locking returned, the counter before, what unlocking returned.
fn count(mutex: &SharedMutex) -> (Result<(), Errno>, u32, Result<(), Errno>) {
    let locked = mutex.lock();
    let counted = mutex.word(0).load(SeqCst);
    mutex.word(0).store(counted + 1, SeqCst);
    (locked, counted, mutex.unlock())
}

/// While a process owns a process-shared mutex, `pthread_mutex_lock` blocks in its child and in an unrelated process that maps
/// the mutex at another address, where `pthread_mutex_trylock` fails with `EBUSY`. After `pthread_mutex_unlock` by the owner,
/// both `pthread_mutex_lock` calls return 0, the second one after `pthread_mutex_unlock` by the first.
#[conformance::test(posix = "pthread_mutexattr_setpshared", man = "pthread_mutexattr_setpshared(3)")]
fn holds_for_a_child_and_an_unrelated_process() -> Outcome {
    let (memory, mapping) = named_memory("mutex")?;
    let mutex = SharedMutex::create(mapping)?;
    mutex.lock()?;
    let child = Participant::spawn("child", (), |(), _| count(&mutex))?;
    let name = memory.name().to_owned();
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, link| {
        let mutex = SharedMutex::attach(map_elsewhere(&name)?)?;
        let tried = mutex.try_lock();
        link.reached("mapped");
        Ok::<_, Errno>((tried, count(&mutex)))
    })?;
    child.until_blocked()?;
    unrelated.until_reached("mapped")?;
    unrelated.until_blocked()?;
    expect_eq!(mutex.word(0).load(SeqCst), 0);
    expect_eq!(mutex.unlock(), Ok(()));
    let (tried, (locked, second, unlocked)) = unrelated.join()??;
    expect_eq!((tried, locked, unlocked), (Err(EBUSY), Ok(()), Ok(())));
    let (locked, first, unlocked) = child.join()?;
    expect_eq!((locked, unlocked), (Ok(()), Ok(())));
    let mut counted = [first, second];
    counted.sort_unstable();
    expect_eq!((counted, mutex.word(0).load(SeqCst), mutex.try_lock()), ([0, 1], 2, Ok(())));
    Ok(())
}
