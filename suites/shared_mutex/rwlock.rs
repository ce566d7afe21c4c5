//! Read-write locks without deadlines: shared and exclusive locking, which waiters an unlock wakes, killed holders and waiters, signal
//! handlers, the preference of writers. Deadlines have a file of their own.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
#[cfg(has_lock_preference)]
use conformance::process::Pause;
use conformance::sys::pthread::rwlock::{SharedLock, Wish};
use proptest::prelude::*;
use rstest::rstest;

use super::fixture::{disturb, map_elsewhere, named_memory};
#[cfg(has_lock_preference)]
use super::rwlock_fixture::rwlock_that_prefers_writers;
use super::rwlock_fixture::{FREE, READ_LOCKED, WRITE_LOCKED, holder, holding, rwlock, tried_by_another, waiter};

/// If three processes have called `pthread_rwlock_rdlock`, each call returns 0. Until the last of them calls
/// `pthread_rwlock_unlock`, `pthread_rwlock_tryrdlock` by another process returns 0 and `pthread_rwlock_trywrlock` fails with
/// `EBUSY`.
#[conformance::test(posix = "pthread_rwlock_rdlock", man = "pthread_rwlockattr_setpshared(3)")]
fn readers_share_the_lock() -> Outcome {
    let lock = rwlock()?;
    let readers = [holder(&lock, Wish::Read)?, holder(&lock, Wish::Read)?, holder(&lock, Wish::Read)?];
    for reader in readers {
        expect_eq!(tried_by_another(&lock)?, READ_LOCKED);
        reader.open("unlock")?;
        expect_eq!(reader.join()?, Ok(()));
    }
    expect_eq!(tried_by_another(&lock)?, FREE);
    Ok(())
}

/// After `pthread_rwlock_wrlock` by one process, `pthread_rwlock_tryrdlock` and `pthread_rwlock_trywrlock` by another process
/// fail with `EBUSY`. After `pthread_rwlock_unlock` by the first process, both return 0, one after the other and each unlocked
/// again.
#[conformance::test(posix = "pthread_rwlock_wrlock", man = "pthread_rwlockattr_setpshared(3)")]
fn writer_excludes_readers_and_writers() -> Outcome {
    let lock = rwlock()?;
    let writer = holder(&lock, Wish::Write)?;
    expect_eq!(tried_by_another(&lock)?, WRITE_LOCKED);
    writer.open("unlock")?;
    expect_eq!((writer.join()?, tried_by_another(&lock)?), (Ok(()), FREE));
    Ok(())
}

/// A process blocked in `pthread_rwlock_wrlock` stays blocked until the last of three readers calls `pthread_rwlock_unlock`. The
/// call then returns 0, and `pthread_rwlock_tryrdlock` by another process fails with `EBUSY`.
#[conformance::test(posix = "pthread_rwlock_unlock", man = "pthread_rwlockattr_setpshared(3)")]
fn last_reader_wakes_a_blocked_writer() -> Outcome {
    let lock = rwlock()?;
    let readers = [holder(&lock, Wish::Read)?, holder(&lock, Wish::Read)?, holder(&lock, Wish::Read)?];
    let writer = waiter(&lock, Wish::Write)?;
    for reader in readers {
        expect_eq!((writer.until_settled()?, holding(&lock, 0)), (Settled::Blocked, 0));
        reader.open("unlock")?;
        expect_eq!(reader.join()?, Ok(()));
    }
    expect_eq!((holding(&lock, 1), tried_by_another(&lock)?), (1, WRITE_LOCKED));
    writer.open("unlock")?;
    expect_eq!((writer.join()?, tried_by_another(&lock)?), (FREE, FREE));
    Ok(())
}

/// After `pthread_rwlock_unlock` by the writer, `pthread_rwlock_rdlock` returns 0 in all three processes that are blocked in it,
/// before any of them calls `pthread_rwlock_unlock`.
#[conformance::test(posix = "pthread_rwlock_unlock", man = "pthread_rwlockattr_setpshared(3)")]
fn writer_unlock_wakes_all_blocked_readers() -> Outcome {
    let lock = rwlock()?;
    expect_eq!(lock.lock(Wish::Write), Ok(()));
    let readers = [waiter(&lock, Wish::Read)?, waiter(&lock, Wish::Read)?, waiter(&lock, Wish::Read)?];
    expect_eq!((holding(&lock, 0), lock.unlock()), (0, Ok(())));
    expect_eq!((holding(&lock, 3), tried_by_another(&lock)?), (3, READ_LOCKED));
    for reader in readers {
        reader.open("unlock")?;
        expect_eq!(reader.join()?, FREE);
    }
    expect_eq!(tried_by_another(&lock)?, FREE);
    Ok(())
}

/// If two processes are blocked in `pthread_rwlock_rdlock` and two in `pthread_rwlock_wrlock` when the writer calls
/// `pthread_rwlock_unlock`, and each calls `pthread_rwlock_unlock` after its lock call has returned, all four calls return 0.
#[conformance::test(posix = "pthread_rwlock_unlock", man = "pthread_rwlockattr_setpshared(3)")]
fn every_blocked_reader_and_writer_gets_the_lock() -> Outcome {
    let lock = rwlock()?;
    expect_eq!(lock.lock(Wish::Write), Ok(()));
    let mut waiters = Vec::new();
    for mode in [Wish::Write, Wish::Read, Wish::Write, Wish::Read] {
        let waiter = waiter(&lock, mode)?;
        waiter.open("unlock")?;
        waiters.push(waiter);
    }
    expect_eq!(lock.unlock(), Ok(()));
    for waiter in waiters {
        expect_eq!(waiter.join()?, FREE);
    }
    expect_eq!((holding(&lock, 0), tried_by_another(&lock)?), (0, FREE));
    Ok(())
}

/// After a process has called `pthread_rwlock_rdlock` or `pthread_rwlock_tryrdlock` n times (n from 1 to 4),
/// `pthread_rwlock_trywrlock` by another process fails with `EBUSY` until the first one has called `pthread_rwlock_unlock` n
/// times, and then returns 0.
#[conformance::test(posix = "pthread_rwlock_rdlock", man = "pthread_rwlockattr_setpshared(3)")]
fn recursive_read_locks_are_counted() -> Outcome {
    property(&(1..5_usize, any::<bool>()), |(times, trylock)| {
        let lock = rwlock()?;
        for _ in 0..times {
            expect_eq!(if trylock { lock.try_lock(Wish::Read) } else { lock.lock(Wish::Read) }, Ok(()));
        }
        for _ in 0..times {
            expect_eq!((tried_by_another(&lock)?, lock.unlock()), (READ_LOCKED, Ok(())));
        }
        expect_eq!(tried_by_another(&lock)?, FREE);
        Ok(())
    })
}

/// `pthread_rwlock_rdlock` and `pthread_rwlock_wrlock` by the process that holds the lock for writing fail with `EDEADLK` or
/// block; both are allowed, and the case records which. `pthread_rwlock_tryrdlock` and `pthread_rwlock_trywrlock` by that process
/// fail with `EBUSY`.
#[rstest]
#[conformance::test(posix = "pthread_rwlock_wrlock", level = observed)]
fn relock_by_the_writer_is_recorded(#[values(Wish::Read, Wish::Write)] mode: Wish) -> Outcome {
    let lock = rwlock()?;
    let writer = Participant::spawn("writer", (), |(), _| {
        let first = lock.lock(Wish::Write);
        (first, lock.try_lock(mode), lock.lock(mode), lock.unlock())
    })?;
    let failed = writer.until_settled()? == Settled::Ended;
    observe!("rwlock.relock-by-the-writer", if failed { "EDEADLK" } else { "blocks" });
    if failed {
        expect_eq!(writer.join()?, (Ok(()), Err(EBUSY), Err(EDEADLK), Ok(())));
        expect_eq!(tried_by_another(&lock)?, FREE);
    }
    Ok(())
}

/// If a process that holds a read-write lock for reading or writing is killed, a process blocked in `pthread_rwlock_wrlock` stays
/// blocked, and `pthread_rwlock_trywrlock` fails with `EBUSY`.
#[rstest]
#[case::a_reader(Wish::Read, READ_LOCKED)]
#[case::a_writer(Wish::Write, WRITE_LOCKED)]
#[conformance::test(posix = "pthread_rwlock_unlock", man = "pthread_rwlockattr_setpshared(3)")]
fn stays_locked_when_its_holder_is_killed(#[case] mode: Wish, #[case] left: [Result<(), Errno>; 2]) -> Outcome {
    let lock = rwlock()?;
    let holder = holder(&lock, mode)?;
    let writer = waiter(&lock, Wish::Write)?;
    holder.kill()?;
    expect_eq!((writer.until_settled()?, holding(&lock, 0)), (Settled::Blocked, 0));
    writer.kill()?;
    // Some systems may count the killed writer as waiting, and hold back readers for it; it does not hold the lock.
    let seen = tried_by_another(&lock)?;
    expect_eq!((seen[1], seen[0] == left[0] || mode == Wish::Read), (left[1], true));
    Ok(())
}

/// If one of two processes blocked in `pthread_rwlock_rdlock` is killed, `pthread_rwlock_rdlock` returns 0 in the other after
/// `pthread_rwlock_unlock` by the writer.
#[conformance::test(posix = "pthread_rwlock_unlock", man = "pthread_rwlockattr_setpshared(3)")]
fn killed_blocked_reader_does_not_stop_another() -> Outcome {
    let lock = rwlock()?;
    expect_eq!(lock.lock(Wish::Write), Ok(()));
    let (first, second) = (waiter(&lock, Wish::Read)?, waiter(&lock, Wish::Read)?);
    first.kill()?;
    expect_eq!((lock.unlock(), holding(&lock, 1)), (Ok(()), 1));
    second.open("unlock")?;
    expect_eq!(second.join()?, FREE);
    Ok(())
}

/// While a reader holds the lock and another process is blocked in `pthread_rwlock_wrlock`, `pthread_rwlock_tryrdlock` by a third
/// process returns 0 or fails with `EBUSY`, and the case records which. After `pthread_rwlock_unlock` by the reader,
/// `pthread_rwlock_wrlock` returns 0.
#[conformance::test(posix = "pthread_rwlock_rdlock", level = observed)]
fn tryrdlock_while_a_writer_waits_is_recorded() -> Outcome {
    let lock = rwlock()?;
    let reader = holder(&lock, Wish::Read)?;
    let writer = waiter(&lock, Wish::Write)?;
    let [tryrdlock, trywrlock] = tried_by_another(&lock)?;
    expect_matches!(tryrdlock, Ok(()) | Err(EBUSY));
    observe!("rwlock.tryrdlock-passes-a-waiting-writer", tryrdlock.is_ok());
    expect_eq!((trywrlock, writer.until_settled()?), (Err(EBUSY), Settled::Blocked));
    reader.open("unlock")?;
    expect_eq!((reader.join()?, holding(&lock, 1), tried_by_another(&lock)?), (Ok(()), 1, WRITE_LOCKED));
    writer.open("unlock")?;
    expect_eq!((writer.join()?, tried_by_another(&lock)?), (FREE, FREE));
    Ok(())
}

/// While a reader holds a lock of the kind `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP` and a process is blocked in
/// `pthread_rwlock_wrlock`, `pthread_rwlock_rdlock` by a third process blocks. It returns 0 after `pthread_rwlock_unlock` by the
/// reader and then by the writer.
#[cfg(has_lock_preference)]
#[conformance::test(man = "pthread_rwlockattr_setkind_np(3)")]
fn writer_preference_holds_back_new_readers() -> Outcome {
    let lock = rwlock_that_prefers_writers()?;
    let reader = holder(&lock, Wish::Read)?;
    expect_eq!(tried_by_another(&lock)?, READ_LOCKED);
    let writer = waiter(&lock, Wish::Write)?;
    let late = waiter(&lock, Wish::Read)?;
    expect_eq!(tried_by_another(&lock)?, WRITE_LOCKED);
    reader.open("unlock")?;
    expect_eq!((reader.join()?, holding(&lock, 1), late.until_settled()?), (Ok(()), 1, Settled::Blocked));
    writer.open("unlock")?;
    expect_eq!((writer.join()?, holding(&lock, 1)), (FREE, 1));
    late.open("unlock")?;
    expect_eq!((late.join()?, tried_by_another(&lock)?), (FREE, FREE));
    Ok(())
}

/// A process blocked in `pthread_rwlock_rdlock` or `pthread_rwlock_wrlock` stays blocked after a signal handler has run,
/// installed with or without `SA_RESTART`, and after `SIGSTOP` and `SIGCONT`. The call returns 0 after `pthread_rwlock_unlock` by
/// the writer that holds the lock.
#[rstest]
#[conformance::test(posix = "pthread_rwlock_rdlock", man = "signal(7)")]
fn wait_goes_on_after_a_signal_handler(
    #[values(Wish::Read, Wish::Write)] mode: Wish,
    #[values(Restart::Yes, Restart::No)] restart: Restart,
) -> Outcome {
    let lock = rwlock()?;
    let writer = holder(&lock, Wish::Write)?;
    let waiter = Participant::spawn("waiter", (), |(), _| {
        signal::catch(Signal::SIGUSR1, restart)?;
        Ok::<_, Errno>((lock.lock(mode), lock.unlock(), signal::caught(Signal::SIGUSR1)))
    })?;
    disturb(&waiter)?;
    writer.open("unlock")?;
    expect_eq!((writer.join()?, waiter.join()?, tried_by_another(&lock)?), (Ok(()), Ok((Ok(()), Ok(()), 1)), FREE));
    Ok(())
}

/// In a process that has mapped a process-shared read-write lock at another address, `pthread_rwlock_tryrdlock` returns 0 and
/// `pthread_rwlock_trywrlock` fails with `EBUSY` while a reader in another process holds the lock. `pthread_rwlock_wrlock` there
/// blocks, and returns 0 after `pthread_rwlock_unlock` by that reader.
#[conformance::test(posix = "pthread_rwlockattr_setpshared", man = "pthread_rwlockattr_setpshared(3)")]
fn is_shared_at_different_addresses() -> Outcome {
    let (memory, mapping) = named_memory("lock")?;
    let lock = SharedLock::create(mapping)?;
    expect_eq!(lock.lock(Wish::Read), Ok(()));
    let name = memory.name().to_owned();
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, link| {
        let lock = SharedLock::attach(map_elsewhere(&name)?)?;
        let read = (lock.try_lock(Wish::Read), lock.unlock());
        let write = lock.try_lock(Wish::Write);
        link.reached("mapped");
        Ok::<_, Errno>((read, write, lock.lock(Wish::Write), lock.unlock()))
    })?;
    unrelated.until_reached("mapped")?;
    unrelated.until_blocked()?;
    expect_eq!(lock.unlock(), Ok(()));
    expect_eq!(unrelated.join()?, Ok(((Ok(()), Ok(())), Err(EBUSY), Ok(()), Ok(()))));
    expect_matches!(lock.destroy(), Ok(_));
    Ok(())
}

/// Two writers store the same number in two words, 30 times each and one higher each time, between `pthread_rwlock_wrlock` and
/// `pthread_rwlock_unlock`. Two readers find the words equal at each of 60 comparisons between `pthread_rwlock_rdlock` and
/// `pthread_rwlock_unlock`, and both words are 60 at the end.
#[conformance::test(posix = "pthread_rwlock_wrlock", man = "pthread_rwlockattr_setpshared(3)")]
fn readers_see_no_partial_write() -> Outcome {
    const EACH: u32 = 30;
    let lock = rwlock()?;
    let write = |(), _: &Link| {
        for turn in 0..EACH {
            lock.lock(Wish::Write)?;
            let count = lock.word(1).load(SeqCst) + 1;
            lock.word(1).store(count, SeqCst);
            if turn % 4 == 0 {
                // Not a wait: it makes it likely that a reader runs between the two words.
                std::thread::yield_now();
            }
            lock.word(2).store(count, SeqCst);
            lock.unlock()?;
        }
        Ok::<_, Errno>(0)
    };
    let read = |(), _: &Link| {
        let mut torn = 0;
        for _ in 0..2 * EACH {
            lock.lock(Wish::Read)?;
            torn += u32::from(lock.word(1).load(SeqCst) != lock.word(2).load(SeqCst));
            lock.unlock()?;
        }
        Ok(torn)
    };
    let writers = [Participant::spawn("writer 1", (), write)?, Participant::spawn("writer 2", (), write)?];
    let readers = [Participant::spawn("reader 1", (), read)?, Participant::spawn("reader 2", (), read)?];
    for each in writers.into_iter().chain(readers) {
        expect_eq!(each.join()?, Ok(0));
    }
    expect_eq!(([1, 2].map(|word| lock.word(word).load(SeqCst)), tried_by_another(&lock)?), ([2 * EACH; 2], FREE));
    Ok(())
}

/// On a lock of the kind `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP`, two readers that repeat `pthread_rwlock_tryrdlock` and
/// two writers that repeat `pthread_rwlock_trywrlock` after each `EBUSY` all get the result 0 and call `pthread_rwlock_unlock` 30
/// times each.
#[cfg(has_lock_preference)]
#[conformance::test(man = "pthread_rwlockattr_setkind_np(3)", fixed_in = "glibc 2.30")]
fn trylock_makes_progress_with_writer_preference() -> Outcome {
    const EACH: u32 = 30;
    let lock = rwlock_that_prefers_writers()?;
    let work = |mode| {
        let lock = &lock;
        move |(), _: &Link| {
            for _ in 0..EACH {
                let mut pause = Pause::default();
                while lock.try_lock(mode) == Err(EBUSY) {
                    pause.sleep();
                }
                let count = lock.word(0).load(SeqCst);
                // Not a wait: it makes it likely that the lock is found held.
                std::thread::yield_now();
                if mode == Wish::Write {
                    lock.word(0).store(count + 1, SeqCst);
                }
                lock.unlock()?;
            }
            Ok::<_, Errno>(())
        }
    };
    let mut all = Vec::new();
    for mode in [Wish::Write, Wish::Read, Wish::Write, Wish::Read] {
        all.push(Participant::spawn("worker", (), work(mode))?);
    }
    for each in all {
        expect_eq!(each.join()?, Ok(()));
    }
    expect_eq!((lock.word(0).load(SeqCst), tried_by_another(&lock)?), (2 * EACH, FREE));
    Ok(())
}
