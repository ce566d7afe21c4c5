//! Spin locks: exclusion, a killed owner, and sharing at different addresses.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread::spin_lock::SharedSpinLock;

use super::fixture::{map_elsewhere, named_memory};

fn lock() -> Result<SharedSpinLock, Errno> {
    SharedSpinLock::create(Mapping::anonymous(page_size())?)
}

/// While a process owns a spin lock, `pthread_spin_trylock` fails with `EBUSY` in another process and in the owner itself. After
/// `pthread_spin_unlock` by the owner, `pthread_spin_trylock` by another process returns 0.
#[conformance::test(posix = "pthread_spin_trylock", man = "pthread_spin_lock(3)")]
fn trylock_fails_with_ebusy_while_locked() -> Outcome {
    let lock = lock()?;
    let other = || Participant::spawn("other", (), |(), _| lock.try_lock().and_then(|()| lock.unlock()));
    expect_eq!(other()?.join()?, Ok(()));
    expect_eq!((lock.lock(), other()?.join()?, lock.try_lock()), (Ok(()), Err(EBUSY), Err(EBUSY)));
    expect_eq!((lock.unlock(), other()?.join()?), (Ok(()), Ok(())));
    expect_eq!((lock.try_lock(), other()?.join()?, lock.unlock()), (Ok(()), Err(EBUSY), Ok(())));
    expect_matches!(lock.destroy(), Ok(_));
    Ok(())
}

/// If another process owns the spin lock, `pthread_spin_lock` returns 0 after the owner has called `pthread_spin_unlock`, and the
/// caller then reads the value that the owner had stored before in a shared word.
#[conformance::test(posix = "pthread_spin_lock", man = "pthread_spin_lock(3)")]
fn lock_returns_after_the_unlock() -> Outcome {
    let lock = lock()?;
    expect_eq!(lock.lock(), Ok(()));
    let waiter = Participant::spawn("waiter", (), |(), link| {
        link.reached("lock");
        (lock.lock(), lock.word(0).load(SeqCst), lock.unlock())
    })?;
    waiter.until_reached("lock")?;
    // Not a wait: it lets the waiter begin to spin, also on a machine with one processor.
    std::thread::yield_now();
    lock.word(0).store(1, SeqCst);
    expect_eq!((lock.unlock(), waiter.join()?, lock.try_lock()), (Ok(()), (Ok(()), 1, Ok(())), Ok(())));
    Ok(())
}

/// If three processes increment a counter 200 times each, by load and store, between `pthread_spin_trylock`, repeated after each
/// `EBUSY`, and `pthread_spin_unlock`, the counter is 600 at the end.
#[conformance::test(posix = "pthread_spin_lock", man = "pthread_spin_lock(3)")]
fn loses_no_increment() -> Outcome {
    const EACH: u32 = 200;
    let lock = lock()?;
    let count = |(), _: &Link| {
        for _ in 0..EACH {
            // Trying and pausing, so that on a machine with one processor an owner that was preempted can go on.
            let mut pause = Pause::default();
            while lock.try_lock() == Err(EBUSY) {
                pause.sleep();
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

/// If the owner of a spin lock is killed, each later `pthread_spin_trylock` by another process fails with `EBUSY`.
#[conformance::test(posix = "pthread_spin_lock", man = "pthread_spin_lock(3)")]
fn stays_locked_when_its_owner_is_killed() -> Outcome {
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

/// In a process that has mapped a process-shared spin lock at another address, `pthread_spin_trylock` fails with `EBUSY` while
/// another process owns the lock. After `pthread_spin_unlock` by the owner, `pthread_spin_lock` there returns 0.
#[conformance::test(posix = "pthread_spin_init", man = "pthread_spin_init(3)")]
fn is_shared_at_different_addresses() -> Outcome {
    let (memory, mapping) = named_memory("spin")?;
    let lock = SharedSpinLock::create(mapping)?;
    expect_eq!(lock.lock(), Ok(()));
    let name = memory.name().to_owned();
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, link| {
        let lock = SharedSpinLock::attach(map_elsewhere(&name)?)?;
        let tried = lock.try_lock();
        link.meet("unlocked");
        Ok::<_, Errno>([tried, lock.lock(), lock.unlock()])
    })?;
    unrelated.until_reached("unlocked")?;
    expect_eq!(lock.unlock(), Ok(()));
    unrelated.open("unlocked")?;
    expect_eq!((unrelated.join()?, lock.try_lock()), (Ok([Err(EBUSY), Ok(()), Ok(())]), Ok(())));
    Ok(())
}
