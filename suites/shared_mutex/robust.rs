//! Robust mutexes whose owner is killed at every system call, several waiters, several mutexes, and the state not recoverable. Each
//! kind of mutex is in `owner_death` and `recovery`.
//!
//! Locking and unlocking a free mutex makes no system call: the C library keeps a list of the mutexes that a thread owns, and the
//! kernel walks it when the thread ends. So a sweep needs marks between the steps in user space.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread::SharedMutex;
use proptest::prelude::*;

use super::fixture::{Kind, owner};

/// The number of words that the owner writes under the mutex, one after the other.
const STEPS: usize = 3;

fn robust() -> Result<SharedMutex, Errno> {
    Kind::Normal.robust()
}

fn words(mutex: &SharedMutex) -> [u32; STEPS] {
    std::array::from_fn(|step| mutex.word(step).load(SeqCst))
}

/// The words after so many of them have been written.
fn written(steps: usize) -> [u32; STEPS] {
    std::array::from_fn(|step| u32::from(step < steps))
}

/// The owner's work: a mark after each word, and one after the unlocking.
fn write_and_unlock(mutex: &SharedMutex) -> Result<(), Errno> {
    for step in 0..STEPS {
        mutex.word(step).store(1, SeqCst);
        mark();
    }
    let unlocked = mutex.unlock();
    mark();
    unlocked
}

/// What a later process sees: what locking returned, the words, and the first error of making consistent and unlocking.
type Seen = (Result<(), Errno>, [u32; STEPS], Result<(), Errno>);

fn take(lock: impl FnOnce(&SharedMutex) -> Result<(), Errno>, mutex: &SharedMutex) -> Seen {
    let locked = lock(mutex);
    let words = words(mutex);
    let consistent = if locked == Err(EOWNERDEAD) { mutex.consistent() } else { Ok(()) };
    (locked, words, consistent.and_then(|()| mutex.unlock()))
}

/// A process calls `pthread_mutex_lock` on an unlocked robust mutex, stores 1 in three words, one after the other, and calls
/// `pthread_mutex_unlock`; it is killed at the entry or the exit of a system call before the lock, after each store or after the
/// unlock. The next `pthread_mutex_trylock` returns `EOWNERDEAD` if `pthread_mutex_lock` had returned and `pthread_mutex_unlock`
/// had not, and 0 otherwise. The words stored before the kill are 1 and the others 0.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)", needs(ptrace))]
fn first_lock_after_a_killed_owner_returns_eownerdead() -> Outcome {
    sweep(|run| {
        let mutex = robust()?;
        let victim = run.victim("owner", (), |(), _| {
            mark();
            (mutex.lock(), write_and_unlock(&mutex))
        })?;
        // Marks begun: one before locking, one after each word, one after unlocking.
        let marks = victim.returned("getppid").len() + usize::from(victim.entered.as_deref() == Some("getppid"));
        expect_matches!(victim.value, None | Some((Ok(()), Ok(()))));
        let owned = (2..2 + STEPS).contains(&marks);
        let locked = if owned { Err(EOWNERDEAD) } else { Ok(()) };
        let left = written(marks.saturating_sub(1).min(STEPS));
        expect_eq!(take(SharedMutex::try_lock, &mutex), (locked, left, Ok(())));
        let next = Participant::spawn("next owner", (), |(), _| take(SharedMutex::lock, &mutex))?;
        expect_eq!(next.join()?, (Ok(()), left, Ok(())));
        Ok(())
    })
}

/// If the owner of a robust mutex is killed at the entry or the exit of each of its system calls up to the end of
/// `pthread_mutex_unlock`, `pthread_mutex_lock` returns in all three processes blocked in it, in each after the previous one has
/// unlocked. It returns `EOWNERDEAD` in one and 0 in two of them if the owner had not yet entered the `futex` call of its
/// `pthread_mutex_unlock`, and 0 in all three otherwise.
#[conformance::test(
    posix = "pthread_mutex_lock",
    man = "pthread_mutexattr_setrobust(3)",
    needs(ptrace),
    fixed_in = "Linux 5.5 (ca16d5bee598)"
)]
fn all_waiters_of_a_killed_owner_are_woken() -> Outcome {
    sweep(|run| {
        let mutex = robust()?;
        let mut waiters = Vec::new();
        let blocked = || {
            for name in ["waiter 1", "waiter 2", "waiter 3"] {
                waiters.push(Participant::spawn(name, (), |(), _| take(SharedMutex::lock, &mutex))?);
            }
            waiters.iter().try_for_each(|participant| participant.until_blocked())
        };
        let victim = run
            .scene("owner", ())
            .prepare(|()| mutex.lock())
            .meanwhile(blocked)
            .victim(|(), locked, _| (locked, write_and_unlock(&mutex)))?;
        expect_matches!(victim.value, None | Some((Ok(()), Ok(()))));
        let begun = |call: &str| victim.returned(call).len() + usize::from(victim.entered.as_deref() == Some(call));
        // Unlocking with waiters ends in a futex call that wakes one of them; at its entry the mutex is already unlocked.
        let owned = begun("futex") == 0;
        let left = written(if owned { begun("getppid") } else { STEPS });
        let first = (if owned { Err(EOWNERDEAD) } else { Ok(()) }, left, Ok(()));
        let mut seen = waiters.into_iter().map(Participant::join).collect::<Result<Vec<Seen>, _>>()?;
        seen.sort_unstable();
        expect_eq!(seen, [(Ok(()), left, Ok(())), (Ok(()), left, Ok(())), first]);
        expect_eq!(take(SharedMutex::try_lock, &mutex), (Ok(()), left, Ok(())));
        Ok(())
    })
}

/// After `pthread_mutex_lock` returned `EOWNERDEAD` and its caller called `pthread_mutex_unlock` without
/// `pthread_mutex_consistent`, `pthread_mutex_lock` fails with `ENOTRECOVERABLE` in every process. After `pthread_mutex_destroy`
/// and `pthread_mutex_init` in the same memory, `pthread_mutex_lock` returns 0.
#[conformance::test(posix = "pthread_mutex_consistent", man = "pthread_mutex_consistent(3)")]
fn unlock_without_consistent_makes_it_not_recoverable() -> Outcome {
    let mutex = robust()?;
    expect_eq!(mutex.consistent(), Err(EINVAL));
    owner(&mutex)?.kill()?;
    expect_eq!((mutex.lock(), mutex.unlock()), (Err(EOWNERDEAD), Ok(())));
    for name in ["waiter 1", "waiter 2"] {
        let next = Participant::spawn(name, (), |(), _| (mutex.lock(), mutex.lock(), mutex.consistent()))?;
        expect_eq!(next.join()?, (Err(ENOTRECOVERABLE), Err(ENOTRECOVERABLE), Err(EINVAL)));
    }
    let memory = mutex.destroy();
    expect_matches!(memory, Ok(_));
    let second = SharedMutex::create_robust(memory?)?;
    let next = Participant::spawn("next owner", (), |(), _| (second.lock(), second.unlock()))?;
    expect_eq!((next.join()?, second.try_lock()), ((Ok(()), Ok(())), Ok(())));
    Ok(())
}

/// After `pthread_mutex_trylock` returned `EOWNERDEAD` and its caller called `pthread_mutex_unlock` without
/// `pthread_mutex_consistent`, each `pthread_mutex_trylock` by that process and by others fails with `ENOTRECOVERABLE`.
#[conformance::test(posix = "pthread_mutex_trylock", man = "pthread_mutex_consistent(3)")]
fn trylock_returns_enotrecoverable_every_time() -> Outcome {
    let mutex = robust()?;
    owner(&mutex)?.kill()?;
    expect_eq!((mutex.try_lock(), mutex.unlock()), (Err(EOWNERDEAD), Ok(())));
    expect_eq!([mutex.try_lock(), mutex.try_lock()], [Err(ENOTRECOVERABLE); 2]);
    let next = Participant::spawn("next owner", (), |(), _| mutex.try_lock())?;
    expect_eq!(next.join()?, Err(ENOTRECOVERABLE));
    Ok(())
}

/// If the owner of a robust mutex is killed, `pthread_mutex_lock` returns `EOWNERDEAD` in one of three processes blocked in it.
/// After `pthread_mutex_unlock` by this process without `pthread_mutex_consistent`, `pthread_mutex_lock` returns
/// `ENOTRECOVERABLE` in the two others.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_consistent(3)")]
fn all_waiters_get_enotrecoverable() -> Outcome {
    let mutex = robust()?;
    let owner = owner(&mutex)?;
    let (done, report) = pipe()?;
    let mut waiters = Vec::new();
    for number in 0..3 {
        waiters.push(Participant::spawn(&format!("waiter {number}"), dup(&report)?, |report, _| {
            let locked = mutex.lock();
            if locked == Err(EOWNERDEAD) {
                mutex.unlock()?;
            }
            write_all(report, &[number]).and(locked)
        })?);
    }
    waiters.iter().try_for_each(|participant| participant.until_blocked())?;
    owner.kill()?;
    let returned = returned_waiters(&done, &waiters)?;
    let mut seen = Vec::new();
    for (number, waiter) in (0..).zip(waiters) {
        seen.push(if returned.contains(&number) { Some(waiter.join()?) } else { None });
    }
    seen.sort_unstable();
    expect_eq!(seen, [Err(EOWNERDEAD), Err(ENOTRECOVERABLE), Err(ENOTRECOVERABLE)].map(Some));
    Ok(())
}

/// The numbers of the waiters that have returned, once all others are blocked: then no process is left that could wake them.
fn returned_waiters<T>(done: &OwnedFd, waiters: &[Participant<T>]) -> Result<Vec<u8>, Errno> {
    let mut numbers = Vec::new();
    let mut pause = Pause::default();
    loop {
        numbers.extend(read_exactly(done, unread(done)?)?);
        let settled = (0..).zip(waiters).all(|(number, waiter)| numbers.contains(&number) || waiter.is_blocked());
        if settled && unread(done)? == 0 {
            return Ok(numbers);
        }
        pause.sleep();
    }
}

/// If a process locks and unlocks five robust mutexes in a random sequence of up to 23 calls and is killed,
/// `pthread_mutex_trylock` by another process returns `EOWNERDEAD` on those that the process had not unlocked again, and 0 on the
/// others.
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn killed_owner_leaves_eownerdead_on_owned_mutexes_only() -> Outcome {
    const MUTEXES: usize = 5;
    property(&prop::collection::vec(0..MUTEXES, 0..24), |choices| {
        let mutexes = (0..MUTEXES).map(|_| robust()).collect::<Result<Vec<_>, _>>()?;
        let owner = Participant::spawn("owner", (), |(), link| -> () {
            let mut held = [false; MUTEXES];
            for &choice in &choices {
                let done = if held[choice] { mutexes[choice].unlock() } else { mutexes[choice].lock() };
                held[choice] = !held[choice];
                done.expect("each mutex is free or owned by this process");
            }
            link.reached("done");
            link.park()
        })?;
        owner.until_reached("done")?;
        owner.kill()?;
        let odd = |mutex| choices.iter().filter(|&&choice| choice == mutex).count() % 2 == 1;
        let expected: Vec<_> = (0..MUTEXES).map(|mutex| if odd(mutex) { Err(EOWNERDEAD) } else { Ok(()) }).collect();
        expect_eq!(mutexes.iter().map(SharedMutex::try_lock).collect::<Vec<_>>(), expected);
        // Unlocked before their memory is unmapped.
        for (mutex, seen) in mutexes.iter().zip(expected) {
            seen.or_else(|_| mutex.consistent()).and_then(|()| mutex.unlock())?;
        }
        Ok(())
    })
}
