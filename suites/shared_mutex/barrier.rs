//! Barriers: `pthread_barrier_wait` blocks until the count is reached and then returns in all; signals, killed waiters, destruction.

use std::sync::atomic::Ordering::SeqCst;

use conformance::prelude::*;
use conformance::sys::pthread::barrier::{Passed, SharedBarrier};
use rstest::rstest;

use super::fixture::{disturb, map_elsewhere, named_memory};

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

/// What the calls of the waiters returned, sorted.
fn passed(waiters: Vec<Waiter>) -> Result<Vec<Result<Passed, Errno>>, Failure> {
    let mut passed = waiters.into_iter().map(Participant::join).collect::<Result<Vec<_>, _>>()?;
    passed.sort_unstable();
    Ok(passed)
}

/// What as many calls return, sorted: one of them is the serial thread.
fn all(count: u32) -> Vec<Result<Passed, Errno>> {
    (1..count).map(|_| Ok(Passed::Along)).chain([Ok(Passed::Chosen)]).collect()
}

/// On a barrier with count n (1, 2, 3 or 6), n - 1 processes that call `pthread_barrier_wait` stay blocked until the nth process
/// calls it. Then all n calls return, one with `PTHREAD_BARRIER_SERIAL_THREAD` and the others with 0.
#[rstest]
#[conformance::test(posix = "pthread_barrier_wait", man = "pthread_barrier_wait(3posix)")]
fn wait_returns_in_all_when_the_last_arrives(#[values(1, 2, 3, 6)] count: u32) -> Outcome {
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

/// On a barrier with count 1, each call of `pthread_barrier_wait` returns `PTHREAD_BARRIER_SERIAL_THREAD` without blocking.
#[conformance::test(posix = "pthread_barrier_wait", man = "pthread_barrier_wait(3posix)")]
fn count_of_one_returns_immediately() -> Outcome {
    let barrier = barrier(1)?;
    expect_eq!([0; 5].map(|_| barrier.wait()), [Ok(Passed::Chosen); 5]);
    Ok(())
}

/// When two to four processes use a barrier for one to five rounds, `pthread_barrier_wait` returns
/// `PTHREAD_BARRIER_SERIAL_THREAD` in exactly one process each round. No call returns before every process has called
/// `pthread_barrier_wait` in that round.
#[conformance::test(posix = "pthread_barrier_wait", man = "pthread_barrier_wait(3posix)")]
fn is_reusable_round_after_round() -> Outcome {
    property(&(2..5_u32, 1..6_u32), |(count, rounds)| {
        let barrier = barrier(count)?;
        let mut waiters = Vec::new();
        for number in 0..count {
            waiters.push(Participant::spawn(&format!("waiter {number}"), (), |(), _| {
                let (mut serial, mut early) = (Vec::new(), 0);
                for round in 1..=rounds {
                    barrier.word(0).fetch_add(1, SeqCst);
                    serial.push(barrier.wait()? == Passed::Chosen);
                    // All have arrived in this round, and not yet all in the next, which needs this process.
                    let arrived = barrier.word(0).load(SeqCst);
                    early += u32::from(arrived < round * count || arrived >= (round + 1) * count);
                }
                Ok::<_, Errno>((serial, early))
            })?);
        }
        let mut serial_of_each_round = vec![0; rounds as usize];
        for waiter in waiters {
            let (serial, early) = waiter.join()??;
            expect_eq!((serial.len(), early), (rounds as usize, 0));
            for (times, chosen) in serial_of_each_round.iter_mut().zip(serial) {
                *times += u32::from(chosen);
            }
        }
        expect_eq!((serial_of_each_round, barrier.word(0).load(SeqCst)), (vec![1; rounds as usize], rounds * count));
        expect_matches!(barrier.destroy(), Ok(_));
        Ok(())
    })
}

/// `pthread_barrier_init` with a count of 0 fails with `EINVAL`.
#[conformance::test(posix = "pthread_barrier_init", man = "pthread_barrier_init(3posix)")]
fn init_rejects_a_count_of_zero() -> Outcome {
    expect_eq!(barrier(0).map(drop), Err(EINVAL));
    Ok(())
}

/// When three processes call `pthread_barrier_wait` on a barrier with count 3 and it has returned in one of them,
/// `pthread_barrier_destroy` by this process returns 0. Even if the memory of the barrier is then overwritten, the three calls
/// return `PTHREAD_BARRIER_SERIAL_THREAD` once and 0 twice.
#[conformance::test(
    posix = "pthread_barrier_destroy",
    man = "pthread_barrier_destroy(3posix)",
    fixed_in = "glibc 2.24 (b02840bacdef)"
)]
fn can_be_destroyed_by_the_first_to_return() -> Outcome {
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

/// If one of two processes that are blocked in `pthread_barrier_wait` on a barrier with count 3 is killed, the other stays
/// blocked.
#[conformance::test(posix = "pthread_barrier_wait", man = "pthread_barrier_wait(3posix)")]
fn stays_closed_when_a_waiter_is_killed() -> Outcome {
    let barrier = barrier(3)?;
    let mut waiters = waiters(&barrier, 2)?;
    waiters.remove(0).kill()?;
    expect_eq!(waiters[0].until_settled()?, Settled::Blocked);
    Ok(())
}

/// On a barrier with count 2, a process blocked in `pthread_barrier_wait` stays blocked after a signal handler has run, with or
/// without `SA_RESTART`, and after `SIGSTOP` and `SIGCONT`. When a second process calls `pthread_barrier_wait`, one call returns
/// `PTHREAD_BARRIER_SERIAL_THREAD` and the other 0.
#[rstest]
#[conformance::test(posix = "pthread_barrier_wait", man = "pthread_barrier_wait(3posix)")]
fn wait_goes_on_after_a_signal_handler(#[values(Restart::Yes, Restart::No)] restart: Restart) -> Outcome {
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

/// If three processes, one of which has mapped it at another address, call `pthread_barrier_wait` on a process-shared barrier
/// with count 3, one call returns `PTHREAD_BARRIER_SERIAL_THREAD` and the other two return 0.
#[conformance::test(posix = "pthread_barrierattr_setpshared", man = "pthread_barrierattr_setpshared(3posix)")]
fn is_shared_at_different_addresses() -> Outcome {
    let (memory, mapping) = named_memory("barrier")?;
    let barrier = SharedBarrier::create(mapping, 3)?;
    let name = memory.name().to_owned();
    let unrelated = Participant::exec("unrelated process", (), &name, |(), name: String, link| {
        let barrier = SharedBarrier::attach(map_elsewhere(&name)?)?;
        link.reached("mapped");
        barrier.wait()
    })?;
    let mut all_waiters = waiters(&barrier, 1)?;
    unrelated.until_reached("mapped")?;
    unrelated.until_blocked()?;
    all_waiters.push(unrelated);
    let last = barrier.wait();
    let mut seen = passed(all_waiters)?;
    seen.push(last);
    seen.sort_unstable();
    expect_eq!(seen, all(3));
    Ok(())
}
