//! A counter that is incremented in two steps, which comes out right only where a mutex excludes: at full speed, with timed locks, and
//! while owners are killed.

use std::sync::atomic::Ordering::SeqCst;

#[cfg(has_robust_mutexes)]
use conformance::fault::storm::{Crowd, Nemesis};
use conformance::prelude::*;
use conformance::process::Pause;
use conformance::sys::pthread::SharedMutex;
use rstest::rstest;
use rstest_reuse::apply;

#[cfg(has_timed_locks)]
use super::fixture::normal_and_prio_inherit;
use super::fixture::{Kind, every_kind};

/// Adds one in two steps, and lets other processes run between them where asked to.
fn add_one(mutex: &SharedMutex, yielding: bool) {
    let counted = mutex.word(0).load(SeqCst);
    if yielding {
        // Not a wait: it makes it likely that another process is scheduled here.
        std::thread::yield_now();
    }
    mutex.word(0).store(counted + 1, SeqCst);
}

/// If four processes increment a counter 40 times each, by load and store, between `pthread_mutex_lock` or
/// `pthread_mutex_trylock`, repeated after each `EBUSY`, and `pthread_mutex_unlock`, the counter is 160 at the end.
/// `pthread_mutex_lock` and `pthread_mutex_unlock` return 0 each time.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_mutex_lock", man = "pthread_mutexattr_setpshared(3)")]
fn loses_no_increment(kind: Kind, #[values(false, true)] trylock: bool) -> Outcome {
    const EACH: u32 = 40;
    let mutex = kind.mutex()?;
    let mut counters = Vec::new();
    for name in ["counter 1", "counter 2", "counter 3", "counter 4"] {
        counters.push(Participant::spawn(name, (), |(), _| {
            for turn in 0..EACH {
                if trylock {
                    let mut pause = Pause::default();
                    while mutex.try_lock() == Err(EBUSY) {
                        pause.sleep();
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

/// If three processes increment a counter 40 times each, by load and store, between `pthread_mutex_timedlock`, repeated after
/// each `ETIMEDOUT`, and `pthread_mutex_unlock`, the counter is 120 at the end. Every `pthread_mutex_unlock` returns 0.
#[cfg(has_timed_locks)]
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_mutex_timedlock", man = "pthread_mutexattr_setpshared(3)")]
fn loses_no_increment_under_timed_locks(kind: Kind) -> Outcome {
    use conformance::sys::time::Clock;
    const EACH: u32 = 40;
    let mutex = kind.mutex()?;
    let count = |(), _: &Link| {
        for turn in 0..EACH {
            // So short that some attempts expire, which must not count as locking.
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

/// Three processes increment two words, the first one first, between `pthread_mutex_lock` and `pthread_mutex_unlock` of a robust
/// mutex, and are killed and replaced at random instants. After each `pthread_mutex_lock` that returns 0 the words are equal, and
/// after each that returns `EOWNERDEAD` the first word is equal to the second or 1 higher. After `EOWNERDEAD`, the process makes
/// the words equal and calls `pthread_mutex_consistent`, which returns 0.
#[cfg(has_robust_mutexes)]
#[rstest]
#[conformance::test(posix = "pthread_mutexattr_setrobust", man = "pthread_mutexattr_setrobust(3)")]
fn two_words_agree_unless_eownerdead_is_returned(
    #[values(Kind::Normal, Kind::Recursive, Kind::PrioInherit)] kind: Kind,
) -> Outcome {
    const KILLS: u32 = 8;
    let mutex = kind.robust()?;
    let (progress, report) = pipe()?;
    let mut crowd = Crowd::gather(3, |number, generation| {
        Participant::spawn(&format!("counter {number}, start {generation}"), dup(&report)?, |report, _| -> Result<(), String> {
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
                // Not a wait: it makes it likely that the process is killed here.
                std::thread::yield_now();
                mutex.word(1).store(first + 1, SeqCst);
                mutex.unlock().map_err(|errno| format!("unlock: {errno:?}"))?;
                if write(&report, b"x").is_err() {
                    return Ok(());
                }
            }
        })
    })?;
    let mut nemesis = Nemesis::of_this_case();
    for _ in 0..KILLS {
        expect_matches!(read(&progress, &mut vec![0; 1 + nemesis.below(9)]), Ok(1..));
        crowd.strike(&mut nemesis)?;
    }
    expect_matches!(read_exactly(&progress, 12), Ok(_));
    crowd.kill_all()?;
    let last = mutex.lock();
    let [first, second, reported] = [0, 1, 2].map(|word| mutex.word(word).load(SeqCst));
    expect!(
        last == Err(EOWNERDEAD) || (last == Ok(()) && first == second),
        "locking returned {last:?} with the words {first} and {second}"
    );
    expect!(first == second || first == second + 1, "the words are {first} and {second}");
    // Of the three that were killed at the end, no process was left to find the death of the last.
    expect!(reported <= KILLS + 2, "EOWNERDEAD was returned {reported} times after {KILLS} kills and 3 at the end");
    Ok(())
}
