//! A post: it lets exactly one waiter go, or stays; and a waiter that is dead does not count.

use conformance::prelude::*;
use rstest::rstest;

use super::fixture::Kind;
use super::waiters::Waiters;

/// Two posts let two of three waiters go; the third sleeps on, and nothing is left for anybody else, until a third post.
#[rstest]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn goes_to_as_many_waiters_as_there_were_posts(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let mut waiters = Waiters::blocked(&semaphore, 3)?;
    expect_eq!((semaphore.post(), semaphore.post()), (Ok(()), Ok(())));
    let woken = waiters.next(2)?;
    let asleep = (0..3).find(|number| !woken.contains(number)).expect("two of three numbers");
    let last = waiters.participants.remove(usize::from(asleep));
    for waiter in waiters.participants.drain(..) {
        expect_eq!(waiter.join()?, Ok(()));
    }
    last.expect_still_blocked()?;
    expect_eq!((unread(&waiters.woken), semaphore.try_wait()), (Ok(0), Err(EAGAIN)));
    last.expect_still_blocked()?;
    expect_eq!((semaphore.post(), last.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// `sem_getvalue` counts what can be taken; with waiters it says 0, or how many they are as a negative number.
#[rstest]
#[conformance::test(posix = "sem_getvalue", man = "sem_getvalue(3)")]
fn shows_in_the_value(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(2)?;
    expect_eq!((semaphore.value(), semaphore.try_wait(), semaphore.value()), (Ok(2), Ok(()), Ok(1)));
    expect_eq!((semaphore.try_wait(), semaphore.value(), semaphore.try_wait()), (Ok(()), Ok(0), Err(EAGAIN)));
    let waiters = Waiters::blocked(&semaphore, 2)?;
    let value = semaphore.value();
    expect_matches!(value, Ok(0 | -2));
    observe!("semaphore.value_with_two_waiters", value.unwrap_or_default());
    expect_eq!((semaphore.post(), semaphore.post()), (Ok(()), Ok(())));
    expect_eq!((waiters.next(2)?, semaphore.value()), (vec![0, 1], Ok(0)));
    Ok(())
}

/// A waiter that was killed before a post takes nothing with it: of the survivors each gets one, and what is left over stays.
#[rstest]
#[case::longest_waiting(0)]
#[case::between_others(1)]
#[case::last_to_come(2)]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn passes_by_a_waiter_that_was_killed(#[case] killed: u8, #[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 3)?;
    waiters.participants[usize::from(killed)].kill()?;
    let survivors: Vec<u8> = (0..3).filter(|&number| number != killed).collect();
    expect_eq!((semaphore.post(), semaphore.post()), (Ok(()), Ok(())));
    expect_eq!((waiters.next(2)?, semaphore.try_wait()), (survivors, Err(EAGAIN)));
    expect_eq!((semaphore.post(), semaphore.post(), semaphore.drain()), (Ok(()), Ok(()), Ok(2)));
    Ok(())
}

/// With its only waiter killed, a semaphore counts every post.
#[rstest]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn is_not_owed_to_the_dead(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 1)?;
    waiters.participants[0].kill()?;
    expect_eq!(semaphore.drain(), Ok(0));
    expect_eq!((semaphore.post(), semaphore.post(), semaphore.post(), semaphore.drain()), (Ok(()), Ok(()), Ok(()), Ok(3)));
    Ok(())
}

/// A post that meets a stopped waiter, which is then killed before it can run again, may be gone with it. The system chooses
/// whether it is, is left for whoever asks next, or goes to the other waiter; but it is never there twice.
#[rstest]
#[conformance::test(posix = "sem_post", level = observed)]
fn may_be_gone_with_a_waiter_that_never_ran_again(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 2)?;
    let [longest, other] = &waiters.participants[..] else { unreachable!("two waiters") };
    longest.stop()?;
    expect_eq!(semaphore.post(), Ok(()));
    longest.kill()?;
    // Nobody is left who could wake the other one later: asleep now, it has not been let go.
    let passed_on = other.until_settled()? == Settled::Ended;
    if passed_on {
        expect_eq!((waiters.next(1), semaphore.drain()), (Ok(vec![1]), Ok(0)));
    }
    let left = semaphore.drain();
    expect_matches!(left, Ok(0 | 1));
    let became = if passed_on {
        "passed on"
    } else if left == Ok(1) {
        "left"
    } else {
        "gone"
    };
    observe!("semaphore.post_to_a_waiter_that_dies_stopped", became);
    if !passed_on {
        expect_eq!((semaphore.post(), waiters.next(1), semaphore.drain()), (Ok(()), Ok(vec![1]), Ok(0)));
    }
    Ok(())
}
