//! Posts in a signal handler: `sem_post` is the one call of its family that a handler may make, whatever it has interrupted.

use conformance::prelude::*;
use conformance::sys::semaphore::PostOnSignal;
use rstest::rstest;

use super::fixture::Kind;
use super::waiters::Waiters;

/// A handler posts to the semaphore that its own thread waits for: with `SA_RESTART` the wait takes what was posted, without it the
/// wait does that or is interrupted and leaves it; nothing is lost.
#[rstest]
#[conformance::test(posix = "sem_post", man = "signal-safety(7)")]
fn can_let_its_own_thread_go(
    #[values(Restart::Yes, Restart::No)] restart: Restart,
    #[values(Kind::Named, Kind::Unnamed)] kind: Kind,
) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = Participant::spawn_inheriting("waiter", |_| {
        let handler = PostOnSignal::new(&semaphore, Signal::SIGUSR1, restart)?;
        Ok::<_, Errno>((semaphore.wait(), handler.posted()))
    })?;
    waiter.until_blocked()?;
    waiter.signal(Signal::SIGUSR1)?;
    let (waited, posted) = waiter.join()??;
    expect_eq!(posted, Ok(()));
    if restart == Restart::Yes {
        expect_eq!(waited, Ok(()));
    }
    expect_matches!(waited, Ok(()) | Err(EINTR));
    expect_eq!(semaphore.drain(), Ok(u32::from(waited.is_err())));
    Ok(())
}

/// A handler in one process lets waiters in others go, one for each signal.
#[rstest]
#[conformance::test(posix = "sem_post", man = "signal-safety(7)")]
fn can_let_others_go(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 2)?;
    let handler = PostOnSignal::new(&semaphore, Signal::SIGUSR1, Restart::Yes)?;
    nix::sys::signal::raise(Signal::SIGUSR1)?;
    expect_eq!((waiters.next(1).map(|woken| woken.len()), waiters.asleep()), (Ok(1), Ok(1)));
    nix::sys::signal::raise(Signal::SIGUSR1)?;
    expect_eq!((waiters.next(1).map(|woken| woken.len()), handler.posted()), (Ok(1), Ok(())));
    expect_eq!(semaphore.drain(), Ok(0));
    Ok(())
}

/// Signals that interrupt a process while it posts by itself add exactly one each.
#[rstest]
#[conformance::test(posix = "sem_post", man = "signal-safety(7)")]
fn is_counted_amid_other_posts(#[values(Kind::Named, Kind::Unnamed)] kind: Kind) -> Outcome {
    const SIGNALS: u32 = 10;
    const BETWEEN: u32 = 3;
    let semaphore = kind.create(0)?;
    let (stopped, stop) = pipe()?;
    let poster = Participant::spawn_inheriting("poster", |link| {
        let handler = PostOnSignal::new(&semaphore, Signal::SIGUSR1, Restart::Yes)?;
        link.reached("ready");
        let mut posts = 0_u32;
        while unread(&stopped)? == 0 {
            semaphore.post()?;
            posts += 1;
        }
        handler.posted()?;
        Ok::<_, Errno>(posts + handler.runs())
    })?;
    poster.until_reached("ready")?;
    for _ in 0..SIGNALS {
        poster.signal(Signal::SIGUSR1)?;
        for _ in 0..BETWEEN {
            expect_eq!(semaphore.wait(), Ok(()));
        }
    }
    write_all(&stop, b".")?;
    let posted = poster.join()??;
    expect_eq!(semaphore.drain().map(|left| left + SIGNALS * BETWEEN), Ok(posted));
    Ok(())
}
