//! Histories of a register of two words under a mutex: concurrent reads and writes are linearisable, with a robust mutex also while
//! owners are killed.

use std::sync::atomic::Ordering::Relaxed;

#[cfg(has_robust_mutexes)]
use conformance::fault::storm::{Crowd, Nemesis};
use conformance::prelude::*;
use conformance::sys::pthread::SharedMutex;
use serde::{Deserialize, Serialize};

/// What is done to the register.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Call {
    Read,
    Write(u32),
}

/// The two words as a call read or wrote them.
type Answer = Result<(u32, u32), Errno>;

/// Locks the mutex. After `EOWNERDEAD` it copies the first word, which is always written first, to the second.
fn lock(mutex: &SharedMutex) -> Result<(), Errno> {
    match mutex.lock() {
        #[cfg(has_robust_mutexes)]
        Err(EOWNERDEAD) => {
            mutex.word(1).store(mutex.word(0).load(Relaxed), Relaxed);
            mutex.consistent()
        }
        other => other,
    }
}

impl Call {
    fn make(self, mutex: &SharedMutex, pen: Pen<'_>) -> Answer {
        pen.record(&self, || {
            lock(mutex)?;
            if let Call::Write(value) = self {
                mutex.word(0).store(value, Relaxed);
                // A place for a kill, between the words.
                mark();
                mutex.word(1).store(value, Relaxed);
            }
            let words = (mutex.word(0).load(Relaxed), mutex.word(1).load(Relaxed));
            mutex.unlock()?;
            Ok(words)
        })
    }
}

/// The specification: a read returns what was written last.
struct Register;

impl Specification for Register {
    type State = u32;
    type Call = Call;
    type Answer = Answer;

    fn initial(&self) -> u32 {
        0
    }

    fn after(&self, &value: &u32, call: &Call, answer: Option<&Answer>) -> Vec<u32> {
        let next = match *call {
            Call::Read => value,
            Call::Write(written) => written,
        };
        if answer.is_none_or(|&answer| answer == Ok((next, next))) { vec![next] } else { Vec::new() }
    }
}

/// The number of the case itself among the recording processes.
const CASE: u32 = 1000;

/// Four processes each write and read two words five times, every time between `pthread_mutex_lock` and `pthread_mutex_unlock` of
/// one process-shared mutex. The reads and writes have a linearisation, that is a sequential order, consistent with real time, in
/// which every read returns the value written last, and every read finds both words equal.
#[conformance::test(posix = "pthread_mutex_lock", posix = "pthread_mutexattr_setpshared")]
fn register_is_linearisable() -> Outcome {
    let mutex = SharedMutex::create(Mapping::anonymous(page_size())?)?;
    let recorder = Recorder::new()?;
    let mut participants = Vec::new();
    for who in 0..4 {
        let (mutex, recorder) = (&mutex, &recorder);
        participants.push(Participant::spawn_inheriting(&format!("participant {who}"), move |link| {
            link.meet("start");
            for turn in 0..5 {
                let _ = Call::Write(100 * (who + 1) + turn).make(mutex, recorder.pen(who));
                let _ = Call::Read.make(mutex, recorder.pen(who));
            }
        })?);
    }
    let_go(&participants, "start")?;
    for participant in participants {
        participant.join()?;
    }
    expect_matches!(Call::Read.make(&mutex, recorder.pen(CASE)), Ok(_));
    expect_linearisable(&Register, &recorder.history()?)
}

/// Three processes store the same value in two words, or read both, between `pthread_mutex_lock` and `pthread_mutex_unlock` of a
/// robust mutex, and are killed at random instants; after `EOWNERDEAD` the new owner copies the first word to the second and
/// calls `pthread_mutex_consistent`. The operations have a linearisation, that is a sequential order, consistent with real time,
/// in which every read finds the value written last in both words. A write cut short by a kill may be in that order or not.
#[cfg(has_robust_mutexes)]
#[conformance::test(posix = "pthread_mutex_lock", posix = "pthread_mutexattr_setrobust")]
fn robust_register_is_linearisable_under_kills() -> Outcome {
    const MEMBERS: u8 = 3;
    let mut nemesis = Nemesis::of_this_case();
    for _ in 0..3 {
        let mutex = SharedMutex::create_robust(Mapping::anonymous(page_size())?)?;
        let recorder = Recorder::new()?;
        // Each dot lets a participant do a write and a read. Kills come while some of these are under way.
        let (permits, permit) = pipe()?;
        let mut crowd = Crowd::gather(MEMBERS, |number, generation| {
            let who = u32::from(number) * 32 + u32::from(generation);
            let (mutex, recorder, permits) = (&mutex, &recorder, &permits);
            Participant::spawn_inheriting(&format!("participant {number}, start {generation}"), move |_| {
                let mut turn = 0;
                while read_some(permits, 1) == Ok(b".".to_vec()) {
                    let _ = Call::Write(100 * (who + 1) + turn).make(mutex, recorder.pen(who));
                    let _ = Call::Read.make(mutex, recorder.pen(who));
                    turn += 1;
                }
            })
        })?;
        for _ in 0..8 {
            write_all(&permit, &b".."[nemesis.below(2)..])?;
            for _ in 0..nemesis.below(3) {
                expect_matches!(Call::Read.make(&mutex, recorder.pen(CASE)), Ok(_));
            }
            crowd.strike(&mut nemesis)?;
        }
        // A waiter that was woken and then killed may leave others blocked although the mutex is free. One more waiter queues behind
        // them, so that its turn wakes them too.
        expect_eq!(lock(&mutex), Ok(()));
        let last = Participant::spawn("last waiter", (), |(), _| lock(&mutex).and_then(|()| mutex.unlock()))?;
        last.until_blocked()?;
        expect_eq!((mutex.unlock(), last.join()?), (Ok(()), Ok(())));
        write_all(&permit, &[b'!'; MEMBERS as usize])?;
        for (member, _) in crowd.disperse() {
            member.join()?;
        }
        expect_matches!(Call::Read.make(&mutex, recorder.pen(CASE)), Ok(_));
        expect_linearisable(&Register, &recorder.history()?)?;
    }
    Ok(())
}
