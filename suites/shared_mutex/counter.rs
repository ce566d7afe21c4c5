//! A counter that is read and written in two steps comes out right only if nobody else was in between.

use std::sync::atomic::Ordering::SeqCst;

#[cfg(has_robust_mutexes)]
use conformance::fault::storm::{Crowd, Nemesis};
use conformance::prelude::*;
use conformance::sys::pthread::SharedMutex;
use rstest::rstest;

use super::fixture::Kind;

/// Adds one in two steps, with a chance for others in between.
fn add_one(mutex: &SharedMutex, yielding: bool) {
    let counted = mutex.word(0).load(SeqCst);
    if yielding {
        std::thread::yield_now();
    }
    mutex.word(0).store(counted + 1, SeqCst);
}

/// No increment is lost and nobody is refused, however many processes count at once, by locking or by trying until they are let in.
#[rstest]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setpshared(3)")]
fn counts_each_increment(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
    #[values(false, true)] trying: bool,
) -> Outcome {
    const EACH: u32 = 40;
    let mutex = kind.mutex()?;
    let mut counters = Vec::new();
    for name in ["counter 1", "counter 2", "counter 3", "counter 4"] {
        counters.push(Participant::spawn(name, (), |(), _| {
            for turn in 0..EACH {
                if trying {
                    while mutex.try_lock() == Err(EBUSY) {
                        std::thread::yield_now();
                    }
                } else {
                    mutex.lock()?;
                }
                add_one(&mutex, turn % 4 == 0);
                mutex.unlock()?;
            }
            Ok::<_, Errno>(())
        })?);
    }
    for counter in counters {
        expect_eq!(counter.join()?, Ok(()));
    }
    expect_eq!((mutex.word(0).load(SeqCst), mutex.try_lock()), (4 * EACH, Ok(())));
    Ok(())
}

/// A timed lock that is always granted in the end excludes as any other.
#[cfg(has_timed_locks)]
#[rstest]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutexattr_setpshared(3)")]
fn counts_each_increment_in_time(#[values(Kind::Normal, Kind::Inheriting)] kind: Kind) -> Outcome {
    use conformance::sys::time::Clock;
    const EACH: u32 = 40;
    let mutex = kind.mutex()?;
    let count = |(), _: &Link| {
        for turn in 0..EACH {
            // So short that some attempts fail, which must not let anybody in.
            while mutex.timed_lock(Clock::Realtime.after(std::time::Duration::from_micros(50))?) == Err(ETIMEDOUT) {}
            add_one(&mutex, turn % 2 == 0);
            mutex.unlock()?;
        }
        Ok::<_, Errno>(())
    };
    let counters = ["counter 1", "counter 2", "counter 3"].map(|name| Participant::spawn(name, (), count));
    for counter in counters {
        expect_eq!(counter?.join()?, Ok(()));
    }
    expect_eq!((mutex.word(0).load(SeqCst), mutex.try_lock()), (3 * EACH, Ok(())));
    Ok(())
}

/// Two words that are changed together under a robust mutex differ only where an owner was killed between the two, and then the
/// next owner is told. So with repairs they are equal in the end, and nobody waits for the dead.
#[cfg(has_robust_mutexes)]
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn survives_counters_that_are_killed(#[values(Kind::Normal, Kind::Recursive, Kind::Inheriting)] kind: Kind) -> Outcome {
    const STRIKES: u32 = 8;
    let mutex = kind.robust()?;
    let (told, tell) = pipe()?;
    let mut crowd = Crowd::gather(3, |number, generation| {
        Participant::spawn(&format!("counter {number}, life {generation}"), dup(&tell)?, |tell, _| -> Result<(), String> {
            loop {
                let locked = mutex.lock();
                let (first, second) = (mutex.word(0).load(SeqCst), mutex.word(1).load(SeqCst));
                match locked {
                    Ok(()) if first == second => {}
                    Err(EOWNERDEAD) if first == second || first == second + 1 => {
                        mutex.word(1).store(first, SeqCst);
                        mutex.word(2).fetch_add(1, SeqCst);
                        mutex.consistent().map_err(|errno| format!("consistent: {errno:?}"))?;
                    }
                    other => return Err(format!("{other:?} with {first} and {second}")),
                }
                mutex.word(0).store(first + 1, SeqCst);
                std::thread::yield_now();
                mutex.word(1).store(first + 1, SeqCst);
                mutex.unlock().map_err(|errno| format!("unlock: {errno:?}"))?;
                if write(&tell, b"x").is_err() {
                    return Ok(());
                }
            }
        })
    })?;
    let mut nemesis = Nemesis::of_this_case();
    for _ in 0..STRIKES {
        expect_matches!(read(&told, &mut vec![0; 1 + nemesis.below(9)]), Ok(1..));
        crowd.strike(&mut nemesis)?;
    }
    expect_matches!(read_exactly(&told, 12), Ok(_));
    crowd.kill_all()?;
    let last = mutex.lock();
    let [first, second, reported] = [0, 1, 2].map(|word| mutex.word(word).load(SeqCst));
    expect!(last == Err(EOWNERDEAD) || (last == Ok(()) && first == second), "{last:?} with {first} and {second}");
    expect!(first == second || first == second + 1, "{first} and {second}");
    // Of the three that were killed at the end, the third had nobody left to be told.
    expect!(reported <= STRIKES + 2, "{reported} deaths reported of {STRIKES} and 3");
    Ok(())
}
