//! Histories of concurrent posts and waits, with and without kills: some order of the calls, one after the other, explains all results
//! with one counter. A call of a killed process may be in that order or not.

use conformance::fault::storm::{Crowd, Nemesis};
use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;
use rstest::rstest;
use rstest_reuse::apply;

use serde::{Deserialize, Serialize};

use super::fixture::{Kind, named_and_unnamed};

/// A call on the semaphore.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Call {
    Post,
    Wait,
    Try,
    /// `sem_trywait` until it fails; the last call of a history, when no other process runs.
    Drain,
}

/// What a call returns: by how much it decremented the value.
type Answer = Result<u32, Errno>;

impl Call {
    fn make(self, semaphore: &Semaphore, pen: Pen<'_>) -> Answer {
        pen.record(&self, || match self {
            Call::Post => semaphore.post().map(|()| 0),
            Call::Wait => semaphore.wait().map(|()| 1),
            Call::Try => semaphore.try_wait().map(|()| 1),
            Call::Drain => semaphore.drain(),
        })
    }
}

/// The specification: a counter that never goes below 0; a wait at 0 blocks.
struct Counter(u32);

impl Specification for Counter {
    type State = u32;
    type Call = Call;
    type Answer = Answer;

    fn initial(&self) -> u32 {
        self.0
    }

    fn after(&self, &value: &u32, call: &Call, answer: Option<&Answer>) -> Vec<u32> {
        let (next, given) = match call {
            Call::Post => (value + 1, Ok(0)),
            Call::Wait | Call::Try if value > 0 => (value - 1, Ok(1)),
            Call::Wait => return Vec::new(),
            Call::Try => (0, Err(EAGAIN)),
            Call::Drain => (0, Ok(value)),
        };
        if answer.is_none_or(|&answer| answer == given) { vec![next] } else { Vec::new() }
    }
}

/// The number of the case itself among the recording processes.
const CASE: u32 = 1000;

/// If four processes make eight random calls of `sem_post` and `sem_trywait` each at the same time, their results and the final
/// value are those of one order of all calls, in which a call that returned before another call began comes before it
/// (linearisability). In this order `sem_post` returns 0 and adds 1 to the value, and `sem_trywait` returns 0 and subtracts 1, or
/// fails with `EAGAIN` at value 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", posix = "sem_trywait")]
fn concurrent_posts_and_trywaits_are_linearisable(kind: Kind) -> Outcome {
    let mut nemesis = Nemesis::of_this_case();
    for _ in 0..3 {
        let first = u32::try_from(nemesis.below(3)).unwrap_or(0);
        let semaphore = kind.create(first)?;
        let recorder = Recorder::new()?;
        together("participant", 4, |who| {
            let mut choices = Nemesis::seeded(seed() ^ u64::from(who + 1));
            for _ in 0..8 {
                let call = if choices.below(2) == 0 { Call::Post } else { Call::Try };
                let _ = call.make(&semaphore, recorder.pen(u32::from(who)));
            }
            Ok(())
        })?;
        Call::Drain.make(&semaphore, recorder.pen(CASE))?;
        expect_linearisable(&Counter(first), &recorder.history()?)?;
    }
    Ok(())
}

/// If processes that make random calls of `sem_post`, `sem_wait` and `sem_trywait` are killed at random instants and started
/// again, the results and the final value are those of one order of all calls, in which a call that returned before another call
/// began comes before it (linearisability), and a call during which its process was killed occurs once or not at all. In this
/// order `sem_post` returns 0 and adds 1 to the value, `sem_wait` returns 0 and subtracts 1 at a value above 0, and `sem_trywait`
/// returns 0 and subtracts 1, or fails with `EAGAIN` at value 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", posix = "sem_wait", posix = "_Exit")]
fn posts_and_waits_are_linearisable_under_kills(kind: Kind) -> Outcome {
    const MEMBERS: u8 = 4;
    let mut nemesis = Nemesis::of_this_case();
    for _ in 0..3 {
        let semaphore = kind.create(1)?;
        let recorder = Recorder::new()?;
        // Each dot lets a participant make one call. Kills come while some of these are under way.
        let (permits, permit) = pipe()?;
        let mut crowd = Crowd::gather(MEMBERS, |number, generation| {
            let who = u32::from(number) * 32 + u32::from(generation);
            let mut choices = Nemesis::seeded(seed() ^ u64::from(who + 1));
            let (recorder, semaphore, permits) = (&recorder, &semaphore, &permits);
            Participant::spawn_inheriting(&format!("participant {number}, start {generation}"), move |_| {
                while read_some(permits, 1) == Ok(b".".to_vec()) {
                    let call = [Call::Post, Call::Post, Call::Wait, Call::Try][choices.below(4)];
                    let _ = call.make(semaphore, recorder.pen(who));
                }
            })
        })?;
        for _ in 0..10 {
            write_all(&permit, &b"..."[nemesis.below(3)..])?;
            // Calls of the case itself, in place of a delay, so that a seed means the same on every machine.
            for _ in 0..nemesis.below(3) {
                let call = if nemesis.below(2) == 0 { Call::Post } else { Call::Try };
                let _ = call.make(&semaphore, recorder.pen(CASE));
            }
            crowd.strike(&mut nemesis)?;
        }
        write_all(&permit, &[b'!'; MEMBERS as usize])?;
        // A participant that is still blocked at the end is killed.
        for (member, _) in crowd.disperse() {
            if member.until_settled()? == Settled::Blocked {
                member.kill()?;
            } else {
                member.join()?;
            }
        }
        Call::Drain.make(&semaphore, recorder.pen(CASE))?;
        expect_linearisable(&Counter(1), &recorder.history()?)?;
    }
    Ok(())
}
