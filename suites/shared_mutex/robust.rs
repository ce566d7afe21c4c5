//! Robust mutexes: the death of an owner is told to exactly one of those who come after, and to one who waits already.
//!
//! Locking and unlocking a free mutex makes no system call: the C library keeps a list of what a thread holds, and the kernel
//! walks it when the thread ends. So the windows are in user space, and a sweep needs marks there.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread::SharedMutex;
use proptest::prelude::*;

/// Words that the owner writes under the lock, one after the other.
const STEPS: usize = 3;

fn robust() -> Result<SharedMutex, Errno> {
    SharedMutex::create_robust(Mapping::anonymous(page_size())?)
}

fn words(mutex: &SharedMutex) -> [u32; STEPS] {
    std::array::from_fn(|step| mutex.word(step).load(SeqCst))
}

/// What the words are when so many of them have been written.
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

/// What a process that comes later sees: how the lock was had, the words under it, and how it was given back. It repairs what
/// it is told to be broken.
type Seen = (Result<(), Errno>, [u32; STEPS], Result<(), Errno>);

fn take(lock: impl FnOnce(&SharedMutex) -> Result<(), Errno>, mutex: &SharedMutex) -> Seen {
    let locked = lock(mutex);
    let words = words(mutex);
    let repaired = if locked == Err(EOWNERDEAD) { mutex.consistent() } else { Ok(()) };
    (locked, words, repaired.and_then(|()| mutex.unlock()))
}

/// Whoever locks a mutex first after its owner was killed is told so and holds it, with the data as the owner left it, and the
/// next one finds it repaired. Killed before it has the lock or after it has given it back, nobody is told anything.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setrobust(3)", needs(ptrace))]
fn tell_the_first_to_come_after_a_killed_owner() -> Outcome {
    sweep(|run| {
        let mutex = robust()?;
        let victim = run.victim("owner", (), |(), _| {
            mark();
            (mutex.lock(), write_and_unlock(&mutex))
        })?;
        // Marks begun: one before the lock is asked for, one after each word, one after the unlocking.
        let marks = victim.returned("getppid").len() + usize::from(victim.entered.as_deref() == Some("getppid"));
        expect_matches!(victim.value, None | Some((Ok(()), Ok(()))));
        let owned = (2..2 + STEPS).contains(&marks);
        let told = if owned { Err(EOWNERDEAD) } else { Ok(()) };
        let left = written(marks.saturating_sub(1).min(STEPS));
        expect_eq!(take(SharedMutex::try_lock, &mutex), (told, left, Ok(())));
        let next = Participant::spawn("next", (), |(), _| take(SharedMutex::lock, &mutex))?;
        expect_eq!(next.join()?, (Ok(()), left, Ok(())));
        Ok(())
    })
}

/// Of three processes that are blocked on a mutex, exactly one is told of its owner's death and the others get it one by one,
/// wherever between its first write and its return from unlocking the owner is killed. Killed between giving the mutex up and
/// waking somebody, it has told nobody, and yet nobody sleeps on.
#[conformance::test(
    posix = "pthread_mutex_lock",
    man = "pthread_mutexattr_setrobust(3)",
    needs(ptrace),
    fixed_in = "Linux 5.5 (ca16d5bee598)"
)]
fn wake_everybody_who_waits_for_a_killed_owner() -> Outcome {
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
        // Unlocking with waiters ends in a futex call that wakes one of them: by then the mutex is given up.
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

/// A participant that holds the mutex, until it is killed.
fn owner(mutex: &SharedMutex) -> Result<Participant<()>, Failure> {
    let owner = Participant::spawn("owner", (), |(), link| -> () {
        mutex.lock().expect("the lock is free");
        link.reached("locked");
        link.park()
    })?;
    owner.until_reached("locked")?;
    Ok(owner)
}

/// A mutex that was unlocked without having been repaired cannot be locked by anybody any more, and repairing comes too late;
/// destroying it and making it anew does not.
#[conformance::test(posix = "pthread_mutex_consistent", man = "pthread_mutex_consistent(3)")]
fn are_lost_when_nobody_repairs_them() -> Outcome {
    let mutex = robust()?;
    expect_eq!(mutex.consistent(), Err(EINVAL));
    owner(&mutex)?.kill()?;
    expect_eq!((mutex.lock(), mutex.unlock()), (Err(EOWNERDEAD), Ok(())));
    for name in ["next", "one more"] {
        let next = Participant::spawn(name, (), |(), _| (mutex.lock(), mutex.lock(), mutex.consistent()))?;
        expect_eq!(next.join()?, (Err(ENOTRECOVERABLE), Err(ENOTRECOVERABLE), Err(EINVAL)));
    }
    let memory = mutex.destroy();
    expect_matches!(memory, Ok(_));
    let anew = SharedMutex::create_robust(memory?)?;
    let next = Participant::spawn("next", (), |(), _| (anew.lock(), anew.unlock()))?;
    expect_eq!((next.join()?, anew.try_lock()), ((Ok(()), Ok(())), Ok(())));
    Ok(())
}

/// Trying a mutex that nobody repaired tells that it is lost as often as it is tried: the attempt leaves nothing locked.
#[conformance::test(posix = "pthread_mutex_trylock", man = "pthread_mutex_consistent(3)")]
fn stay_lost_however_often_they_are_tried() -> Outcome {
    let mutex = robust()?;
    owner(&mutex)?.kill()?;
    expect_eq!((mutex.try_lock(), mutex.unlock()), (Err(EOWNERDEAD), Ok(())));
    expect_eq!([mutex.try_lock(), mutex.try_lock()], [Err(ENOTRECOVERABLE); 2]);
    let next = Participant::spawn("next", (), |(), _| mutex.try_lock())?;
    expect_eq!(next.join()?, Err(ENOTRECOVERABLE));
    Ok(())
}

/// Everybody who is blocked on a mutex that the first to get it does not repair is told that it is lost: nobody sleeps on.
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutex_consistent(3)")]
fn tell_all_waiters_that_they_are_lost() -> Outcome {
    let mutex = robust()?;
    let owner = owner(&mutex)?;
    let (told, tell) = pipe()?;
    let mut waiters = Vec::new();
    for number in 0..3 {
        waiters.push(Participant::spawn(&format!("waiter {number}"), dup(&tell)?, |tell, _| {
            let locked = mutex.lock();
            if locked == Err(EOWNERDEAD) {
                mutex.unlock()?;
            }
            write_all(tell, &[number]).and(locked)
        })?);
    }
    waiters.iter().try_for_each(|participant| participant.until_blocked())?;
    owner.kill()?;
    let awake = who_is_told(&told, &waiters)?;
    let mut seen = Vec::new();
    for (number, waiter) in (0..).zip(waiters) {
        seen.push(if awake.contains(&number) { Some(waiter.join()?) } else { None });
    }
    seen.sort_unstable();
    expect_eq!(seen, [Err(EOWNERDEAD), Err(ENOTRECOVERABLE), Err(ENOTRECOVERABLE)].map(Some));
    Ok(())
}

/// The numbers of those who have told that they are done, once everybody else sleeps: then there is nobody left to wake them.
fn who_is_told<T>(told: &OwnedFd, waiters: &[Participant<T>]) -> Result<Vec<u8>, Errno> {
    let mut numbers = Vec::new();
    let mut pause = Pause::default();
    loop {
        numbers.extend(read_exactly(told, unread(told)?)?);
        let settled = (0..).zip(waiters).all(|(number, waiter)| numbers.contains(&number) || waiter.is_blocked());
        if settled && unread(told)? == 0 {
            return Ok(numbers);
        }
        pause.sleep();
    }
}

/// A process that dies with several mutexes is reported in each one that it held and in no other, whatever it locked and
/// unlocked before, and in whichever order.
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn report_each_one_that_was_held() -> Outcome {
    const MUTEXES: usize = 5;
    property(&prop::collection::vec(0..MUTEXES, 0..24), |turns| {
        let mutexes = (0..MUTEXES).map(|_| robust()).collect::<Result<Vec<_>, _>>()?;
        let owner = Participant::spawn("owner", (), |(), link| -> () {
            let mut held = [false; MUTEXES];
            for &turn in &turns {
                let done = if held[turn] { mutexes[turn].unlock() } else { mutexes[turn].lock() };
                held[turn] = !held[turn];
                done.expect("each is locked by nobody, or by this process");
            }
            link.reached("done");
            link.park()
        })?;
        owner.until_reached("done")?;
        owner.kill()?;
        let odd = |mutex| turns.iter().filter(|&&turn| turn == mutex).count() % 2 == 1;
        let expected: Vec<_> = (0..MUTEXES).map(|mutex| if odd(mutex) { Err(EOWNERDEAD) } else { Ok(()) }).collect();
        expect_eq!(mutexes.iter().map(SharedMutex::try_lock).collect::<Vec<_>>(), expected);
        // Given up before their memory is.
        for (mutex, seen) in mutexes.iter().zip(expected) {
            seen.or_else(|_| mutex.consistent()).and_then(|()| mutex.unlock())?;
        }
        Ok(())
    })
}
