//! Spin locks: as plain mutexes, but whoever waits does not sleep.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::pthread::spin_lock::SharedSpinLock;

fn lock() -> Result<SharedSpinLock, Errno> {
    SharedSpinLock::create(Mapping::anonymous(page_size())?)
}

/// A spin lock that one process holds is busy for another, and for its owner, until it is unlocked.
#[conformance::test(posix = "pthread_spin_trylock", man = "pthread_spin_lock(3)")]
fn is_busy_while_it_is_held() -> Outcome {
    let lock = lock()?;
    let other = || Participant::spawn("other", (), |(), _| lock.try_lock().and_then(|()| lock.unlock()));
    expect_eq!(other()?.join()?, Ok(()));
    expect_eq!((lock.lock(), other()?.join()?, lock.try_lock()), (Ok(()), Err(EBUSY), Err(EBUSY)));
    expect_eq!((lock.unlock(), other()?.join()?), (Ok(()), Ok(())));
    expect_eq!((lock.try_lock(), other()?.join()?, lock.unlock()), (Ok(()), Err(EBUSY), Ok(())));
    expect_matches!(lock.destroy(), Ok(_));
    Ok(())
}

/// A process that spins gets the lock when its owner unlocks it, and does not get it before.
#[conformance::test(posix = "pthread_spin_lock", man = "pthread_spin_lock(3)")]
fn is_passed_on() -> Outcome {
    let lock = lock()?;
    expect_eq!(lock.lock(), Ok(()));
    let spinner = Participant::spawn("spinner", (), |(), link| {
        link.reached("lock");
        (lock.lock(), lock.word(0).load(SeqCst), lock.unlock())
    })?;
    spinner.until_reached("lock")?;
    std::thread::yield_now();
    lock.word(0).store(1, SeqCst);
    expect_eq!((lock.unlock(), spinner.join()?, lock.try_lock()), (Ok(()), (Ok(()), 1, Ok(())), Ok(())));
    Ok(())
}

/// No increment is lost, however many processes count at once.
#[conformance::test(posix = "pthread_spin_lock", man = "pthread_spin_lock(3)")]
fn counts_each_increment() -> Outcome {
    const EACH: u32 = 200;
    let lock = lock()?;
    let count = |(), _: &Link| {
        for _ in 0..EACH {
            // Who is preempted inside lets the others spin: they yield here, for the sake of machines with one processor.
            while lock.try_lock() == Err(EBUSY) {
                std::thread::yield_now();
            }
            let counted = lock.word(0).load(SeqCst);
            lock.word(0).store(counted + 1, SeqCst);
            lock.unlock()?;
        }
        Ok::<_, Errno>(())
    };
    for counter in ["counter 1", "counter 2", "counter 3"].map(|name| Participant::spawn(name, (), count)) {
        expect_eq!(counter?.join()?, Ok(()));
    }
    expect_eq!((lock.word(0).load(SeqCst), lock.try_lock()), (3 * EACH, Ok(())));
    Ok(())
}

/// The death of its owner does not free it.
#[conformance::test(posix = "pthread_spin_lock", man = "pthread_spin_lock(3)")]
fn stays_locked_by_the_dead() -> Outcome {
    let lock = lock()?;
    let owner = Participant::spawn("owner", (), |(), link| -> () {
        assert_eq!(lock.lock(), Ok(()));
        link.reached("locked");
        link.park()
    })?;
    owner.until_reached("locked")?;
    owner.kill()?;
    expect_eq!([lock.try_lock(), lock.try_lock()], [Err(EBUSY); 2]);
    Ok(())
}

/// A process that maps the lock for itself, at another address, is kept out and let in as any other.
#[conformance::test(posix = "pthread_spin_init", man = "pthread_spin_init(3)")]
fn is_shared_at_different_addresses() -> Outcome {
    let memory = SharedMemory::create(&unique_name("spin"))?;
    memory.set_size(page_size())?;
    let lock = SharedSpinLock::create(memory.map(page_size(), Access::ReadWrite)?)?;
    expect_eq!(lock.lock(), Ok(()));
    let name = memory.name().to_owned();
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, link| {
        let memory = SharedMemory::open(&name, Access::ReadWrite)?;
        let _room = Mapping::anonymous(3 * page_size())?;
        let lock = SharedSpinLock::attach(memory.map(page_size(), Access::ReadWrite)?)?;
        let busy = lock.try_lock();
        link.meet("unlocked");
        Ok::<_, Errno>([busy, lock.lock(), lock.unlock()])
    })?;
    stranger.until_reached("unlocked")?;
    expect_eq!(lock.unlock(), Ok(()));
    stranger.open("unlocked")?;
    expect_eq!((stranger.join()?, lock.try_lock()), (Ok([Err(EBUSY), Ok(()), Ok(())]), Ok(())));
    Ok(())
}
