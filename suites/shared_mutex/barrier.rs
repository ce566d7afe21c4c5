//! Barriers: nobody passes until all are there, and then all do, one of them chosen.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::memory::shm::SharedMemory;
use conformance::sys::pthread::barrier::{Passed, SharedBarrier};
use rstest::rstest;

use super::fixture::disturb;

fn barrier(count: u32) -> Result<SharedBarrier, Errno> {
    SharedBarrier::create(Mapping::anonymous(page_size())?, count)
}

type Waiter = Participant<Result<Passed, Errno>>;

fn waiters(barrier: &SharedBarrier, count: u32) -> Result<Vec<Waiter>, Failure> {
    let mut waiters = Vec::new();
    for number in 0..count {
        let waiter = Participant::spawn(&format!("waiter {number}"), (), |(), _| barrier.wait())?;
        waiter.until_blocked()?;
        waiters.push(waiter);
    }
    Ok(waiters)
}

/// What those who came through were answered, sorted.
fn passed(waiters: Vec<Waiter>) -> Result<Vec<Result<Passed, Errno>>, Failure> {
    let mut passed = waiters.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
    passed.sort_unstable();
    Ok(passed)
}

/// So many that came through, of whom one was chosen.
fn all(count: u32) -> Vec<Result<Passed, Errno>> {
    (1..count).map(|_| Ok(Passed::Along)).chain([Ok(Passed::Chosen)]).collect()
}

/// Everybody sleeps until the last one arrives; then all pass, and exactly one is chosen.
#[rstest]
#[conformance::test(posix = "pthread_barrier_wait", man = "pthread_barrier_wait(3posix)")]
fn lets_all_pass_when_the_last_arrives(#[values(1, 2, 3, 6)] count: u32) -> Outcome {
    let barrier = barrier(count)?;
    let waiters = waiters(&barrier, count - 1)?;
    for waiter in &waiters {
        waiter.expect_still_blocked()?;
    }
    let last = barrier.wait();
    let mut seen = passed(waiters)?;
    seen.push(last);
    seen.sort_unstable();
    expect_eq!(seen, all(count));
    Ok(())
}

/// A barrier of one stops nobody, as often as it is used, and always chooses.
#[conformance::test(posix = "pthread_barrier_wait", man = "pthread_barrier_wait(3posix)")]
fn of_one_stops_nobody() -> Outcome {
    let barrier = barrier(1)?;
    expect_eq!([0; 5].map(|_| barrier.wait()), [Ok(Passed::Chosen); 5]);
    Ok(())
}

/// A barrier can be used again at once, for as many rounds as one likes: each chooses one, and nobody is a round ahead.
#[conformance::test(posix = "pthread_barrier_wait", man = "pthread_barrier_wait(3posix)")]
fn can_be_used_round_after_round() -> Outcome {
    property(&(2..5_u32, 1..6_u32), |(count, rounds)| {
        let barrier = barrier(count)?;
        let mut players = Vec::new();
        for number in 0..count {
            players.push(Participant::spawn(&format!("player {number}"), (), |(), _| {
                let (mut chosen, mut ahead) = (0, 0);
                for round in 1..=rounds {
                    barrier.word(0).fetch_add(1, SeqCst);
                    chosen += u32::from(barrier.wait()? == Passed::Chosen);
                    // Everybody has arrived in this round, and nobody can have arrived twice in the next.
                    let arrived = barrier.word(0).load(SeqCst);
                    ahead += u32::from(arrived < round * count || arrived >= (round + 1) * count);
                }
                Ok::<_, Errno>((chosen, ahead))
            })?);
        }
        let mut chosen = 0;
        for player in players {
            let (often, ahead) = player.join()??;
            expect_eq!(ahead, 0);
            chosen += often;
        }
        expect_eq!((chosen, barrier.word(0).load(SeqCst)), (rounds, rounds * count));
        expect_matches!(barrier.destroy(), Ok(_));
        Ok(())
    })
}

/// A barrier for nobody is refused.
#[conformance::test(posix = "pthread_barrier_init", man = "pthread_barrier_init(3posix)")]
fn for_nobody_is_refused() -> Outcome {
    expect_eq!(barrier(0).map(drop), Err(EINVAL));
    Ok(())
}

/// A barrier can be destroyed by the first to leave it, and its memory used for anything, before the others have left.
#[conformance::test(
    posix = "pthread_barrier_destroy",
    man = "pthread_barrier_destroy(3posix)",
    fixed_in = "glibc 2.24 (b02840bacdef)"
)]
fn can_be_destroyed_by_the_first_to_leave() -> Outcome {
    for _ in 0..6 {
        let barrier = barrier(3)?;
        let waiters = waiters(&barrier, 2)?;
        let last = barrier.wait();
        let memory = barrier.destroy();
        expect_matches!(memory, Ok(_));
        memory?.write(0, &vec![0xff; page_size()]);
        let mut seen = passed(waiters)?;
        seen.push(last);
        seen.sort_unstable();
        expect_eq!(seen, all(3));
    }
    Ok(())
}

/// The death of one that waits does not let the others pass before their time.
#[conformance::test(posix = "pthread_barrier_wait", man = "pthread_barrier_wait(3posix)")]
fn lets_nobody_pass_for_the_dead() -> Outcome {
    let barrier = barrier(3)?;
    let mut waiters = waiters(&barrier, 2)?;
    waiters.remove(0).kill()?;
    expect_eq!(waiters[0].until_settled()?, Settled::Blocked);
    Ok(())
}

/// A signal is handled, and who waited waits on.
#[rstest]
#[conformance::test(posix = "pthread_barrier_wait", man = "pthread_barrier_wait(3posix)")]
fn is_not_left_for_a_signal(#[values(Restart::Yes, Restart::No)] restart: Restart) -> Outcome {
    let barrier = barrier(2)?;
    let waiter = Participant::spawn("waiter", (), |(), _| {
        signal::catch(Signal::SIGUSR1, restart)?;
        barrier.wait().map(|passed| (passed, signal::caught(Signal::SIGUSR1)))
    })?;
    disturb(&waiter)?;
    let last = barrier.wait()?;
    let (other, signals) = waiter.join()??;
    let mut seen = [last, other];
    seen.sort_unstable();
    expect_eq!((seen, signals), ([Passed::Along, Passed::Chosen], 1));
    Ok(())
}

/// A process that maps the barrier for itself, at another address, is one of those who meet.
#[conformance::test(posix = "pthread_barrierattr_setpshared", man = "pthread_barrierattr_setpshared(3posix)")]
fn is_shared_at_different_addresses() -> Outcome {
    let memory = SharedMemory::create(&unique_name("barrier"))?;
    memory.set_size(page_size())?;
    let barrier = SharedBarrier::create(memory.map(page_size(), Access::ReadWrite)?, 3)?;
    let name = memory.name().to_owned();
    let stranger = Participant::exec("stranger", (), &name, |(), name: String, link| {
        let memory = SharedMemory::open(&name, Access::ReadWrite)?;
        let _room = Mapping::anonymous(3 * page_size())?;
        let barrier = SharedBarrier::attach(memory.map(page_size(), Access::ReadWrite)?)?;
        link.reached("mapped");
        barrier.wait()
    })?;
    let mut all_waiters = waiters(&barrier, 1)?;
    stranger.until_reached("mapped")?;
    stranger.until_blocked()?;
    all_waiters.push(stranger);
    let last = barrier.wait();
    let mut seen = passed(all_waiters)?;
    seen.push(last);
    seen.sort_unstable();
    expect_eq!(seen, all(3));
    Ok(())
}
