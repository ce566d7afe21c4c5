//! Signals, stops and continuations for one that sleeps in `open`: which of them end the sleep, and what is left then.

use conformance::prelude::*;
use rstest::rstest;

use super::fixture::{Named, Side};

/// A handler that was installed without `SA_RESTART` ends the wait with an error, and the opener was never there.
#[rstest]
#[conformance::test(posix = "open", man = "signal(7)")]
fn is_interrupted_by_a_handler(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let opener = Participant::spawn("opener", (), |(), link| {
        let caught = signal::catch(Signal::SIGUSR1, Restart::No);
        let opened = caught.and_then(|()| open(fifo.path(), side.flag()).map(drop));
        link.meet("interrupted");
        (opened, signal::caught(Signal::SIGUSR1))
    })?;
    opener.until_blocked()?;
    opener.signal(Signal::SIGUSR1)?;
    opener.until_reached("interrupted")?;
    expect_eq!(fifo.nobody_at(side), Ok(true));
    opener.open("interrupted")?;
    expect_eq!(opener.join()?, (Err(EINTR), 1));
    Ok(())
}

/// After a handler that was installed with `SA_RESTART` the opener waits on, and is let in.
#[rstest]
#[conformance::test(posix = "sigaction", man = "signal(7)")]
fn starts_again_after_a_handler(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let opener = Participant::spawn("opener", (), |(), _| {
        let caught = signal::catch(Signal::SIGUSR1, Restart::Yes);
        (caught.and_then(|()| open(fifo.path(), side.flag()).map(drop)), signal::caught(Signal::SIGUSR1))
    })?;
    opener.until_blocked()?;
    opener.signal(Signal::SIGUSR1)?;
    opener.expect_still_blocked()?;
    expect_eq!(fifo.visit(side.other().flag()), Ok(()));
    expect_eq!(opener.join()?, (Ok(()), 1));
    Ok(())
}

/// A signal that is ignored does not end the wait, whatever the flags of its disposition.
#[rstest]
#[conformance::test(posix = "open")]
fn is_not_disturbed_by_an_ignored_signal(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let opener = Participant::spawn("opener", (), |(), _| {
        signal::ignore(Signal::SIGUSR1)?;
        open(fifo.path(), side.flag()).map(drop)
    })?;
    opener.until_blocked()?;
    opener.signal(Signal::SIGUSR1)?;
    opener.signal(Signal::SIGCHLD)?;
    opener.expect_still_blocked()?;
    expect_eq!(fifo.visit(side.other().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// Being stopped and continued does not end the wait.
#[rstest]
#[conformance::test(posix = "open")]
fn sleeps_on_after_a_stop(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let opener = fifo.waiting(side, "opener")?;
    opener.stop()?;
    opener.resume()?;
    opener.expect_still_blocked()?;
    expect_eq!(fifo.visit(side.other().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// One that was stopped while it waited, and one that came to the other side meanwhile, meet once the first is continued.
#[rstest]
#[conformance::test(posix = "open")]
fn meets_one_that_came_while_it_was_stopped(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let opener = fifo.waiting(side, "opener")?;
    opener.stop()?;
    let partner = Participant::spawn("partner", (), |(), link| {
        let opened = open(fifo.path(), side.other().flag());
        link.wait("met");
        opened.map(drop)
    })?;
    opener.resume()?;
    expect_eq!(opener.join()?, Ok(()));
    partner.open("met")?;
    expect_eq!(partner.join()?, Ok(()));
    Ok(())
}

/// Whether others find a reader in one that was stopped while it waited to open for reading is left to the system.
#[conformance::test(posix = "open", level = observed)]
fn may_be_nobody_while_stopped() -> Outcome {
    let fifo = Named::new()?;
    let opener = fifo.waiting(Side::Reader, "opener")?;
    opener.stop()?;
    let visit = fifo.visit(OFlag::O_WRONLY);
    expect_matches!(visit, Ok(()) | Err(ENXIO));
    observe!("fifo.stopped-opener-is-a-reader", visit.is_ok());
    opener.kill()?;
    expect_eq!(fifo.nobody_at(Side::Reader), Ok(true));
    Ok(())
}
