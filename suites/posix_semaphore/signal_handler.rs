//! `sem_post` in a signal handler: the one call on semaphores that is async-signal-safe.

use conformance::prelude::*;
use conformance::sys::semaphore::PostOnSignal;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, Waiters, named_and_unnamed};

/// If a thread blocked in `sem_wait` runs a signal handler that calls `sem_post` on the same semaphore, `sem_wait` returns 0 if
/// the handler was installed with `SA_RESTART`. Without `SA_RESTART`, `sem_wait` either returns 0 and the value is 0, or fails
/// with `EINTR` and the value is 1; both are accepted.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", man = "signal-safety(7)")]
fn sem_post_wakes_the_thread_that_it_interrupted(#[values(Restart::Yes, Restart::No)] restart: Restart, kind: Kind) -> Outcome {
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

/// If two processes are blocked in `sem_wait` and a third process runs a signal handler that calls `sem_post` once, exactly one
/// of the two is woken. A second run of the handler wakes the other one.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", man = "signal-safety(7)")]
fn sem_post_wakes_other_processes(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiters = Waiters::blocked(&semaphore, 2)?;
    let handler = PostOnSignal::new(&semaphore, Signal::SIGUSR1, Restart::Yes)?;
    nix::sys::signal::raise(Signal::SIGUSR1)?;
    expect_eq!((waiters.next_woken(1).map(|woken| woken.len()), waiters.still_blocked()), (Ok(1), Ok(1)));
    nix::sys::signal::raise(Signal::SIGUSR1)?;
    expect_eq!((waiters.next_woken(1).map(|woken| woken.len()), handler.posted()), (Ok(1), Ok(())));
    expect_eq!(semaphore.drain(), Ok(0));
    Ok(())
}

/// If a signal handler that calls `sem_post` interrupts a process that calls `sem_post` in a loop, each `sem_post` of the handler
/// and of the loop adds exactly 1 to the value.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_post", man = "signal-safety(7)")]
fn sem_post_counts_amid_other_posts(kind: Kind) -> Outcome {
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
