//! Interruption of `sem_wait` by signals: handlers with and without `SA_RESTART`, ignored and blocked signals, and a post at the same
//! time. Timed waits are in `timed`, posts by the handler itself in `signal_handler`.

use conformance::prelude::*;
use conformance::sys::semaphore::Semaphore;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{Kind, Waiters, named_and_unnamed};

/// What a wait returned, and how often the handler has run.
type Waited = (Result<(), Errno>, u32);

/// A process that catches `SIGUSR1` and is blocked in `sem_wait`.
#[track_caller]
fn blocked(semaphore: &Semaphore, restart: Restart) -> Result<Participant<Waited>, Failure> {
    let waiter = Participant::spawn_inheriting("waiter", |_| {
        signal::catch(Signal::SIGUSR1, restart).expect("a signal that can be caught");
        (semaphore.wait(), signal::caught(Signal::SIGUSR1))
    })?;
    waiter.until_blocked()?;
    Ok(waiter)
}

/// If a process blocked in `sem_wait` runs a signal handler installed without `SA_RESTART`, `sem_wait` fails with `EINTR`. The
/// value stays 0, and a later `sem_post` makes it 1.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", man = "signal(7)", level = documented)]
fn handler_ends_the_wait_with_eintr(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let waiter = blocked(&semaphore, Restart::No)?;
    waiter.signal(Signal::SIGUSR1)?;
    expect_eq!(waiter.join()?, (Err(EINTR), 1));
    expect_eq!((semaphore.drain(), semaphore.post(), semaphore.drain()), (Ok(0), Ok(()), Ok(1)));
    Ok(())
}

/// After a process blocked in `sem_wait` has run a signal handler installed with `SA_RESTART`, the process is blocked in
/// `sem_wait` again. After a `sem_post`, `sem_wait` returns 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "sigaction", man = "signal(7)")]
fn sa_restart_continues_the_wait(kind: Kind) -> Outcome {
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
    // Two signals that are pending at the same time are delivered as one.
    expect_matches!(handled, 1 | 2);
    Ok(())
}

/// If two processes are blocked in `sem_wait` and a signal handler makes `sem_wait` fail with `EINTR` in one of them, the next
/// `sem_post` wakes the other process. The value is 0 afterwards.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "sem_post", man = "signal(7)", level = documented)]
fn next_post_wakes_the_remaining_waiter(kind: Kind) -> Outcome {
    let semaphore = kind.create(0)?;
    let interrupted = blocked(&semaphore, Restart::No)?;
    let waiters = Waiters::blocked(&semaphore, 1)?;
    interrupted.signal(Signal::SIGUSR1)?;
    expect_eq!(interrupted.join()?, (Err(EINTR), 1));
    expect_eq!((waiters.still_blocked(), semaphore.post()), (Ok(1), Ok(())));
    expect_eq!((waiters.next_woken(1), semaphore.drain()), (Ok(vec![0]), Ok(0)));
    Ok(())
}

/// If a process blocked in `sem_wait` is stopped, and is sent a signal with a handler without `SA_RESTART` and a `sem_post`, in
/// either order, before `SIGCONT`, then `sem_wait` either returns 0 and the value is 0, or fails with `EINTR` and the value is 1.
/// Both results are accepted.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "sem_post")]
fn post_together_with_a_signal_is_not_lost(kind: Kind, #[values(false, true)] signal_first: bool) -> Outcome {
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

/// A process that is blocked in `sem_wait` and receives an ignored signal and a signal blocked by its mask stays blocked. After a
/// `sem_post`, `sem_wait` returns 0, and the signal blocked by the mask is pending (`sigpending`).
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait", posix = "sigaction")]
fn ignored_or_blocked_signal_leaves_the_wait_blocked(kind: Kind) -> Outcome {
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

/// If a process has run a signal handler before it calls `sem_wait` at value 1, `sem_wait` returns 0, and the value is 0.
#[apply(named_and_unnamed)]
#[conformance::test(posix = "sem_wait")]
fn signal_handled_before_the_wait_has_no_effect(kind: Kind) -> Outcome {
    let semaphore = kind.create(1)?;
    signal::catch(Signal::SIGUSR1, Restart::No)?;
    nix::sys::signal::raise(Signal::SIGUSR1)?;
    expect_eq!((signal::caught(Signal::SIGUSR1), semaphore.wait(), semaphore.try_wait()), (1, Ok(()), Err(EAGAIN)));
    Ok(())
}
