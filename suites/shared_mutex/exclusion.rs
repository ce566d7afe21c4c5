//! Exclusion: a mutex is one object for all processes that map the memory it is in, wherever they map it.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::pthread::SharedMutex;

/// Takes and releases the mutex, and says what it found the counter to be, which it adds one to.
fn count(mutex: &SharedMutex) -> (Result<(), Errno>, u32, Result<(), Errno>) {
    let locked = mutex.lock();
    let counted = mutex.word(0).load(SeqCst);
    mutex.word(0).store(counted + 1, SeqCst);
    (locked, counted, mutex.unlock())
}

/// A mutex that one process holds keeps out a child of it and a stranger that maps the memory for itself, and lets them in one
/// after the other once it is unlocked.
#[conformance::test(posix = "pthread_mutexattr_setpshared", man = "pthread_mutexattr_setpshared(3)")]
fn holds_between_processes_that_map_the_memory_apart() -> Outcome {
    let memory = SharedMemory::create(&unique_name("mutex"))?;
    memory.set_size(page_size())?;
    let mutex = SharedMutex::create(memory.map(page_size(), Access::ReadWrite)?)?;
    mutex.lock()?;
    let child = Participant::spawn("child", (), |(), _| count(&mutex))?;
    let name = memory.name().to_owned();
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, link| {
        let memory = SharedMemory::open(&name, Access::ReadWrite)?;
        // Not where the case has it: this is another program, and maps something else first.
        let _room = Mapping::anonymous(3 * page_size())?;
        let mutex = SharedMutex::attach(memory.map(page_size(), Access::ReadWrite)?)?;
        let not_free = mutex.try_lock();
        link.reached("mapped");
        Ok::<_, Errno>((not_free, count(&mutex)))
    })?;
    child.until_blocked()?;
    stranger.until_reached("mapped")?;
    stranger.until_blocked()?;
    expect_eq!(mutex.word(0).load(SeqCst), 0);
    expect_eq!(mutex.unlock(), Ok(()));
    let (not_free, (locked, second, unlocked)) = stranger.join()??;
    expect_eq!((not_free, locked, unlocked), (Err(EBUSY), Ok(()), Ok(())));
    let (locked, first, unlocked) = child.join()?;
    expect_eq!((locked, unlocked), (Ok(()), Ok(())));
    let mut counted = [first, second];
    counted.sort_unstable();
    expect_eq!((counted, mutex.word(0).load(SeqCst), mutex.try_lock()), ([0, 1], 2, Ok(())));
    Ok(())
}
