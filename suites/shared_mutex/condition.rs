//! Condition variables without deadlines: which waiters a signal and a broadcast wake, the mutex during a wait, signal handlers,
//! destruction. Killed waiters and deadlines have files of their own.
//!
//! A waiter may wake spuriously, so that each checks a counter of permits under the mutex.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::pthread::SharedMutex;
use conformance::sys::pthread::condition::SharedCondition;
use rstest::rstest;
use rstest_reuse::apply;

use super::condition_fixture::{ALL_OK, PERMITS, RETURNED, Scene, WAITING};
use super::fixture::{BOTH_OK, Kind, disturb, every_kind, lock_unlock, map_elsewhere, named_memory};

/// If three processes call `pthread_cond_wait` until a counter is above 0, each increment of the counter followed by
/// `pthread_cond_signal` makes exactly one of them decrement the counter. Every `pthread_cond_wait` returns 0.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_signal(3)")]
fn each_signal_wakes_a_waiter(kind: Kind) -> Outcome {
    let scene = Scene::new(kind)?;
    let waiters = scene.waiters(3)?;
    for signals in 1..=3 {
        expect_eq!((scene.add_permits(1), scene.condition.signal()), (BOTH_OK, Ok(())));
        expect_eq!(scene.returned(signals), signals);
    }
    for waiter in waiters {
        expect_eq!(waiter.join()?, ALL_OK);
    }
    expect_eq!((scene.word(PERMITS), lock_unlock(&scene.mutex)), (0, BOTH_OK));
    Ok(())
}

/// One `pthread_cond_signal` makes `pthread_cond_wait` return 0 in one, two or three of three processes blocked in it, and the
/// case records in how many. A later `pthread_cond_broadcast` makes it return 0 in the rest.
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_signal(3)")]
fn signal_wakes_at_least_one_waiter() -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    let waiters = scene.waiters(3)?;
    // A permit for each waiter: each one that wakes takes one.
    expect_eq!((scene.add_permits(3), scene.condition.signal()), (BOTH_OK, Ok(())));
    expect_matches!(scene.returned(1), 1..=3);
    let mut ended = 0;
    for waiter in &waiters {
        ended += u32::from(waiter.until_settled()? == Settled::Ended);
    }
    observe!("condition.waiters-woken-by-one-signal", ended);
    expect_eq!((ended, scene.returned(0), scene.condition.broadcast()), (ended, ended, Ok(())));
    expect_eq!(scene.returned(3), 3);
    Ok(())
}

/// `pthread_cond_broadcast` makes `pthread_cond_wait` return 0 in every process that is blocked in it on the condition variable.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_cond_broadcast", man = "pthread_cond_broadcast(3)")]
fn broadcast_wakes_all_waiters(kind: Kind, #[values(1, 2, 5)] waiters: u32) -> Outcome {
    let scene = Scene::new(kind)?;
    let waiters = scene.waiters(waiters)?;
    let count = u32::try_from(waiters.len()).unwrap_or(0);
    expect_eq!((scene.add_permits(count), scene.condition.broadcast()), (BOTH_OK, Ok(())));
    for waiter in waiters {
        expect_eq!(waiter.join()?, ALL_OK);
    }
    expect_eq!((scene.word(PERMITS), scene.word(RETURNED), lock_unlock(&scene.mutex)), (0, count, BOTH_OK));
    Ok(())
}

/// `pthread_cond_signal` and `pthread_cond_broadcast` return 0 if no process is blocked in `pthread_cond_wait`. A process that
/// calls `pthread_cond_wait` afterwards stays blocked until the next `pthread_cond_signal` or `pthread_cond_broadcast`, and its
/// call then returns 0.
#[rstest]
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_signal(3)")]
fn signal_without_waiters_is_not_kept(#[values(SharedCondition::signal, SharedCondition::broadcast)] notify: Notify) -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    expect_eq!([(); 3].map(|()| notify(&scene.condition)), [Ok(()); 3]);
    // Without a predicate: a wait that returns was woken by a notification or spuriously.
    let waiter = Participant::spawn("waiter", (), |(), _| {
        scene.mutex.lock()?;
        scene.mutex.word(WAITING).store(1, SeqCst);
        scene.condition.wait(&scene.mutex)?;
        scene.mutex.unlock()
    })?;
    scene.until_waiting_exceeds(0);
    expect_eq!((waiter.until_settled()?, lock_unlock(&scene.mutex)), (Settled::Blocked, BOTH_OK));
    expect_eq!((notify(&scene.condition), waiter.join()?), (Ok(()), Ok(())));
    Ok(())
}

type Notify = fn(&SharedCondition) -> Result<(), Errno>;

/// While a process is blocked in `pthread_cond_wait`, `pthread_mutex_lock` by another process returns 0, and the first process
/// stays blocked after `pthread_cond_signal` until the other calls `pthread_mutex_unlock`. `pthread_cond_wait` then returns 0,
/// and `pthread_mutex_trylock` by the other process fails with `EBUSY`.
#[apply(every_kind)]
#[conformance::test(posix = "pthread_cond_wait", man = "pthread_cond_wait(3)")]
fn wait_unlocks_and_relocks_the_mutex(
    kind: Kind,
    #[values(SharedCondition::signal, SharedCondition::broadcast)] notify: Notify,
) -> Outcome {
    let scene = Scene::new(kind)?;
    let waiter = Participant::spawn("waiter", (), |(), link| {
        let locked = scene.mutex.lock();
        scene.mutex.word(WAITING).store(1, SeqCst);
        let mut waited = Ok(());
        while scene.word(PERMITS) == 0 && waited.is_ok() {
            waited = scene.condition.wait(&scene.mutex);
        }
        scene.mutex.word(RETURNED).store(1, SeqCst);
        link.meet("unlock");
        [locked, waited, scene.mutex.unlock()]
    })?;
    scene.until_waiting_exceeds(0);
    waiter.until_blocked()?;
    expect_eq!(scene.mutex.lock(), Ok(()));
    scene.mutex.word(PERMITS).store(1, SeqCst);
    expect_eq!((notify(&scene.condition), waiter.until_settled()?, scene.word(RETURNED)), (Ok(()), Settled::Blocked, 0));
    expect_eq!(scene.mutex.unlock(), Ok(()));
    waiter.until_reached("unlock")?;
    expect_eq!((scene.word(RETURNED), scene.mutex.try_lock()), (1, Err(EBUSY)));
    waiter.open("unlock")?;
    expect_eq!((waiter.join()?, lock_unlock(&scene.mutex)), (ALL_OK, BOTH_OK));
    Ok(())
}

/// `pthread_cond_wait` with an errorcheck mutex that is unlocked, or that another process owns, fails with `EPERM`.
#[conformance::test(posix = "pthread_cond_wait", man = "pthread_cond_wait(3)")]
fn wait_without_owning_the_mutex_fails_with_eperm() -> Outcome {
    let scene = Scene::new(Kind::Errorcheck)?;
    expect_eq!(scene.condition.wait(&scene.mutex), Err(EPERM));
    let owner = super::fixture::owner(&scene.mutex)?;
    expect_eq!(scene.condition.wait(&scene.mutex), Err(EPERM));
    owner.open("unlock")?;
    expect_eq!((owner.join()?, lock_unlock(&scene.mutex)), (Ok(()), BOTH_OK));
    Ok(())
}

/// If a process blocked in `pthread_cond_wait` runs a signal handler, installed with or without `SA_RESTART`, and is then stopped
/// and continued, its calls of `pthread_cond_wait` return 0, after `pthread_cond_signal` or spuriously, and never `EINTR`.
#[rstest]
#[conformance::test(posix = "pthread_cond_wait", man = "signal(7)")]
fn wait_never_returns_eintr(#[values(Restart::Yes, Restart::No)] restart: Restart) -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    let waiter = Participant::spawn("waiter", (), |(), _| {
        signal::catch(Signal::SIGUSR1, restart)?;
        Ok::<_, Errno>((scene.take_a_permit(), signal::caught(Signal::SIGUSR1)))
    })?;
    scene.until_waiting_exceeds(0);
    disturb(&waiter)?;
    expect_eq!((scene.add_permits(1), scene.condition.signal()), (BOTH_OK, Ok(())));
    expect_eq!(waiter.join()?, Ok((ALL_OK, 1)));
    Ok(())
}

/// In a process that maps a process-shared mutex and condition variable at other addresses, `pthread_cond_wait` returns 0 after
/// `pthread_cond_broadcast` by another process. After `pthread_cond_signal` by the first process, `pthread_cond_wait` returns 0
/// in a process at the original addresses.
#[conformance::test(posix = "pthread_condattr_setpshared", man = "pthread_condattr_setpshared(3)")]
fn is_shared_at_different_addresses() -> Outcome {
    let (of_mutex, mutex) = named_memory("mutex")?;
    let (of_condition, condition) = named_memory("condition")?;
    let scene = Scene { mutex: SharedMutex::create(mutex)?, condition: SharedCondition::create(condition)? };
    let names = [&of_mutex, &of_condition].map(|memory| memory.name().to_owned());
    let unrelated = Participant::exec("unrelated process", (), &names, |(), names: [String; 2], _| {
        let condition = SharedCondition::attach(map_elsewhere(&names[1])?)?;
        let scene = Scene { condition, mutex: SharedMutex::attach(map_elsewhere(&names[0])?)? };
        let taken = scene.take_a_permit();
        Ok::<_, Errno>((taken, scene.add_permits(1), scene.condition.signal()))
    })?;
    scene.until_waiting_exceeds(0);
    let child = Participant::spawn("child", (), |(), _| scene.take_a_permit())?;
    scene.until_waiting_exceeds(1);
    unrelated.until_blocked()?;
    child.until_blocked()?;
    expect_eq!((scene.add_permits(1), scene.condition.broadcast()), (BOTH_OK, Ok(())));
    // One of the two takes the permit; only the unrelated process adds one for the other.
    expect_matches!(scene.returned(1), 1..=2);
    if child.until_settled()? == Settled::Ended {
        expect_eq!((scene.add_permits(1), scene.condition.signal()), (BOTH_OK, Ok(())));
    }
    expect_eq!((unrelated.join()?, child.join()?), (Ok((ALL_OK, BOTH_OK, Ok(()))), ALL_OK));
    Ok(())
}

/// After all waiters were woken and have returned from `pthread_cond_wait`, `pthread_cond_destroy` returns 0. After
/// `pthread_cond_init` in the same memory, `pthread_cond_signal` makes `pthread_cond_wait` return 0 in a process blocked in it.
#[conformance::test(posix = "pthread_cond_destroy", man = "pthread_cond_destroy(3)")]
fn can_be_destroyed_and_initialised_again() -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    let waiters = scene.waiters(2)?;
    expect_eq!((scene.add_permits(2), scene.condition.broadcast()), (BOTH_OK, Ok(())));
    for waiter in waiters {
        expect_eq!(waiter.join()?, ALL_OK);
    }
    let memory = scene.condition.destroy();
    expect_matches!(memory, Ok(_));
    let scene = Scene { mutex: scene.mutex, condition: SharedCondition::create(memory?)? };
    let waiters = scene.waiters(1)?;
    expect_eq!((scene.add_permits(1), scene.condition.signal()), (BOTH_OK, Ok(())));
    for waiter in waiters {
        expect_eq!(waiter.join()?, ALL_OK);
    }
    Ok(())
}

/// Directly after `pthread_cond_broadcast` to three processes blocked in `pthread_cond_wait`, `pthread_cond_destroy` returns 0.
/// Even if the memory of the condition variable is then overwritten, `pthread_cond_wait` returns 0 in all three.
#[conformance::test(posix = "pthread_cond_destroy", man = "pthread_cond_destroy(3)")]
fn can_be_destroyed_right_after_a_broadcast() -> Outcome {
    for _ in 0..4 {
        let scene = Scene::new(Kind::Normal)?;
        let (mutex, condition) = (&scene.mutex, &scene.condition);
        let mut waiters = Vec::new();
        for number in 0..3 {
            let waiter = Participant::spawn("waiter", (), |(), _| {
                mutex.lock()?;
                mutex.word(WAITING).fetch_add(1, SeqCst);
                while mutex.word(PERMITS).load(SeqCst) == 0 {
                    condition.wait(mutex)?;
                }
                mutex.unlock()
            })?;
            scene.until_waiting_exceeds(number);
            waiter.until_blocked()?;
            waiters.push(waiter);
        }
        expect_eq!((scene.add_permits(1), condition.broadcast()), (BOTH_OK, Ok(())));
        let memory = scene.condition.destroy();
        expect_matches!(memory, Ok(_));
        memory?.write(0, &vec![0xff; page_size()]);
        for waiter in waiters {
            expect_eq!(waiter.join()?, Ok(()));
        }
    }
    Ok(())
}
