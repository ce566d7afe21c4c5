//! Interruption: a handler ends a wait with `EINTR`, or lets it go on under `SA_RESTART`; either way nothing has been taken.

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;
use rstest::rstest;

use super::fixture::Kind;
use super::waiters::Waiters;

/// What a wait returned, and how often the handler has run.
type Waited = (Result<(), Errno>, u32);

/// A process that catches `SIGUSR1` and waits.
#[track_caller]
fn blocked(semaphore: &Semaphore, restart: Restart) -> Result<Participant<Waited>, Failure> {
    let waiter = Participant::spawn_inheriting("waiter", |_| {
        signal::catch(Signal::SIGUSR1, restart).expect("a signal that can be caught");
        (semaphore.wait(), signal::caught(Signal::SIGUSR1))
    })?;
    waiter.until_blocked()?;
    Ok(waiter)
}

/// A handler without `SA_RESTART` ends the wait with `EINTR`, having run once; a later post is counted, and not taken by it.
#[rstest]
#[conformance::test(posix = "sem_wait", man = "signal(7)")]
fn ends_a_wait(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = blocked(&semaphore, Restart::No)?;
    waiter.signal(Signal::SIGUSR1)?;
    expect_eq!(waiter.join()?, (Err(EINTR), 1));
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// After a handler with `SA_RESTART` the wait goes on, as often as it is interrupted, until there is a post.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "sigaction", man = "signal(7)")]
fn with_restart_leaves_a_wait_waiting(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = blocked(&semaphore, Restart::Yes)?;
    for _ in 0..2 {
        waiter.until_blocked()?;
        waiter.signal(Signal::SIGUSR1)?;
    }
    expect_eq!(waiter.until_settled(), Ok(Settled::Blocked));
    expect_eq!(semaphore.post(), Ok(()));
    let (waited, handled) = waiter.join()?;
    expect_eq!((waited, semaphore.drain()), (Ok(()), Ok(0)));
    // Two that are pending at once are one.
    expect_matches!(handled, 1 | 2);
    Ok(())
}

/// A waiter that a handler has ended is owed nothing: the next post goes to the one that waits still.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn passes_the_post_on(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let interrupted = blocked(&semaphore, Restart::No)?;
    let waiters = Waiters::blocked(&semaphore, 1)?;
    interrupted.signal(Signal::SIGUSR1)?;
    expect_eq!(interrupted.join()?, (Err(EINTR), 1));
    expect_eq!((waiters.asleep(), semaphore.post()), (Ok(1), Ok(())));
    expect_eq!((waiters.next(1), semaphore.drain()), (Ok(vec![0]), Ok(0)));
    Ok(())
}

/// A post and a signal that come together to a waiter that is stopped come to one of two ends: it has taken one, or it has been
/// interrupted and one is left; never both, never neither.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn together_with_a_post_loses_nothing(
    #[values(Kind::Named, Kind::Unnamed)] kind: Kind,
    #[values(false, true)] signal_first: bool,
) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = blocked(&semaphore, Restart::No)?;
    waiter.stop()?;
    if signal_first {
        waiter.signal(Signal::SIGUSR1)?;
    }
    expect_eq!(semaphore.post(), Ok(()));
    if !signal_first {
        waiter.signal(Signal::SIGUSR1)?;
    }
    waiter.resume()?;
    let (waited, handled) = waiter.join()?;
    let left = u32::from(waited.is_err());
    expect_matches!(waited, Ok(()) | Err(EINTR));
    expect_eq!((handled, semaphore.drain()), (1, Ok(left)));
    Ok(())
}

/// A signal that is ignored, or that is blocked, does not end a wait; the blocked one is pending afterwards.
#[rstest]
#[conformance::test(posix = "sem_wait", posix = "sigaction")]
fn needs_a_handler_that_can_run(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = Participant::spawn_inheriting("waiter", |_| {
        signal::ignore(Signal::SIGUSR1)?;
        signal::catch(Signal::SIGUSR2, Restart::No)?;
        signal::block(Signal::SIGUSR2)?;
        let waited = semaphore.wait();
        Ok::<_, Errno>((waited, signal::caught(Signal::SIGUSR2), signal::pending(Signal::SIGUSR2)))
    })?;
    waiter.until_blocked()?;
    waiter.signal(Signal::SIGUSR1)?;
    waiter.signal(Signal::SIGUSR2)?;
    expect_eq!(waiter.until_settled(), Ok(Settled::Blocked));
    expect_eq!((semaphore.post(), waiter.join()?), (Ok(()), Ok((Ok(()), 0, Ok(true)))));
    Ok(())
}

/// A wait that finds one is not ended by a signal that came before it: there was nothing to interrupt.
#[rstest]
#[conformance::test(posix = "sem_wait")]
fn before_a_wait_is_none(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(1)?;
    signal::catch(Signal::SIGUSR1, Restart::No)?;
    nix::sys::signal::raise(Signal::SIGUSR1)?;
    expect_eq!((signal::caught(Signal::SIGUSR1), semaphore.wait(), semaphore.try_wait()), (1, Ok(()), Err(EAGAIN)));
    Ok(())
}
