//! Condition variables: a signal lets one waiter go on, a broadcast all, neither is kept for later, and whoever goes on holds the mutex.
//!
//! A waiter may wake for no reason, so that each looks at a word under the mutex and counts what it finds there.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::pthread::SharedMutex;
use conformance::sys::pthread::condition::SharedCondition;
use rstest::rstest;

use super::condition_fixture::{GONE_ON, PERMITS, Scene, WAITING, WENT_ON};
use super::fixture::{Kind, WELL, disturb, turn};

/// Each signal lets a waiter go on, and with one permit for each no more than one.
#[rstest]
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_signal(3)")]
fn lets_one_go_on_for_each_signal(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
) -> Outcome {
    let scene = Scene::new(kind)?;
    let waiters = scene.waiters(3)?;
    for signals in 1..=3 {
        expect_eq!((scene.give(1), scene.condition.signal()), (WELL, Ok(())));
        expect_eq!(scene.gone_on(signals), signals);
    }
    for waiter in waiters {
        expect_eq!(waiter.join()?, WENT_ON);
    }
    expect_eq!((scene.word(PERMITS), turn(&scene.mutex)), (0, WELL));
    Ok(())
}

/// A signal wakes at least one waiter, and on Linux never all of several.
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_signal(3)")]
fn leaves_the_others_asleep_on_a_signal() -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    let waiters = scene.waiters(3)?;
    // More permits than signals: who is awake takes one.
    expect_eq!((scene.give(3), scene.condition.signal()), (WELL, Ok(())));
    expect_matches!(scene.gone_on(1), 1..=3);
    let mut ended = 0;
    for waiter in &waiters {
        ended += u32::from(waiter.until_settled()? == Settled::Ended);
    }
    observe!("condition.woken-by-a-signal", ended);
    expect_eq!((ended, scene.gone_on(0), scene.condition.broadcast()), (ended, ended, Ok(())));
    expect_eq!(scene.gone_on(3), 3);
    Ok(())
}

/// A broadcast lets all go on.
#[rstest]
#[conformance::test(posix = "pthread_cond_broadcast", man = "pthread_cond_broadcast(3)")]
fn lets_all_go_on_at_a_broadcast(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
    #[values(1, 2, 5)] waiters: u32,
) -> Outcome {
    let scene = Scene::new(kind)?;
    let waiters = scene.waiters(waiters)?;
    let count = u32::try_from(waiters.len()).unwrap_or(0);
    expect_eq!((scene.give(count), scene.condition.broadcast()), (WELL, Ok(())));
    for waiter in waiters {
        expect_eq!(waiter.join()?, WENT_ON);
    }
    expect_eq!((scene.word(PERMITS), scene.word(GONE_ON), turn(&scene.mutex)), (0, count, WELL));
    Ok(())
}

/// A signal, or a broadcast, that nobody waits for is lost: who comes later waits for the next one.
#[rstest]
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_signal(3)")]
fn forgets_what_nobody_waits_for(#[values(SharedCondition::signal, SharedCondition::broadcast)] notify: Notify) -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    expect_eq!([(); 3].map(|()| notify(&scene.condition)), [Ok(()); 3]);
    // No word to look at: a wait that ends has been ended by a notification, or by chance.
    let waiter = Participant::spawn("waiter", (), |(), _| {
        scene.mutex.lock()?;
        scene.mutex.word(WAITING).store(1, SeqCst);
        scene.condition.wait(&scene.mutex)?;
        scene.mutex.unlock()
    })?;
    scene.until_more_wait_than(0);
    expect_eq!((waiter.until_settled()?, turn(&scene.mutex)), (Settled::Blocked, WELL));
    expect_eq!((notify(&scene.condition), waiter.join()?), (Ok(()), Ok(())));
    Ok(())
}

type Notify = fn(&SharedCondition) -> Result<(), Errno>;

/// Waiting gives the mutex up while it lasts, and takes it again before it returns: a waiter that is notified waits for the mutex.
#[rstest]
#[conformance::test(posix = "pthread_cond_wait", man = "pthread_cond_wait(3)")]
fn gives_the_mutex_up_and_takes_it_again(
    #[values(Kind::Normal, Kind::ErrorChecking, Kind::Recursive, Kind::Inheriting)] kind: Kind,
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
        scene.mutex.word(GONE_ON).store(1, SeqCst);
        link.meet("unlock");
        [locked, waited, scene.mutex.unlock()]
    })?;
    scene.until_more_wait_than(0);
    waiter.until_blocked()?;
    expect_eq!(scene.mutex.lock(), Ok(()));
    scene.mutex.word(PERMITS).store(1, SeqCst);
    expect_eq!((notify(&scene.condition), waiter.until_settled()?, scene.word(GONE_ON)), (Ok(()), Settled::Blocked, 0));
    expect_eq!(scene.mutex.unlock(), Ok(()));
    waiter.until_reached("unlock")?;
    expect_eq!((scene.word(GONE_ON), scene.mutex.try_lock()), (1, Err(EBUSY)));
    waiter.open("unlock")?;
    expect_eq!((waiter.join()?, turn(&scene.mutex)), (WENT_ON, WELL));
    Ok(())
}

/// Who waits with a mutex that it does not own is told so, where the mutex keeps account of its owner, and does not wait.
#[conformance::test(posix = "pthread_cond_wait", man = "pthread_cond_wait(3)")]
fn refuses_a_mutex_of_another() -> Outcome {
    let scene = Scene::new(Kind::ErrorChecking)?;
    expect_eq!(scene.condition.wait(&scene.mutex), Err(EPERM));
    let holder = super::fixture::holder(&scene.mutex)?;
    expect_eq!(scene.condition.wait(&scene.mutex), Err(EPERM));
    holder.open("unlock")?;
    expect_eq!((holder.join()?, turn(&scene.mutex)), (Ok(()), WELL));
    Ok(())
}

/// A signal's handler runs, and a waiter that wakes from it finds nothing to do: it is never told of an interruption.
#[rstest]
#[conformance::test(posix = "pthread_cond_wait", man = "signal(7)")]
fn is_not_interrupted(#[values(Restart::Yes, Restart::No)] restart: Restart) -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    let waiter = Participant::spawn("waiter", (), |(), _| {
        signal::catch(Signal::SIGUSR1, restart)?;
        Ok::<_, Errno>((scene.take_a_permit(), signal::caught(Signal::SIGUSR1)))
    })?;
    scene.until_more_wait_than(0);
    disturb(&waiter)?;
    expect_eq!((scene.give(1), scene.condition.signal()), (WELL, Ok(())));
    expect_eq!(waiter.join()?, Ok((WENT_ON, 1)));
    Ok(())
}

/// A process that maps mutex and condition variable for itself, at other addresses, is woken from there and wakes from there.
#[conformance::test(posix = "pthread_condattr_setpshared", man = "pthread_condattr_setpshared(3)")]
fn is_shared_at_different_addresses() -> Outcome {
    let memories = [SharedMemory::create(&unique_name("mutex"))?, SharedMemory::create(&unique_name("condition"))?];
    let map = |memory: &SharedMemory| memory.map(page_size(), Access::ReadWrite);
    for memory in &memories {
        memory.set_size(page_size())?;
    }
    let scene = Scene { mutex: SharedMutex::create(map(&memories[0])?)?, condition: SharedCondition::create(map(&memories[1])?)? };
    let names = memories.each_ref().map(|memory| memory.name().to_owned());
    let stranger = Participant::exec("stranger", (), &names, |(), names: [String; 2], _| {
        let _room = Mapping::anonymous(3 * page_size())?;
        let map = |name: &str| SharedMemory::open(name, Access::ReadWrite)?.map(page_size(), Access::ReadWrite);
        let scene = Scene { condition: SharedCondition::attach(map(&names[1])?)?, mutex: SharedMutex::attach(map(&names[0])?)? };
        let taken = scene.take_a_permit();
        Ok::<_, Errno>((taken, scene.give(1), scene.condition.signal()))
    })?;
    scene.until_more_wait_than(0);
    let child = Participant::spawn("child", (), |(), _| scene.take_a_permit())?;
    scene.until_more_wait_than(1);
    stranger.until_blocked()?;
    child.until_blocked()?;
    expect_eq!((scene.give(1), scene.condition.broadcast()), (WELL, Ok(())));
    // One of the two takes the permit; only the stranger gives one back.
    expect_matches!(scene.gone_on(1), 1..=2);
    if child.until_settled()? == Settled::Ended {
        expect_eq!((scene.give(1), scene.condition.signal()), (WELL, Ok(())));
    }
    expect_eq!((stranger.join()?, child.join()?), (Ok((WENT_ON, WELL, Ok(()))), WENT_ON));
    Ok(())
}

/// A condition variable that nobody waits for any more can be destroyed, and made anew in the same memory.
#[conformance::test(posix = "pthread_cond_destroy", man = "pthread_cond_destroy(3)")]
fn can_be_made_anew() -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    let waiters = scene.waiters(2)?;
    expect_eq!((scene.give(2), scene.condition.broadcast()), (WELL, Ok(())));
    for waiter in waiters {
        expect_eq!(waiter.join()?, WENT_ON);
    }
    let memory = scene.condition.destroy();
    expect_matches!(memory, Ok(_));
    let scene = Scene { mutex: scene.mutex, condition: SharedCondition::create(memory?)? };
    let waiters = scene.waiters(1)?;
    expect_eq!((scene.give(1), scene.condition.signal()), (WELL, Ok(())));
    for waiter in waiters {
        expect_eq!(waiter.join()?, WENT_ON);
    }
    Ok(())
}

/// A condition variable can be destroyed as soon as all have been notified, though they may not have left yet: whoever destroys it
/// waits for them, and the memory may be used for anything then.
#[conformance::test(posix = "pthread_cond_destroy", man = "pthread_cond_destroy(3)")]
fn can_be_destroyed_as_soon_as_all_are_notified() -> Outcome {
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
            scene.until_more_wait_than(number);
            waiter.until_blocked()?;
            waiters.push(waiter);
        }
        expect_eq!((scene.give(1), condition.broadcast()), (WELL, Ok(())));
        let memory = scene.condition.destroy();
        expect_matches!(memory, Ok(_));
        memory?.write(0, &vec![0xff; page_size()]);
        for waiter in waiters {
            expect_eq!(waiter.join()?, Ok(()));
        }
    }
    Ok(())
}
