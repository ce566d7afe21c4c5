//! Condition variables and death: a killed waiter swallows no notification, and a robust mutex tells the waiters of its owner's death.

#[cfg(has_robust_mutexes)]
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
#[cfg(has_robust_mutexes)]
use conformance::sys::pthread::condition::SharedCondition;
use rstest::rstest;

#[cfg(has_robust_mutexes)]
use super::condition_fixture::WAITING;
use super::condition_fixture::{PERMITS, Scene, WENT_ON};
use super::fixture::{Kind, WELL, turn};

/// A waiter that has been killed does not swallow a broadcast.
#[rstest]
#[conformance::test(posix = "pthread_cond_broadcast", man = "pthread_cond_broadcast(3)")]
fn reaches_the_survivors_with_a_broadcast(#[values(0, 1, 2)] victim: usize) -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    let mut waiters = scene.waiters(3)?;
    waiters.remove(victim).kill()?;
    expect_eq!((turn(&scene.mutex), scene.give(2), scene.condition.broadcast()), (WELL, WELL, Ok(())));
    for waiter in waiters {
        expect_eq!(waiter.join()?, WENT_ON);
    }
    expect_eq!((scene.word(PERMITS), turn(&scene.mutex)), (0, WELL));
    Ok(())
}

/// A waiter that has been killed does not swallow a signal: it is one of the living that wakes.
#[rstest]
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_signal(3)")]
fn reaches_a_survivor_with_a_signal(#[values(0, 1, 2)] victim: usize) -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    let mut waiters = scene.waiters(3)?;
    waiters.remove(victim).kill()?;
    for signals in 1..=2 {
        expect_eq!((scene.give(1), scene.condition.signal()), (WELL, Ok(())));
        expect_eq!(scene.gone_on(signals), signals);
    }
    for waiter in waiters {
        expect_eq!(waiter.join()?, WENT_ON);
    }
    Ok(())
}

/// Everybody who waits with a robust mutex goes on although the process that notified them is killed with the mutex: one is told
/// of the death, and each holds the mutex in its turn.
#[cfg(has_robust_mutexes)]
#[rstest]
#[conformance::test(posix = "pthread_cond_wait", man = "pthread_mutexattr_setrobust(3)")]
fn tells_a_waiter_of_the_owners_death(#[values(Kind::Normal, Kind::Inheriting)] kind: Kind) -> Outcome {
    let scene = Scene { mutex: kind.robust()?, condition: SharedCondition::create(Mapping::anonymous(page_size())?)? };
    let mut waiters = Vec::new();
    for name in ["waiter 1", "waiter 2"] {
        let before = scene.word(WAITING);
        let waiter = Participant::spawn(name, (), |(), _| {
            let locked = scene.mutex.lock();
            scene.mutex.word(WAITING).fetch_add(1, SeqCst);
            let mut waited = Ok(());
            while scene.word(PERMITS) == 0 && waited.is_ok() {
                waited = scene.condition.wait(&scene.mutex);
            }
            let repaired = if waited == Err(EOWNERDEAD) { scene.mutex.consistent() } else { Ok(()) };
            [locked, waited, repaired, scene.mutex.unlock()]
        })?;
        scene.until_more_wait_than(before);
        waiter.until_blocked()?;
        waiters.push(waiter);
    }
    let owner = Participant::spawn("owner", (), |(), link| -> () {
        assert_eq!(scene.mutex.lock(), Ok(()));
        scene.mutex.word(PERMITS).store(1, SeqCst);
        assert_eq!(scene.condition.broadcast(), Ok(()));
        link.reached("locked");
        link.park()
    })?;
    owner.until_reached("locked")?;
    for waiter in &waiters {
        expect_eq!(waiter.until_settled()?, Settled::Blocked);
    }
    owner.kill()?;
    let mut seen = waiters.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
    seen.sort_unstable();
    expect_eq!((seen, turn(&scene.mutex)), (vec![[Ok(()); 4], [Ok(()), Err(EOWNERDEAD), Ok(()), Ok(())]], WELL));
    Ok(())
}
