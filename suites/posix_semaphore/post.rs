//! `sem_post` with waiters: how many it wakes, what `sem_getvalue` gives, and waiters that are killed.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, Waiters, named_and_unnamed};

/// If three processes are blocked in `sem_wait`, two `sem_post` calls wake exactly two of them, and `sem_trywait` then fails with
/// `EAGAIN`. The third process stays blocked until a third `sem_post`.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn two_posts_wake_two_of_three_waiters(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let mut waiters = Waiters::blocked(&semaphore, 3)?;
    expect_eq!((semaphore.post(), semaphore.post()), (Ok(()), Ok(())));
    let woken = waiters.next_woken(2)?;
    let blocked = (0..3).find(|number| !woken.contains(number)).expect("two of three numbers");
    let last = waiters.participants.remove(usize::from(blocked));
    for waiter in waiters.participants.drain(..) {
        expect_eq!(waiter.join()?, Ok(()));
    }
    last.expect_still_blocked()?;
    expect_eq!((unread(&waiters.woken), semaphore.try_wait()), (Ok(0), Err(EAGAIN)));
    last.expect_still_blocked()?;
    expect_eq!((semaphore.post(), last.join()?, semaphore.drain()), (Ok(()), Ok(()), Ok(0)));
    Ok(())
}

/// `sem_getvalue` gives 2, 1 and 0 on a semaphore of value 2 before and after each of two `sem_trywait` calls. While two
/// processes are blocked in `sem_wait`, `sem_getvalue` gives 0 or -2; both are accepted, and the value is recorded.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_getvalue", man = "sem_getvalue(3)")]
fn getvalue_with_waiters_is_zero_or_negative(kind: Kind) -> Outcome {
    let semaphore = kind.create(2)?;
    expect_eq!((semaphore.value(), semaphore.try_wait(), semaphore.value()), (Ok(2), Ok(()), Ok(1)));
    expect_eq!((semaphore.try_wait(), semaphore.value(), semaphore.try_wait()), (Ok(()), Ok(0), Err(EAGAIN)));
    let waiters = Waiters::blocked(&semaphore, 2)?;
    let value = semaphore.value();
    expect_matches!(value, Ok(0 | -2));
    observe!("semaphore.value-with-two-waiters", value.unwrap_or_default());
    expect_eq!((semaphore.post(), semaphore.post()), (Ok(()), Ok(())));
    expect_eq!((waiters.next_woken(2)?, semaphore.value()), (vec![0, 1], Ok(0)));
    Ok(())
}

/// If one of three processes blocked in `sem_wait` is killed, two `sem_post` calls wake the two others. Each of two further
/// `sem_post` calls increments the value by 1.
#[apply(named_and_unnamed)]
#[case::first(0)]
#[case::middle(1)]
#[case::last(2)]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn killed_waiter_takes_no_post(#[case] killed: u8, kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 3)?;
    waiters.participants[usize::from(killed)].kill()?;
    let survivors: Vec<u8> = (0..3).filter(|&number| number != killed).collect();
    expect_eq!((semaphore.post(), semaphore.post()), (Ok(()), Ok(())));
    expect_eq!((waiters.next_woken(2)?, semaphore.try_wait()), (survivors, Err(EAGAIN)));
    expect_eq!((semaphore.post(), semaphore.post(), semaphore.drain()), (Ok(()), Ok(()), Ok(2)));
    Ok(())
}

/// If the only process that is blocked in `sem_wait` is killed, the value is 0, and three `sem_post` calls make it 3.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", man = "sem_post(3)")]
fn killed_only_waiter_takes_no_post(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 1)?;
    waiters.participants[0].kill()?;
    expect_eq!(semaphore.drain(), Ok(0));
    expect_eq!((semaphore.post(), semaphore.post(), semaphore.post(), semaphore.drain()), (Ok(()), Ok(()), Ok(()), Ok(3)));
    Ok(())
}

/// If two processes are blocked in `sem_wait`, and the one that has waited longest is stopped, then `sem_post` is called, and
/// then the stopped process is killed, either the other process is woken, or the value is 1, or the value is 0 with the other
/// process still blocked. Each result is accepted and recorded.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", level = observed)]
fn to_a_waiter_killed_while_stopped_is_recorded(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 2)?;
    let [longest, other] = &waiters.participants[..] else { unreachable!("two waiters") };
    longest.stop()?;
    expect_eq!(semaphore.post(), Ok(()));
    longest.kill()?;
    // No process is left that could wake the other waiter later: if it is blocked now, the post did not go to it.
    let woke_other = other.until_settled()? == Settled::Ended;
    if woke_other {
        expect_eq!((waiters.next_woken(1), semaphore.drain()), (Ok(vec![1]), Ok(0)));
    }
    let left = semaphore.drain();
    expect_matches!(left, Ok(0 | 1));
    let became = if woke_other {
        "woke the other waiter"
    } else if left == Ok(1) {
        "stayed in the value"
    } else {
        "lost"
    };
    observe!("semaphore.post-to-a-waiter-killed-while-stopped", became);
    if !woke_other {
        expect_eq!((semaphore.post(), waiters.next_woken(1), semaphore.drain()), (Ok(()), Ok(vec![1]), Ok(0)));
    }
    Ok(())
}
