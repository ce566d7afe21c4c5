//! Read-write locks: any number of readers or one writer, and the last one to leave lets the next in.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread_rwlock::{SharedLock, Wish};
use conformance::sys::shm::SharedMemory;
use proptest::prelude::*;
use rstest::rstest;

use super::fixture::disturb;

fn lock() -> Result<SharedLock, Errno> {
    SharedLock::create(Mapping::anonymous(page_size())?)
}

/// A participant that holds the lock until the gate `unlock` is opened, or it is killed; what unlocking answered.
pub fn holder(lock: &SharedLock, wish: Wish) -> Result<Participant<Result<(), Errno>>, Failure> {
    let holder = Participant::spawn("holder", (), |(), link| {
        lock.lock(wish).expect("the lock can be had");
        link.meet("unlock");
        lock.unlock()
    })?;
    holder.until_reached("unlock")?;
    Ok(holder)
}

/// A participant that is blocked on the lock; what locking and unlocking answered. It counts itself while it is inside.
fn waiter(lock: &SharedLock, wish: Wish) -> Result<Participant<[Result<(), Errno>; 2]>, Failure> {
    let waiter = Participant::spawn(if wish == Wish::Read { "reader" } else { "writer" }, (), |(), link| {
        let locked = lock.lock(wish);
        lock.word(0).fetch_add(1, SeqCst);
        link.wait("unlock");
        lock.word(0).fetch_sub(1, SeqCst);
        [locked, lock.unlock()]
    })?;
    waiter.until_blocked()?;
    Ok(waiter)
}

/// How many are inside, once so many are.
fn inside(lock: &SharedLock, expected: u32) -> u32 {
    let mut pause = Pause::default();
    while lock.word(0).load(SeqCst) < expected {
        pause.sleep();
    }
    lock.word(0).load(SeqCst)
}

/// What another process is answered that tries to read and to write.
pub fn for_another(lock: &SharedLock) -> Result<[Result<(), Errno>; 2], Failure> {
    let try_and_leave = |wish| lock.try_lock(wish).and_then(|()| lock.unlock());
    Participant::spawn("other", (), |(), _| [Wish::Read, Wish::Write].map(try_and_leave))?.join()
}

const FREE: [Result<(), Errno>; 2] = [Ok(()), Ok(())];
const READ: [Result<(), Errno>; 2] = [Ok(()), Err(EBUSY)];
const WRITTEN: [Result<(), Errno>; 2] = [Err(EBUSY), Err(EBUSY)];

/// Readers are let in together and keep writers out until the last of them has left.
#[conformance::test(posix = "pthread_rwlock_rdlock", man = "pthread_rwlockattr_setpshared(3)")]
fn lets_readers_in_together() -> Outcome {
    let lock = lock()?;
    let readers = [holder(&lock, Wish::Read)?, holder(&lock, Wish::Read)?, holder(&lock, Wish::Read)?];
    for reader in readers {
        expect_eq!(for_another(&lock)?, READ);
        reader.open("unlock")?;
        expect_eq!(reader.join()?, Ok(()));
    }
    expect_eq!(for_another(&lock)?, FREE);
    Ok(())
}

/// A writer keeps everybody out until it has left.
#[conformance::test(posix = "pthread_rwlock_wrlock", man = "pthread_rwlockattr_setpshared(3)")]
fn lets_a_writer_in_alone() -> Outcome {
    let lock = lock()?;
    let writer = holder(&lock, Wish::Write)?;
    expect_eq!(for_another(&lock)?, WRITTEN);
    writer.open("unlock")?;
    expect_eq!((writer.join()?, for_another(&lock)?), (Ok(()), FREE));
    Ok(())
}

/// A writer is woken by the last reader that leaves, and by none before.
#[conformance::test(posix = "pthread_rwlock_unlock", man = "pthread_rwlockattr_setpshared(3)")]
fn lets_a_writer_in_after_the_last_reader() -> Outcome {
    let lock = lock()?;
    let readers = [holder(&lock, Wish::Read)?, holder(&lock, Wish::Read)?, holder(&lock, Wish::Read)?];
    let writer = waiter(&lock, Wish::Write)?;
    for reader in readers {
        expect_eq!((writer.until_settled()?, inside(&lock, 0)), (Settled::Blocked, 0));
        reader.open("unlock")?;
        expect_eq!(reader.join()?, Ok(()));
    }
    expect_eq!((inside(&lock, 1), for_another(&lock)?), (1, WRITTEN));
    writer.open("unlock")?;
    expect_eq!((writer.join()?, for_another(&lock)?), (FREE, FREE));
    Ok(())
}

/// A writer that leaves lets in all the readers that wait, together.
#[conformance::test(posix = "pthread_rwlock_unlock", man = "pthread_rwlockattr_setpshared(3)")]
fn lets_all_readers_in_after_a_writer() -> Outcome {
    let lock = lock()?;
    expect_eq!(lock.lock(Wish::Write), Ok(()));
    let readers = [waiter(&lock, Wish::Read)?, waiter(&lock, Wish::Read)?, waiter(&lock, Wish::Read)?];
    expect_eq!((inside(&lock, 0), lock.unlock()), (0, Ok(())));
    expect_eq!((inside(&lock, 3), for_another(&lock)?), (3, READ));
    for reader in readers {
        reader.open("unlock")?;
        expect_eq!(reader.join()?, FREE);
    }
    expect_eq!(for_another(&lock)?, FREE);
    Ok(())
}

/// Of several writers that wait each gets in, one after the other, beside readers that come in between.
#[conformance::test(posix = "pthread_rwlock_unlock", man = "pthread_rwlockattr_setpshared(3)")]
fn forgets_nobody_of_a_mixed_crowd() -> Outcome {
    let lock = lock()?;
    expect_eq!(lock.lock(Wish::Write), Ok(()));
    let mut crowd = Vec::new();
    for wish in [Wish::Write, Wish::Read, Wish::Write, Wish::Read] {
        let member = waiter(&lock, wish)?;
        member.open("unlock")?;
        crowd.push(member);
    }
    expect_eq!(lock.unlock(), Ok(()));
    for member in crowd {
        expect_eq!(member.join()?, FREE);
    }
    expect_eq!((inside(&lock, 0), for_another(&lock)?), (0, FREE));
    Ok(())
}

/// A process that has taken the lock for reading several times lets writers in after as many unlocks.
#[conformance::test(posix = "pthread_rwlock_rdlock", man = "pthread_rwlockattr_setpshared(3)")]
fn counts_how_often_it_is_read() -> Outcome {
    property(&(1..5_usize, any::<bool>()), |(times, tried)| {
        let lock = lock()?;
        for _ in 0..times {
            expect_eq!(if tried { lock.try_lock(Wish::Read) } else { lock.lock(Wish::Read) }, Ok(()));
        }
        for _ in 0..times {
            expect_eq!((for_another(&lock)?, lock.unlock()), (READ, Ok(())));
        }
        expect_eq!(for_another(&lock)?, FREE);
        Ok(())
    })
}

/// A writer that asks once more, for whichever purpose, is told of the deadlock and still has the lock.
#[rstest]
#[conformance::test(posix = "pthread_rwlock_wrlock", level = observed)]
fn may_tell_a_writer_of_its_deadlock(#[values(Wish::Read, Wish::Write)] wish: Wish) -> Outcome {
    let lock = lock()?;
    let writer = Participant::spawn("writer", (), |(), _| {
        let first = lock.lock(Wish::Write);
        (first, lock.try_lock(wish), lock.lock(wish), lock.unlock())
    })?;
    let told = writer.until_settled()? == Settled::Ended;
    observe!("rwlock.writers-deadlock-is-told", told);
    if told {
        expect_eq!(writer.join()?, (Ok(()), Err(EBUSY), Err(EDEADLK), Ok(())));
        expect_eq!(for_another(&lock)?, FREE);
    }
    Ok(())
}

/// Nothing tells others that a holder was killed: the lock stays as it left it.
#[rstest]
#[case::a_reader(Wish::Read, READ)]
#[case::a_writer(Wish::Write, WRITTEN)]
#[conformance::test(posix = "pthread_rwlock_unlock", man = "pthread_rwlockattr_setpshared(3)")]
fn stays_locked_by_the_dead(#[case] wish: Wish, #[case] left: [Result<(), Errno>; 2]) -> Outcome {
    let lock = lock()?;
    let holder = holder(&lock, wish)?;
    let writer = waiter(&lock, Wish::Write)?;
    holder.kill()?;
    expect_eq!((writer.until_settled()?, inside(&lock, 0)), (Settled::Blocked, 0));
    writer.kill()?;
    // The dead writer may count as one that waits, for which some systems hold readers back; it is not inside.
    let seen = for_another(&lock)?;
    expect_eq!((seen[1], seen[0] == left[0] || wish == Wish::Read), (left[1], true));
    Ok(())
}

/// A reader that is killed while it waits for a writer leaves the others their turn.
#[conformance::test(posix = "pthread_rwlock_unlock", man = "pthread_rwlockattr_setpshared(3)")]
fn is_not_disturbed_by_a_dead_waiting_reader() -> Outcome {
    let lock = lock()?;
    expect_eq!(lock.lock(Wish::Write), Ok(()));
    let (first, second) = (waiter(&lock, Wish::Read)?, waiter(&lock, Wish::Read)?);
    first.kill()?;
    expect_eq!((lock.unlock(), inside(&lock, 1)), (Ok(()), 1));
    second.open("unlock")?;
    expect_eq!(second.join()?, FREE);
    Ok(())
}

/// Whether a reader is let in past a writer that waits is up to the system, where no priorities decide.
#[conformance::test(posix = "pthread_rwlock_rdlock", level = observed)]
fn may_let_a_reader_pass_a_waiting_writer() -> Outcome {
    let lock = lock()?;
    let reader = holder(&lock, Wish::Read)?;
    let writer = waiter(&lock, Wish::Write)?;
    let [passing, writing] = for_another(&lock)?;
    expect_matches!(passing, Ok(()) | Err(EBUSY));
    observe!("rwlock.reader-passes-a-waiting-writer", passing.is_ok());
    expect_eq!((writing, writer.until_settled()?), (Err(EBUSY), Settled::Blocked));
    reader.open("unlock")?;
    expect_eq!((reader.join()?, inside(&lock, 1), for_another(&lock)?), (Ok(()), 1, WRITTEN));
    writer.open("unlock")?;
    expect_eq!((writer.join()?, for_another(&lock)?), (FREE, FREE));
    Ok(())
}

/// A lock that prefers writers holds readers back while one waits.
#[cfg(has_lock_preference)]
#[conformance::test(man = "pthread_rwlockattr_setkind_np(3)")]
fn holds_readers_back_where_it_prefers_writers() -> Outcome {
    use conformance::sys::pthread_attributes::PREFER_WRITERS;
    let lock = SharedLock::create_with(Mapping::anonymous(page_size())?, |attributes| attributes.set_preference(PREFER_WRITERS))?;
    let reader = holder(&lock, Wish::Read)?;
    expect_eq!(for_another(&lock)?, READ);
    let writer = waiter(&lock, Wish::Write)?;
    let late = waiter(&lock, Wish::Read)?;
    expect_eq!(for_another(&lock)?, WRITTEN);
    reader.open("unlock")?;
    expect_eq!((reader.join()?, inside(&lock, 1), late.until_settled()?), (Ok(()), 1, Settled::Blocked));
    writer.open("unlock")?;
    expect_eq!((writer.join()?, inside(&lock, 1)), (FREE, 1));
    late.open("unlock")?;
    expect_eq!((late.join()?, for_another(&lock)?), (FREE, FREE));
    Ok(())
}

/// A signal is handled and does not end the wait.
#[rstest]
#[conformance::test(posix = "pthread_rwlock_rdlock", man = "signal(7)")]
fn is_not_interrupted(
    #[values(Wish::Read, Wish::Write)] wish: Wish,
    #[values(Restart::Yes, Restart::No)] restart: Restart,
) -> Outcome {
    let lock = lock()?;
    let writer = holder(&lock, Wish::Write)?;
    let waiter = Participant::spawn("waiter", (), |(), _| {
        signal::catch(Signal::SIGUSR1, restart)?;
        Ok::<_, Errno>((lock.lock(wish), lock.unlock(), signal::caught(Signal::SIGUSR1)))
    })?;
    disturb(&waiter)?;
    writer.open("unlock")?;
    expect_eq!((writer.join()?, waiter.join()?, for_another(&lock)?), (Ok(()), Ok((Ok(()), Ok(()), 1)), FREE));
    Ok(())
}

/// A process that maps the lock for itself, at another address, is kept out and let in as any other.
#[conformance::test(posix = "pthread_rwlockattr_setpshared", man = "pthread_rwlockattr_setpshared(3)")]
fn is_shared_at_different_addresses() -> Outcome {
    let memory = SharedMemory::create(&unique_name("lock"))?;
    memory.set_size(page_size())?;
    let lock = SharedLock::create(memory.map(page_size(), Access::ReadWrite)?)?;
    expect_eq!(lock.lock(Wish::Read), Ok(()));
    let name = memory.name().to_owned();
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, link| {
        let memory = SharedMemory::open(&name, Access::ReadWrite)?;
        let _room = Mapping::anonymous(3 * page_size())?;
        let lock = SharedLock::attach(memory.map(page_size(), Access::ReadWrite)?)?;
        let read = (lock.try_lock(Wish::Read), lock.unlock());
        let not_free = lock.try_lock(Wish::Write);
        link.reached("mapped");
        Ok::<_, Errno>((read, not_free, lock.lock(Wish::Write), lock.unlock()))
    })?;
    stranger.until_reached("mapped")?;
    stranger.until_blocked()?;
    expect_eq!(lock.unlock(), Ok(()));
    expect_eq!(stranger.join()?, Ok(((Ok(()), Ok(())), Err(EBUSY), Ok(()), Ok(()))));
    expect_matches!(lock.destroy(), Ok(_));
    Ok(())
}

/// Two words that are written together are read alike, however many read and write at once, and no writing is lost.
#[conformance::test(posix = "pthread_rwlock_wrlock", man = "pthread_rwlockattr_setpshared(3)")]
fn keeps_readers_from_half_a_change() -> Outcome {
    const EACH: u32 = 30;
    let lock = lock()?;
    let write = |(), _: &Link| {
        for turn in 0..EACH {
            lock.lock(Wish::Write)?;
            let count = lock.word(1).load(SeqCst) + 1;
            lock.word(1).store(count, SeqCst);
            if turn % 4 == 0 {
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
    expect_eq!(([1, 2].map(|word| lock.word(word).load(SeqCst)), for_another(&lock)?), ([2 * EACH; 2], FREE));
    Ok(())
}

/// Processes that only ever try, to read and to write a lock that prefers writers, all get in.
#[cfg(has_lock_preference)]
#[conformance::test(man = "pthread_rwlockattr_setkind_np(3)", fixed_in = "glibc 2.30")]
fn lets_all_in_who_only_try() -> Outcome {
    use conformance::sys::pthread_attributes::PREFER_WRITERS;
    const EACH: u32 = 30;
    let lock = SharedLock::create_with(Mapping::anonymous(page_size())?, |attributes| attributes.set_preference(PREFER_WRITERS))?;
    let work = |wish| {
        let lock = &lock;
        move |(), _: &Link| {
            for _ in 0..EACH {
                while lock.try_lock(wish) == Err(EBUSY) {
                    std::thread::yield_now();
                }
                let count = lock.word(0).load(SeqCst);
                std::thread::yield_now();
                if wish == Wish::Write {
                    lock.word(0).store(count + 1, SeqCst);
                }
                lock.unlock()?;
            }
            Ok::<_, Errno>(())
        }
    };
    let mut all = Vec::new();
    for wish in [Wish::Write, Wish::Read, Wish::Write, Wish::Read] {
        all.push(Participant::spawn("worker", (), work(wish))?);
    }
    for each in all {
        expect_eq!(each.join()?, Ok(()));
    }
    expect_eq!((lock.word(0).load(SeqCst), for_another(&lock)?), (2 * EACH, FREE));
    Ok(())
}
