//! A register under a mutex: two words that are always written together. Whatever several processes did to it at the same time is
//! explained by one after the other; with a robust mutex that holds while its owners are killed too.

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

/// The two words, as they were seen or left.
type Answer = Result<(u32, u32), Errno>;

/// Takes the mutex; whoever is told that its owner died makes the second word what the first is, which was written before it.
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
                // Somewhere to be killed at, between the words.
                mark();
                mutex.word(1).store(value, Relaxed);
            }
            let words = (mutex.word(0).load(Relaxed), mutex.word(1).load(Relaxed));
            mutex.unlock()?;
            Ok(words)
        })
    }
}

/// The specification: it is what was written last.
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

/// The number of the case itself among those who write.
const CASE: u32 = 1000;

/// Under a mutex that processes share, what they read is what some order of their writes left, and no two words ever differ.
#[conformance::test(posix = "pthread_mutex_lock", posix = "pthread_mutexattr_setpshared")]
fn under_a_mutex_is_written_one_after_the_other() -> Outcome {
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
    participants.iter().try_for_each(|one| one.until_reached("start"))?;
    participants.iter().try_for_each(|one| one.open("start"))?;
    for participant in participants {
        participant.join()?;
    }
    expect_matches!(Call::Read.make(&mutex, recorder.pen(CASE)), Ok(_));
    expect_linearisable(&Register, &recorder.history()?)
}

/// Owners that are killed anywhere leave the mutex to be had and the register to be repaired: each write that was cut short has
/// happened or has not, for everybody.
#[cfg(has_robust_mutexes)]
#[conformance::test(posix = "pthread_mutex_lock", posix = "pthread_mutexattr_setrobust")]
fn under_a_robust_mutex_outlives_its_writers() -> Outcome {
    const MEMBERS: u8 = 3;
    let mut nemesis = Nemesis::of_this_case();
    for _ in 0..3 {
        let mutex = SharedMutex::create_robust(Mapping::anonymous(page_size())?)?;
        let recorder = Recorder::new()?;
        // One dot is leave for a write and a read: so many are made, and strikes come while some of them are under way.
        let (leave, give) = pipe()?;
        let mut crowd = Crowd::gather(MEMBERS, |number, generation| {
            let who = u32::from(number) * 32 + u32::from(generation);
            let (mutex, recorder, leave) = (&mutex, &recorder, &leave);
            Participant::spawn_inheriting(&format!("participant {number}, start {generation}"), move |_| {
                let mut turn = 0;
                while read_some(leave, 1) == Ok(b".".to_vec()) {
                    let _ = Call::Write(100 * (who + 1) + turn).make(mutex, recorder.pen(who));
                    let _ = Call::Read.make(mutex, recorder.pen(who));
                    turn += 1;
                }
            })
        })?;
        for _ in 0..8 {
            write_all(&give, &b".."[nemesis.below(2)..])?;
            for _ in 0..nemesis.below(3) {
                expect_matches!(Call::Read.make(&mutex, recorder.pen(CASE)), Ok(_));
            }
            crowd.strike(&mut nemesis)?;
        }
        // A waiter that is killed may take a wake along. Who comes next is let in behind those who sleep on, and so wakes them.
        expect_eq!(lock(&mutex), Ok(()));
        let late = Participant::spawn("late", (), |(), _| lock(&mutex).and_then(|()| mutex.unlock()))?;
        late.until_blocked()?;
        expect_eq!((mutex.unlock(), late.join()?), (Ok(()), Ok(())));
        write_all(&give, &[b'!'; MEMBERS as usize])?;
        for (member, _) in crowd.disperse() {
            member.join()?;
        }
        expect_matches!(Call::Read.make(&mutex, recorder.pen(CASE)), Ok(_));
        expect_linearisable(&Register, &recorder.history()?)?;
    }
    Ok(())
}
