//! Signals, stops and continuations of a process that is blocked in `open` of a FIFO.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{AccessMode, Fifo, every_access_mode};

/// A signal handler without `SA_RESTART` makes a blocked `open` of a FIFO fail with `EINTR`. If that call was for reading, `open`
/// with `O_WRONLY | O_NONBLOCK` then fails with `ENXIO`; if it was for writing, `read` by a new reader returns 0.
#[apply(every_access_mode)]
#[conformance::test(posix = "open", man = "signal(7)")]
fn open_is_interrupted_by_a_handler(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = Participant::spawn("opener", (), |(), link| {
        let caught = signal::catch(Signal::SIGUSR1, Restart::No);
        let opened = caught.and_then(|()| open(fifo.path(), access.flag()).map(drop));
        link.meet("interrupted");
        (opened, signal::caught(Signal::SIGUSR1))
    })?;
    opener.until_blocked()?;
    opener.signal(Signal::SIGUSR1)?;
    opener.until_reached("interrupted")?;
    expect_eq!(fifo.is_closed(access), Ok(true));
    opener.open("interrupted")?;
    expect_eq!(opener.join()?, (Err(EINTR), 1));
    Ok(())
}

/// A blocked `open` of a FIFO stays blocked after a signal handler with `SA_RESTART` has run, and returns a descriptor when the
/// opposite end is opened.
#[apply(every_access_mode)]
#[conformance::test(posix = "sigaction", man = "signal(7)")]
fn open_restarts_after_a_handler_with_sa_restart(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = Participant::spawn("opener", (), |(), _| {
        let caught = signal::catch(Signal::SIGUSR1, Restart::Yes);
        (caught.and_then(|()| open(fifo.path(), access.flag()).map(drop)), signal::caught(Signal::SIGUSR1))
    })?;
    opener.until_blocked()?;
    opener.signal(Signal::SIGUSR1)?;
    opener.expect_still_blocked()?;
    expect_eq!(fifo.open_and_close(access.opposite().flag()), Ok(()));
    expect_eq!(opener.join()?, (Ok(()), 1));
    Ok(())
}

/// A blocked `open` of a FIFO stays blocked after `SIGUSR1`, ignored by `SIG_IGN`, and `SIGCHLD`, ignored by default. The call
/// returns a descriptor when the opposite end is opened.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn open_stays_blocked_after_an_ignored_signal(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = Participant::spawn("opener", (), |(), _| {
        signal::ignore(Signal::SIGUSR1)?;
        open(fifo.path(), access.flag()).map(drop)
    })?;
    opener.until_blocked()?;
    opener.signal(Signal::SIGUSR1)?;
    opener.signal(Signal::SIGCHLD)?;
    opener.expect_still_blocked()?;
    expect_eq!(fifo.open_and_close(access.opposite().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// After `SIGSTOP` and `SIGCONT`, a blocked `open` of a FIFO stays blocked, and returns a descriptor when the opposite end is
/// opened.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn open_stays_blocked_after_a_stop(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = fifo.blocked_open(access, "opener")?;
    opener.stop()?;
    opener.resume()?;
    opener.expect_still_blocked()?;
    expect_eq!(fifo.open_and_close(access.opposite().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// If the opposite end is opened without `O_NONBLOCK` while a process blocked in `open` of a FIFO is stopped by `SIGSTOP`, both
/// `open` calls return a descriptor after `SIGCONT`.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn stopped_open_returns_after_sigcont(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = fifo.blocked_open(access, "opener")?;
    opener.stop()?;
    let peer = Participant::spawn("peer", (), |(), link| {
        let opened = open(fifo.path(), access.opposite().flag());
        link.wait("both open");
        opened.map(drop)
    })?;
    opener.resume()?;
    expect_eq!(opener.join()?, Ok(()));
    peer.open("both open")?;
    expect_eq!(peer.join()?, Ok(()));
    Ok(())
}

/// While a process that was blocked in `open` for reading is stopped by `SIGSTOP`, `open` with `O_WRONLY | O_NONBLOCK` returns a
/// descriptor or fails with `ENXIO`; either is accepted, and which of the two is recorded. After that process is killed, `open`
/// with `O_WRONLY | O_NONBLOCK` fails with `ENXIO`.
#[conformance::test(posix = "open", level = observed)]
fn stopped_reader_may_not_count() -> Outcome {
    let fifo = Fifo::new()?;
    let opener = fifo.blocked_open(AccessMode::ReadOnly, "opener")?;
    opener.stop()?;
    let opened = fifo.open_and_close(OFlag::O_WRONLY);
    expect_matches!(opened, Ok(()) | Err(ENXIO));
    observe!("fifo.stopped-open-counts-as-reader", opened.is_ok());
    opener.kill()?;
    expect_eq!(fifo.is_closed(AccessMode::ReadOnly), Ok(true));
    Ok(())
}
