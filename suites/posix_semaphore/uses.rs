//! Semaphores in use, at full speed: as a lock, as a gate, for turns, as a rendezvous, in a bounded buffer, for requests and replies.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, named_and_unnamed};

/// If four processes increment a shared counter 300 times each, by a load and a store between `sem_wait` and `sem_post` on a
/// semaphore of value 1, the counter is 1200 and the value is 1 at the end.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn lock_admits_one_process(kind: Kind) -> Outcome {
    const ROUNDS: u32 = 300;
    let lock = kind.create(1)?;
    let memory = Mapping::anonymous(page_size())?;
    together("process", 4, |_| {
        for _ in 0..ROUNDS {
            lock.wait()?;
            let seen = memory.word(0).load(Relaxed);
            // Not a wait: it widens the gap between the two steps.
            std::hint::spin_loop();
            memory.word(0).store(seen + 1, Relaxed);
            lock.post()?;
        }
        Ok(())
    })?;
    expect_eq!((memory.word(0).load(SeqCst), lock.drain()), (4 * ROUNDS, Ok(1)));
    Ok(())
}

/// If five processes call `sem_wait` and later `sem_post` 60 times each on a semaphore of initial value n (2 or 3), at most n
/// processes are between the return of `sem_wait` and the call of `sem_post` at the same time. The value is n at the end.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn gate_admits_n_processes(#[values(2, 3)] value: u32, kind: Kind) -> Outcome {
    let gate = kind.create(value)?;
    let memory = Mapping::anonymous(page_size())?;
    let (inside, most): (&AtomicU32, &AtomicU32) = (memory.word(0), memory.word(1));
    together("process", 5, |_| {
        for _ in 0..60 {
            gate.wait()?;
            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
            mark();
            inside.fetch_sub(1, SeqCst);
            gate.post()?;
        }
        Ok(())
    })?;
    expect!(most.load(SeqCst) <= value, "{} processes were inside at the same time", most.load(SeqCst));
    expect_eq!((inside.load(SeqCst), gate.drain()), (0, Ok(value)));
    Ok(())
}

/// If one process repeats a store to a shared word, `sem_post` on a semaphore A and `sem_wait` on a semaphore B, both of initial
/// value 0, and a second process repeats `sem_wait` on A, a store to the same word and `sem_post` on B, each process loads after
/// `sem_wait` has returned 0 the value that the other process stored before its `sem_post`.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn two_processes_alternate(kind: Kind) -> Outcome {
    const ROUNDS: u32 = 150;
    let (of_case, of_other) = (kind.create(0)?, kind.create(0)?);
    let memory = Mapping::anonymous(page_size())?;
    let other = Participant::spawn_inheriting("other process", |_| {
        for round in 0..ROUNDS {
            of_other.wait()?;
            assert_eq!(memory.word(0).load(Relaxed), 2 * round + 1);
            memory.word(0).store(2 * round + 2, Relaxed);
            of_case.post()?;
        }
        Ok::<_, Errno>(())
    })?;
    for round in 0..ROUNDS {
        memory.word(0).store(2 * round + 1, Relaxed);
        expect_eq!((of_other.post(), of_case.wait(), memory.word(0).load(Relaxed)), (Ok(()), Ok(()), 2 * round + 2));
    }
    expect_eq!((other.join()?, of_case.drain(), of_other.drain()), (Ok(()), Ok(0), Ok(0)));
    Ok(())
}

/// If each of two processes calls `sem_post` on its own semaphore and then `sem_wait` on the semaphore of the other process, the
/// first process is blocked in `sem_wait` until the second process has called `sem_post`. Both `sem_wait` calls return 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn rendezvous_returns_when_both_have_arrived(kind: Kind) -> Outcome {
    let arrived = [kind.create(0)?, kind.create(0)?];
    let first = Participant::spawn_inheriting("first", |_| (arrived[0].post(), arrived[1].wait()))?;
    first.until_blocked()?;
    let second = Participant::spawn_inheriting("second", |_| (arrived[1].post(), arrived[0].wait()))?;
    expect_eq!((first.join()?, second.join()?), ((Ok(()), Ok(())), (Ok(()), Ok(()))));
    expect_eq!(arrived.each_ref().map(Semaphore::drain), [Ok(0); 2]);
    Ok(())
}

/// A ring of slots in shared memory: semaphores that count the free and the full slots, and a lock for its two ends.
struct Ring {
    free: Semaphore,
    full: Semaphore,
    lock: Semaphore,
    memory: Mapping,
}

const SLOTS: u32 = 3;

impl Ring {
    fn new(kind: Kind) -> Result<Self, Failure> {
        let (free, full, lock) = (kind.create(SLOTS)?, kind.create(0)?, kind.create(1)?);
        Ok(Ring { free, full, lock, memory: Mapping::anonymous(page_size())? })
    }

    /// The slot that is next at that end, which moves on by one.
    fn slot(&self, end: usize) -> &AtomicU32 {
        let next = self.memory.word(end).load(Relaxed);
        self.memory.word(end).store(next + 1, Relaxed);
        self.memory.word(2 + (next % SLOTS) as usize)
    }

    fn put(&self, item: u32) -> Result<(), Errno> {
        self.free.wait()?;
        self.lock.wait()?;
        self.slot(0).store(item, Relaxed);
        self.lock.post()?;
        self.full.post()
    }

    fn take(&self) -> Result<u32, Errno> {
        self.full.wait()?;
        self.lock.wait()?;
        let item = self.slot(1).swap(0, Relaxed);
        self.lock.post()?;
        self.free.post()?;
        Ok(item)
    }
}

/// If two producers and two consumers use a ring buffer with `sem_wait` and `sem_post` on three semaphores, which count the free
/// slots, count the full slots and lock the buffer, every item is taken exactly once. Each consumer takes the items of one
/// producer in the order in which they were put.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn bounded_buffer_loses_no_item(kind: Kind) -> Outcome {
    const ITEMS: u32 = 90;
    let ring = Ring::new(kind)?;
    let taken = together("process", 4, |number| {
        if number < 2 {
            (1..=ITEMS).try_for_each(|item| ring.put(1000 * u32::from(number + 1) + item))?;
            Ok(Vec::new())
        } else {
            (0..ITEMS).map(|_| ring.take()).collect::<Result<Vec<u32>, _>>()
        }
    })?;
    for items in &taken {
        for producer in 1..=2 {
            let from_one: Vec<_> = items.iter().filter(|&&item| item / 1000 == producer).collect();
            expect!(from_one.is_sorted(), "the items of producer {producer} came as {from_one:?}");
        }
    }
    let mut all: Vec<u32> = taken.concat();
    all.sort_unstable();
    let expected: Vec<u32> = (1..=2).flat_map(|producer| (1..=ITEMS).map(move |item| 1000 * producer + item)).collect();
    expect_eq!(all, expected);
    expect_eq!((ring.free.drain(), ring.full.drain(), ring.lock.drain()), (Ok(SLOTS), Ok(0), Ok(1)));
    Ok(())
}

/// If two consumers of a ring buffer are blocked in `sem_wait` on the semaphore that counts full slots and one of them is killed,
/// the other consumer takes all five items that a producer puts and counts with `sem_post`.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "_Exit")]
fn killed_blocked_consumer_takes_no_item(kind: Kind) -> Outcome {
    let ring = Ring::new(kind)?;
    let mut consumers = Vec::new();
    for name in ["victim", "survivor"] {
        let consumer = Participant::spawn_inheriting(name, |_| (0..5).map(|_| ring.take()).collect::<Result<Vec<u32>, _>>())?;
        consumer.until_blocked()?;
        consumers.push(consumer);
    }
    consumers[0].kill()?;
    for item in 1..=5 {
        expect_eq!(ring.put(item), Ok(()));
    }
    let survivor = consumers.remove(1);
    expect_eq!((survivor.join()?, ring.free.drain(), ring.full.drain()), (Ok(vec![1, 2, 3, 4, 5]), Ok(SLOTS), Ok(0)));
    Ok(())
}

/// If a consumer of a ring buffer of three slots is killed after `sem_wait` on the semaphore of full slots and before `sem_post`
/// on the semaphore of free slots, producers put two items, and the third `sem_wait` on the free slots blocks. After one
/// `sem_post` on the free slots by another process, this `sem_wait` returns 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "_Exit")]
fn killed_consumer_keeps_its_slot(kind: Kind) -> Outcome {
    let ring = Ring::new(kind)?;
    let victim = Participant::spawn_inheriting("victim", |link| -> () {
        assert_eq!(ring.full.wait(), Ok(()));
        assert_eq!(ring.slot(1).swap(0, SeqCst), 1);
        link.reached("item in hand");
        link.park()
    })?;
    expect_eq!(ring.put(1), Ok(()));
    victim.until_reached("item in hand")?;
    victim.kill()?;
    expect_eq!((ring.put(2), ring.put(3), ring.free.try_wait()), (Ok(()), Ok(()), Err(EAGAIN)));
    let producer = Participant::spawn_inheriting("producer", |_| ring.put(4))?;
    producer.until_blocked()?;
    expect_eq!((ring.free.post(), producer.join()?), (Ok(()), Ok(())));
    expect_eq!([(); 3].map(|()| ring.take()), [Ok(2), Ok(3), Ok(4)]);
    expect_eq!((ring.free.drain(), ring.full.drain(), ring.lock.drain()), (Ok(SLOTS), Ok(0), Ok(1)));
    Ok(())
}

/// If a server is killed while it is blocked in `sem_wait` on the semaphore of requests, the semaphores of requests and of
/// replies both have value 0. A server that is started after a `sem_post` on the semaphore of requests returns from `sem_wait`
/// with 0 and calls `sem_post` on the semaphore of replies.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "_Exit")]
fn new_server_takes_pending_requests(kind: Kind) -> Outcome {
    let (request, reply) = (kind.create(0)?, kind.create(0)?);
    let server = |name: &str| {
        Participant::spawn_inheriting(name, |_| -> Result<(), Errno> {
            loop {
                request.wait()?;
                reply.post()?;
            }
        })
    };
    for round in 0..3 {
        let current = server(&format!("server {round}"))?;
        expect_eq!([(); 3].map(|()| (request.post(), reply.wait())), [(Ok(()), Ok(())); 3]);
        current.until_blocked()?;
        current.kill()?;
        expect_eq!((request.try_wait(), reply.try_wait()), (Err(EAGAIN), Err(EAGAIN)));
    }
    // A request that is posted while no server runs stays in the value.
    expect_eq!(request.post(), Ok(()));
    let last = server("last server")?;
    expect_eq!(reply.wait(), Ok(()));
    last.until_blocked()?;
    expect_eq!((request.drain(), reply.drain()), (Ok(0), Ok(0)));
    Ok(())
}
