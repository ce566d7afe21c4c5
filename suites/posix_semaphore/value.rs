//! The value of a semaphore: what `sem_post`, `sem_wait` and `sem_trywait` change, its largest value, and that it is one for all
//! processes.

use conformance::prelude::*;
use conformance::sys::semaphore::largest_value;
use proptest::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, named_and_unnamed, one_blocked};

/// At a value above 0, `sem_wait` returns 0 without blocking and decrements the value by one.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", man = "sem_wait(3)")]
fn wait_decrements_by_one(kind: Kind) -> Outcome {
    let semaphore = kind.create(5)?;
    expect_eq!((semaphore.wait(), semaphore.wait(), semaphore.drain()), (Ok(()), Ok(()), Ok(3)));
    Ok(())
}

/// At value 0, each `sem_trywait` fails with `EAGAIN` and leaves the value at 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_trywait", man = "sem_wait(3)")]
fn trywait_at_zero_fails_with_eagain(kind: Kind) -> Outcome {
    let semaphore = kind.create(1)?;
    expect_eq!(semaphore.try_wait(), Ok(()));
    expect_eq!([(); 3].map(|()| semaphore.try_wait()), [Err(EAGAIN); 3]);
    expect_eq!((semaphore.post(), semaphore.try_wait(), semaphore.try_wait()), (Ok(()), Ok(()), Err(EAGAIN)));
    Ok(())
}

/// While no process is blocked in `sem_wait`, each `sem_post` returns 0 and increments the value by one.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn each_post_increments_by_one(kind: Kind) -> Outcome {
    let semaphore = kind.create(2)?;
    expect_eq!([(); 4].map(|()| semaphore.post()), [Ok(()); 4]);
    expect_eq!(semaphore.drain(), Ok(6));
    Ok(())
}

/// At the value `SEM_VALUE_MAX`, `sem_post` fails with `EOVERFLOW` and leaves the value as it is. After a `sem_trywait` that
/// returns 0, the next `sem_post` returns 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", man = "sem_post(3)", level = documented)]
fn post_at_sem_value_max_fails_with_eoverflow(kind: Kind) -> Outcome {
    let largest = i32::try_from(largest_value()).unwrap_or(i32::MAX);
    let semaphore = kind.create(largest_value() - 1)?;
    expect_eq!([(); 3].map(|()| semaphore.post()), [Ok(()), Err(EOVERFLOW), Err(EOVERFLOW)]);
    expect_eq!((semaphore.value(), semaphore.try_wait(), semaphore.value()), (Ok(largest), Ok(()), Ok(largest - 1)));
    expect_eq!((semaphore.post(), semaphore.post(), semaphore.value()), (Ok(()), Err(EOVERFLOW), Ok(largest)));
    Ok(())
}

/// If one process is blocked in `sem_wait` and another process calls `sem_post` once and then `sem_trywait`, either `sem_wait`
/// returns 0 and `sem_trywait` fails with `EAGAIN`, or `sem_trywait` returns 0 and `sem_wait` stays blocked. Both results are
/// accepted.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", posix = "sem_trywait")]
fn one_post_ends_one_wait(kind: Kind) -> Outcome {
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

/// A call by one of two processes.
#[derive(Clone, Copy, Debug)]
enum Step {
    Try,
    Post,
    Look,
}

/// In a random sequence of calls by two processes in turn, `sem_post` returns 0 and adds 1 to the value, `sem_trywait` returns 0
/// and subtracts 1, or fails with `EAGAIN` at value 0, and `sem_getvalue` gives the value. The value is the initial value plus
/// the number of `sem_post` calls minus the number of `sem_trywait` calls that returned 0, of both processes.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", posix = "sem_trywait", posix = "sem_getvalue")]
fn is_one_counter_for_two_processes(kind: Kind) -> Outcome {
    let step = prop_oneof![Just(Step::Try), Just(Step::Post), Just(Step::Look)];
    let steps = prop::collection::vec((any::<bool>(), step), 1..24);
    property(&(0..3_i32, steps), |(start, steps)| {
        let semaphore = kind.create(u32::try_from(start).unwrap_or(0))?;
        let act = |step| match step {
            Step::Try => semaphore.try_wait().map(|()| 0),
            Step::Post => semaphore.post().map(|()| 0),
            Step::Look => semaphore.value(),
        };
        let other = Participant::spawn_inheriting("other process", |link| {
            let of_other = steps.iter().filter(|(by_other, _)| *by_other);
            of_other
                .map(|&(_, step)| {
                    link.meet("turn");
                    let seen = act(step);
                    link.meet("done");
                    seen
                })
                .collect::<Vec<_>>()
        })?;
        let (mut counter, mut expected, mut own) = (start, Vec::new(), Vec::new());
        for &(by_other, step) in &steps {
            let answer = match step {
                Step::Try if counter == 0 => Err(EAGAIN),
                Step::Look => Ok(counter),
                Step::Try | Step::Post => Ok(0),
            };
            counter += i32::from(matches!(step, Step::Post)) - i32::from(matches!(step, Step::Try) && answer.is_ok());
            if by_other {
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
