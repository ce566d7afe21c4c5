//! Histories: whatever several processes did at the same time, and whoever of them was killed, there is an order of their calls, one
//! after the other, that a counter allows. A call of a killed process may be in that order or not.

use conformance::fault::storm::{Crowd, Nemesis};
use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;
use rstest::rstest;
use serde::{Deserialize, Serialize};

use super::fixture::Kind;

/// What is done to the semaphore.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Call {
    Post,
    Wait,
    Try,
    /// Takes until nothing is left; the last call of a history, when nobody else is there.
    Drain,
}

/// What a call returns: how many it took, of those that say.
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

/// The specification: a number that never goes below 0, and that a wait at 0 waits for.
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

/// The number of the case itself among those who write.
const CASE: u32 = 1000;

/// Processes that post and try as they like are explained by a counter.
#[rstest]
#[conformance::test(posix = "sem_post", posix = "sem_trywait")]
fn of_many_at_once_is_that_of_a_counter(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let mut nemesis = Nemesis::of_this_case();
    for _ in 0..3 {
        let first = u32::try_from(nemesis.below(3)).unwrap_or(0);
        let semaphore = kind.create(first)?;
        let recorder = Recorder::new()?;
        let mut participants = Vec::new();
        for who in 0..4 {
            let mut choices = Nemesis::seeded(seed() ^ u64::from(who + 1));
            let recorder = &recorder;
            let semaphore = &semaphore;
            participants.push(Participant::spawn_inheriting(&format!("participant {who}"), move |link| {
                link.meet("start");
                for _ in 0..8 {
                    let call = if choices.below(2) == 0 { Call::Post } else { Call::Try };
                    let _ = call.make(semaphore, recorder.pen(who));
                }
            })?);
        }
        participants.iter().try_for_each(|one| one.until_reached("start"))?;
        participants.iter().try_for_each(|one| one.open("start"))?;
        for participant in participants {
            participant.join()?;
        }
        Call::Drain.make(&semaphore, recorder.pen(CASE))?;
        expect_linearisable(&Counter(first), &recorder.history()?)?;
    }
    Ok(())
}

/// Processes that post, wait and try, and are killed and started again at any time, leave what a counter would be left with if each
/// call that was cut short had happened or had not.
#[rstest]
#[conformance::test(posix = "sem_post", posix = "sem_wait", posix = "_Exit")]
fn under_kills_is_that_of_a_counter(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    const MEMBERS: u8 = 4;
    let mut nemesis = Nemesis::of_this_case();
    for _ in 0..3 {
        let semaphore = kind.create(1)?;
        let recorder = Recorder::new()?;
        // One dot is leave for one call: so many are made, and strikes come while some of them are under way.
        let (leave, give) = pipe()?;
        let mut crowd = Crowd::gather(MEMBERS, |number, generation| {
            let who = u32::from(number) * 32 + u32::from(generation);
            let mut choices = Nemesis::seeded(seed() ^ u64::from(who + 1));
            let (recorder, semaphore, leave) = (&recorder, &semaphore, &leave);
            Participant::spawn_inheriting(&format!("participant {number}, start {generation}"), move |_| {
                while read_some(leave, 1) == Ok(b".".to_vec()) {
                    let call = [Call::Post, Call::Post, Call::Wait, Call::Try][choices.below(4)];
                    let _ = call.make(semaphore, recorder.pen(who));
                }
            })
        })?;
        for _ in 0..10 {
            write_all(&give, &b"..."[nemesis.below(3)..])?;
            // Time passes by what everybody is about, so that a seed means the same on every machine.
            for _ in 0..nemesis.below(3) {
                let call = if nemesis.below(2) == 0 { Call::Post } else { Call::Try };
                let _ = call.make(&semaphore, recorder.pen(CASE));
            }
            crowd.strike(&mut nemesis)?;
        }
        write_all(&give, &[b'!'; MEMBERS as usize])?;
        // Whoever waits in vain at the end is killed in its wait.
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
