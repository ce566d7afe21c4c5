//! What semaphores are for: keeping others out, signalling, counting what there is. Each use at full speed, with an exact result.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;
use rstest::rstest;

use super::fixture::Kind;

/// Starts as many participants as asked for, lets them go together, and gives what they return.
fn together<T: serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug>(
    count: u32,
    body: impl Fn(u32) -> Result<T, Errno>,
) -> Result<Vec<T>, Failure> {
    let mut participants = Vec::new();
    for number in 0..count {
        participants.push(Participant::spawn_inheriting(&format!("participant {number}"), |link| {
            link.meet("start");
            body(number)
        })?);
    }
    participants.iter().try_for_each(|one| one.until_reached("start"))?;
    participants.iter().try_for_each(|one| one.open("start"))?;
    let mut values = Vec::new();
    for participant in participants {
        values.push(participant.join()??);
    }
    Ok(values)
}

/// With a value of one it keeps all but one process out: a counter that is read and written in two steps misses nothing.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn as_a_lock_lets_one_in_at_a_time(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    const ROUNDS: u32 = 300;
    let lock = kind.create(1)?;
    let memory = Mapping::anonymous(page_size())?;
    together(4, |_| {
        for _ in 0..ROUNDS {
            lock.wait()?;
            let seen = memory.word(0).load(Relaxed);
            std::hint::spin_loop();
            memory.word(0).store(seen + 1, Relaxed);
            lock.post()?;
        }
        Ok(())
    })?;
    expect_eq!((memory.word(0).load(SeqCst), lock.drain()), (4 * ROUNDS, Ok(1)));
    Ok(())
}

/// With a value of n it lets n processes in at a time, and never one more.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn as_a_gate_lets_so_many_in(#[values(2, 3)] room: u32, #[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let gate = kind.create(room)?;
    let memory = Mapping::anonymous(page_size())?;
    let (inside, most): (&AtomicU32, &AtomicU32) = (memory.word(0), memory.word(1));
    together(5, |_| {
        for _ in 0..60 {
            gate.wait()?;
            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
            mark();
            inside.fetch_sub(1, SeqCst);
            gate.post()?;
        }
        Ok(())
    })?;
    expect!(most.load(SeqCst) <= room, "{} were inside at once", most.load(SeqCst));
    expect_eq!((inside.load(SeqCst), gate.drain()), (0, Ok(room)));
    Ok(())
}

/// Two processes that post to each other in turn are never out of step, and see what the other wrote before it posted.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn as_signals_keep_two_in_step(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    const ROUNDS: u32 = 150;
    let (mine, yours) = (kind.create(0)?, kind.create(0)?);
    let memory = Mapping::anonymous(page_size())?;
    let partner = Participant::spawn_inheriting("partner", |_| {
        for round in 0..ROUNDS {
            yours.wait()?;
            assert_eq!(memory.word(0).load(Relaxed), 2 * round + 1);
            memory.word(0).store(2 * round + 2, Relaxed);
            mine.post()?;
        }
        Ok::<_, Errno>(())
    })?;
    for round in 0..ROUNDS {
        memory.word(0).store(2 * round + 1, Relaxed);
        expect_eq!((yours.post(), mine.wait(), memory.word(0).load(Relaxed)), (Ok(()), Ok(()), 2 * round + 2));
    }
    expect_eq!((partner.join()?, mine.drain(), yours.drain()), (Ok(()), Ok(0), Ok(0)));
    Ok(())
}

/// Two processes that wait for each other both go on only when both have come.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn as_a_rendezvous_lets_nobody_go_alone(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let here = [kind.create(0)?, kind.create(0)?];
    let first = Participant::spawn_inheriting("first", |_| (here[0].post(), here[1].wait()))?;
    first.until_blocked()?;
    let second = Participant::spawn_inheriting("second", |_| (here[1].post(), here[0].wait()))?;
    expect_eq!((first.join()?, second.join()?), ((Ok(()), Ok(())), (Ok(()), Ok(()))));
    expect_eq!(here.each_ref().map(Semaphore::drain), [Ok(0); 2]);
    Ok(())
}

/// A ring of slots in shared memory: how many are free, how many are full, and a lock for its two ends.
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

    /// The slot that is next at that end.
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

/// Producers and consumers of a bounded buffer lose no item, get none twice, and each consumer sees each producer's in order.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn as_counts_of_a_buffer_lose_nothing(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    const ITEMS: u32 = 90;
    let ring = Ring::new(kind)?;
    let taken = together(4, |number| {
        if number < 2 {
            (1..=ITEMS).try_for_each(|item| ring.put(1000 * (number + 1) + item))?;
            Ok(Vec::new())
        } else {
            (0..ITEMS).map(|_| ring.take()).collect::<Result<Vec<u32>, _>>()
        }
    })?;
    for items in &taken {
        for producer in 1..=2 {
            let its: Vec<_> = items.iter().filter(|&&item| item / 1000 == producer).collect();
            expect!(its.is_sorted(), "items of producer {producer} came out of order");
        }
    }
    let mut all: Vec<u32> = taken.concat();
    all.sort_unstable();
    let expected: Vec<u32> = (1..=2).flat_map(|producer| (1..=ITEMS).map(move |item| 1000 * producer + item)).collect();
    expect_eq!(all, expected);
    expect_eq!((ring.free.drain(), ring.full.drain(), ring.lock.drain()), (Ok(SLOTS), Ok(0), Ok(1)));
    Ok(())
}

/// A consumer that is killed while it waits takes no item: the others get all of them.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "_Exit")]
fn as_counts_of_a_buffer_survive_a_waiting_consumer(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
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

/// A consumer that is killed with an item in hand has taken that item and its slot: the rest of the buffer goes on, one slot short,
/// until somebody gives the slot back.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "_Exit")]
fn as_counts_of_a_buffer_are_one_short_after_a_death(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
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

/// When one of two that signal to each other is killed as it waits, the other waits too; whoever takes the dead one's place goes on
/// with the very next signal.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "_Exit")]
fn as_signals_go_on_with_another_partner(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let (ask, answer) = (kind.create(0)?, kind.create(0)?);
    let partner = |name: &str| {
        Participant::spawn_inheriting(name, |_| -> Result<(), Errno> {
            loop {
                ask.wait()?;
                answer.post()?;
            }
        })
    };
    for round in 0..3 {
        let current = partner(&format!("partner {round}"))?;
        expect_eq!([(); 3].map(|()| (ask.post(), answer.wait())), [(Ok(()), Ok(())); 3]);
        current.until_blocked()?;
        current.kill()?;
        expect_eq!((ask.try_wait(), answer.try_wait()), (Err(EAGAIN), Err(EAGAIN)));
    }
    // Asked while nobody is there, the question keeps.
    expect_eq!(ask.post(), Ok(()));
    let last = partner("last partner")?;
    expect_eq!(answer.wait(), Ok(()));
    last.until_blocked()?;
    expect_eq!((ask.drain(), answer.drain()), (Ok(0), Ok(0)));
    Ok(())
}
