//! The value: a post adds one to it, a wait takes one away, and nothing else touches it.

use conformance::prelude::*;
use conformance::sys::semaphore::largest_value;
use proptest::prelude::*;
use rstest::rstest;

use super::fixture::Kind;
use super::waiters::one_blocked;

/// A wait takes exactly one, and does not wait while there is one.
#[rstest]
#[conformance::test(posix = "sem_wait", man = "sem_wait(3)")]
fn goes_down_by_one_with_a_wait(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(5)?;
    expect_eq!((semaphore.wait(), semaphore.wait(), semaphore.drain()), (Ok(()), Ok(()), Ok(3)));
    Ok(())
}

/// At zero trying fails with `EAGAIN` and leaves zero: what is posted afterwards is there whole.
#[rstest]
#[conformance::test(posix = "sem_trywait", man = "sem_wait(3)")]
fn stays_at_zero_when_tried(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(1)?;
    expect_eq!(semaphore.try_wait(), Ok(()));
    expect_eq!([(); 3].map(|()| semaphore.try_wait()), [Err(EAGAIN); 3]);
    expect_eq!((semaphore.post(), semaphore.try_wait(), semaphore.try_wait()), (Ok(()), Ok(()), Err(EAGAIN)));
    Ok(())
}

/// Posts that nobody waits for are counted.
#[rstest]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn goes_up_with_each_post(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(2)?;
    expect_eq!([(); 4].map(|()| semaphore.post()), [Ok(()); 4]);
    expect_eq!(semaphore.drain(), Ok(6));
    Ok(())
}

/// At the largest value a post fails with `EOVERFLOW` and changes nothing; once one has been taken the next is counted.
#[rstest]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn ends_at_the_largest(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let largest = i32::try_from(largest_value()).unwrap_or(i32::MAX);
    let semaphore = kind.create(largest_value() - 1)?;
    expect_eq!([(); 3].map(|()| semaphore.post()), [Ok(()), Err(EOVERFLOW), Err(EOVERFLOW)]);
    expect_eq!((semaphore.value(), semaphore.try_wait(), semaphore.value()), (Ok(largest), Ok(()), Ok(largest - 1)));
    expect_eq!((semaphore.post(), semaphore.post(), semaphore.value()), (Ok(()), Err(EOVERFLOW), Ok(largest)));
    Ok(())
}

/// What a post adds is had once: by the one that waits, or by one that tries in between.
#[rstest]
#[conformance::test(posix = "sem_post", posix = "sem_trywait")]
fn is_had_once(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    for _ in 0..8 {
        let semaphore = kind.create(0)?;
        let waiter = one_blocked(&semaphore)?;
        expect_eq!(semaphore.post(), Ok(()));
        let tried = semaphore.try_wait();
        match (tried, waiter.until_settled()?) {
            (Ok(()), Settled::Blocked) => expect_eq!(semaphore.post(), Ok(())),
            (tried, settled) => expect_eq!((tried, settled), (Err(EAGAIN), Settled::Ended)),
        }
        expect_eq!((waiter.join()?, semaphore.drain()), (Ok(()), Ok(0)));
    }
    Ok(())
}

/// A step of what any of the processes does that share a semaphore.
#[derive(Clone, Copy, Debug)]
enum Step {
    Try,
    Post,
    Look,
}

/// In whichever order two processes post and try, each sees what one counter would show, and so does the value.
#[rstest]
#[conformance::test(posix = "sem_post", posix = "sem_trywait", posix = "sem_getvalue")]
fn is_one_counter_for_all(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let step = prop_oneof![Just(Step::Try), Just(Step::Post), Just(Step::Look)];
    let steps = prop::collection::vec((any::<bool>(), step), 1..24);
    property(&(0..3_i32, steps), |(start, steps)| {
        let semaphore = kind.create(u32::try_from(start).unwrap_or(0))?;
        let act = |step| match step {
            Step::Try => semaphore.try_wait().map(|()| 0),
            Step::Post => semaphore.post().map(|()| 0),
            Step::Look => semaphore.value(),
        };
        let other = Participant::spawn_inheriting("other", |link| {
            let its = steps.iter().filter(|(other, _)| *other);
            its.map(|&(_, step)| {
                link.meet("turn");
                let seen = act(step);
                link.meet("done");
                seen
            })
            .collect::<Vec<_>>()
        })?;
        let (mut counter, mut expected, mut own) = (start, Vec::new(), Vec::new());
        for &(others, step) in &steps {
            let answer = match step {
                Step::Try if counter == 0 => Err(EAGAIN),
                Step::Look => Ok(counter),
                Step::Try | Step::Post => Ok(0),
            };
            counter += i32::from(matches!(step, Step::Post)) - i32::from(matches!(step, Step::Try) && answer.is_ok());
            if others {
                other.until_reached("turn")?;
                other.open("turn")?;
                other.until_reached("done")?;
                other.open("done")?;
                expected.push(answer);
            } else {
                own.push((act(step), answer));
            }
        }
        for (seen, answer) in own {
            expect_eq!(seen, answer);
        }
        expect_eq!((other.join()?, semaphore.value()), (expected, Ok(counter)));
        Ok(())
    })
}
