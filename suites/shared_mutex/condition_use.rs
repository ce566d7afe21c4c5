//! Condition variables in use: what producers, consumers and players of turns rely on.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::pthread::condition::SharedCondition;
use proptest::prelude::*;
use rstest::rstest;

use super::condition_fixture::{Scene, WAITING};
use super::fixture::Kind;

/// A signal is for who waited when it was sent, and not for who came afterwards: the first goes on, even if the sender itself waits
/// next.
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_signal(3)", fixed_in = "glibc 2.25 (ed19993b5b)")]
fn lets_those_go_on_who_came_first() -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    for _ in 0..8 {
        scene.mutex.word(WAITING).store(0, SeqCst);
        let first = Participant::spawn("first", (), |(), _| {
            scene.mutex.lock()?;
            scene.mutex.word(WAITING).store(1, SeqCst);
            scene.condition.wait(&scene.mutex)?;
            scene.mutex.unlock()
        })?;
        scene.until_more_wait_than(0);
        first.until_blocked()?;
        let sender = Participant::spawn("sender", (), |(), _| {
            scene.mutex.lock()?;
            scene.condition.signal()?;
            scene.condition.wait(&scene.mutex)?;
            scene.mutex.unlock()
        })?;
        expect_eq!((first.join()?, sender.until_settled()?), (Ok(()), Settled::Blocked));
        expect_eq!((scene.condition.broadcast(), sender.join()?), (Ok(()), Ok(())));
    }
    Ok(())
}

/// What some put into a small buffer under the mutex others take out, all of it and in order, whatever the sizes.
#[conformance::test(posix = "pthread_cond_wait", man = "pthread_cond_wait(3)")]
fn passes_on_what_is_put_into_a_buffer() -> Outcome {
    property(&(1..4_u32, 1..30_u32, any::<bool>()), |(room, items, all)| {
        const COUNT: usize = 0;
        const SLOTS: usize = 4;
        let (scene, not_full) = (Scene::new(Kind::Normal)?, SharedCondition::create(Mapping::anonymous(page_size())?)?);
        let notify = |condition: &SharedCondition| if all { condition.broadcast() } else { condition.signal() };
        let taker = Participant::spawn("taker", (), |(), _| {
            let mut taken = Vec::new();
            for _ in 0..items {
                scene.mutex.lock()?;
                while scene.word(COUNT) == 0 {
                    scene.condition.wait(&scene.mutex)?;
                }
                taken.push(scene.word(SLOTS));
                let left = scene.word(COUNT) - 1;
                for slot in 0..left as usize {
                    scene.mutex.word(SLOTS + slot).store(scene.word(SLOTS + slot + 1), SeqCst);
                }
                scene.mutex.word(COUNT).store(left, SeqCst);
                notify(&not_full)?;
                scene.mutex.unlock()?;
            }
            Ok::<_, Errno>(taken)
        })?;
        for item in 0..items {
            expect_eq!(scene.mutex.lock(), Ok(()));
            while scene.word(COUNT) == room {
                expect_eq!(not_full.wait(&scene.mutex), Ok(()));
            }
            let count = scene.word(COUNT);
            scene.mutex.word(SLOTS + count as usize).store(item, SeqCst);
            scene.mutex.word(COUNT).store(count + 1, SeqCst);
            expect_eq!((notify(&scene.condition), scene.mutex.unlock()), (Ok(()), Ok(())));
        }
        expect_eq!((taker.join()?, scene.word(COUNT)), (Ok((0..items).collect()), 0));
        Ok(())
    })
}

/// Processes that take turns by broadcasts come in the order agreed on, round after round, and nobody misses a turn.
#[rstest]
#[conformance::test(posix = "pthread_cond_broadcast", man = "pthread_cond_wait(3)")]
fn keeps_turns(#[values(Kind::Normal, Kind::Inheriting)] kind: Kind) -> Outcome {
    const ROUNDS: u32 = 8;
    let scene = Scene::new(kind)?;
    let mut players = Vec::new();
    for number in 0..3 {
        players.push(Participant::spawn(&format!("player {number}"), (), |(), _| {
            let mut played = Vec::new();
            while played.len() < ROUNDS as usize {
                scene.mutex.lock()?;
                while scene.word(0) % 3 != number {
                    scene.condition.wait(&scene.mutex)?;
                }
                played.push(scene.word(0));
                scene.mutex.word(0).fetch_add(1, SeqCst);
                scene.condition.broadcast()?;
                scene.mutex.unlock()?;
            }
            Ok::<_, Errno>(played)
        })?);
    }
    for (number, player) in (0..).zip(players) {
        expect_eq!(player.join()?, Ok((0..ROUNDS).map(|round| 3 * round + number).collect()));
    }
    expect_eq!(scene.word(0), 3 * ROUNDS);
    Ok(())
}
