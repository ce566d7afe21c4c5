//! Condition variables when processes are killed: a waiter before a notification, and the owner of the robust mutex after one.

#[cfg(has_robust_mutexes)]
use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
#[cfg(has_robust_mutexes)]
use conformance::sys::pthread::condition::SharedCondition;
use rstest::rstest;
#[cfg(has_robust_mutexes)]
use rstest_reuse::apply;

#[cfg(has_robust_mutexes)]
use super::condition_fixture::WAITING;
use super::condition_fixture::{ALL_OK, PERMITS, Scene};
#[cfg(has_robust_mutexes)]
use super::fixture::normal_and_prio_inherit;
use super::fixture::{BOTH_OK, Kind, lock_unlock};

/// If one of three processes blocked in `pthread_cond_wait` is killed, a later `pthread_cond_broadcast` makes `pthread_cond_wait`
/// return 0 in both others.
#[rstest]
#[conformance::test(posix = "pthread_cond_broadcast", man = "pthread_cond_broadcast(3)")]
fn broadcast_wakes_the_survivors_of_a_killed_waiter(#[values(0, 1, 2)] victim: usize) -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    let mut waiters = scene.waiters(3)?;
    waiters.remove(victim).kill()?;
    expect_eq!((lock_unlock(&scene.mutex), scene.add_permits(2), scene.condition.broadcast()), (BOTH_OK, BOTH_OK, Ok(())));
    for waiter in waiters {
        expect_eq!(waiter.join()?, ALL_OK);
    }
    expect_eq!((scene.word(PERMITS), lock_unlock(&scene.mutex)), (0, BOTH_OK));
    Ok(())
}

/// If one of three processes blocked in `pthread_cond_wait` is killed, each of two later `pthread_cond_signal` calls wakes one of
/// the two others, in which `pthread_cond_wait` returns 0.
#[rstest]
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_signal(3)")]
fn signal_wakes_a_survivor_of_a_killed_waiter(#[values(0, 1, 2)] victim: usize) -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    let mut waiters = scene.waiters(3)?;
    waiters.remove(victim).kill()?;
    for signals in 1..=2 {
        expect_eq!((scene.add_permits(1), scene.condition.signal()), (BOTH_OK, Ok(())));
        expect_eq!(scene.returned(signals), signals);
    }
    for waiter in waiters {
        expect_eq!(waiter.join()?, ALL_OK);
    }
    Ok(())
}

/// If a process that owns the robust mutex calls `pthread_cond_broadcast` and is then killed without `pthread_mutex_unlock`,
/// `pthread_cond_wait` returns `EOWNERDEAD` in one of two waiters. After `pthread_mutex_consistent` and `pthread_mutex_unlock` by
/// this waiter, `pthread_cond_wait` returns 0 in the other.
#[cfg(has_robust_mutexes)]
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_cond_wait", man = "pthread_mutexattr_setrobust(3)")]
fn wait_returns_eownerdead_when_the_owner_is_killed(kind: Kind) -> Outcome {
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
            let consistent = if waited == Err(EOWNERDEAD) { scene.mutex.consistent() } else { Ok(()) };
            [locked, waited, consistent, scene.mutex.unlock()]
        })?;
        scene.until_waiting_exceeds(before);
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
    expect_eq!((seen, lock_unlock(&scene.mutex)), (vec![[Ok(()); 4], [Ok(()), Err(EOWNERDEAD), Ok(()), Ok(())]], BOTH_OK));
    Ok(())
}
