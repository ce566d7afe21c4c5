//! Condition variables in use: a sender that waits next, producer and consumer of a bounded buffer, processes that take turns.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::pthread::condition::SharedCondition;
use proptest::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::condition_fixture::{Scene, WAITING};
use super::fixture::{Kind, normal_and_prio_inherit};

/// If process A is blocked in `pthread_cond_wait`, and process B calls `pthread_cond_signal` and then `pthread_cond_wait`,
/// `pthread_cond_wait` returns 0 in A, and B stays blocked until the next `pthread_cond_broadcast`.
#[conformance::test(posix = "pthread_cond_signal", man = "pthread_cond_signal(3)", fixed_in = "glibc 2.25 (ed19993b5b)")]
fn signal_wakes_an_earlier_waiter_than_the_sender() -> Outcome {
    let scene = Scene::new(Kind::Normal)?;
    for _ in 0..8 {
        scene.mutex.word(WAITING).store(0, SeqCst);
        let first = Participant::spawn("first", (), |(), _| {
            scene.mutex.lock()?;
            scene.mutex.word(WAITING).store(1, SeqCst);
            scene.condition.wait(&scene.mutex)?;
            scene.mutex.unlock()
        })?;
        scene.until_waiting_exceeds(0);
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

/// If a producer adds up to 29 items to a buffer of one to three slots and a consumer takes them, both using `pthread_cond_wait`
/// while the buffer is full or empty, and `pthread_cond_signal` or `pthread_cond_broadcast` after each change, the consumer takes
/// every item once and in the order added.
#[conformance::test(posix = "pthread_cond_wait", man = "pthread_cond_wait(3)")]
fn bounded_buffer_passes_every_item_in_order() -> Outcome {
    property(&(1..4_u32, 1..30_u32, any::<bool>()), |(capacity, items, broadcast)| {
        const COUNT: usize = 0;
        const SLOTS: usize = 4;
        let (scene, not_full) = (Scene::new(Kind::Normal)?, SharedCondition::create(Mapping::anonymous(page_size())?)?);
        let notify = |condition: &SharedCondition| if broadcast { condition.broadcast() } else { condition.signal() };
        let consumer = Participant::spawn("consumer", (), |(), _| {
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
            while scene.word(COUNT) == capacity {
                expect_eq!(not_full.wait(&scene.mutex), Ok(()));
            }
            let count = scene.word(COUNT);
            scene.mutex.word(SLOTS + count as usize).store(item, SeqCst);
            scene.mutex.word(COUNT).store(count + 1, SeqCst);
            expect_eq!((notify(&scene.condition), scene.mutex.unlock()), (Ok(()), Ok(())));
        }
        expect_eq!((consumer.join()?, scene.word(COUNT)), (Ok((0..items).collect()), 0));
        Ok(())
    })
}

/// Process i of three (0 to 2) calls `pthread_cond_wait` until a shared number modulo 3 is i, then increments the number and
/// calls `pthread_cond_broadcast`, eight times. Each process does so at the numbers i, i + 3 and so on, and the number is 24 at
/// the end.
#[apply(normal_and_prio_inherit)]
#[conformance::test(posix = "pthread_cond_broadcast", man = "pthread_cond_wait(3)")]
fn broadcasts_keep_processes_in_turn(kind: Kind) -> Outcome {
    const ROUNDS: u32 = 8;
    let scene = Scene::new(kind)?;
    let mut processes = Vec::new();
    for number in 0..3 {
        processes.push(Participant::spawn(&format!("process {number}"), (), |(), _| {
            let mut turns = Vec::new();
            while turns.len() < ROUNDS as usize {
                scene.mutex.lock()?;
                while scene.word(0) % 3 != number {
                    scene.condition.wait(&scene.mutex)?;
                }
                turns.push(scene.word(0));
                scene.mutex.word(0).fetch_add(1, SeqCst);
                scene.condition.broadcast()?;
                scene.mutex.unlock()?;
            }
            Ok::<_, Errno>(turns)
        })?);
    }
    for (number, process) in (0..).zip(processes) {
        expect_eq!(process.join()?, Ok((0..ROUNDS).map(|round| 3 * round + number).collect()));
    }
    expect_eq!(scene.word(0), 3 * ROUNDS);
    Ok(())
}
