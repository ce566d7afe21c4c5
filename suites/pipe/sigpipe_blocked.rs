//! `SIGPIPE` for who was already waiting: the signal of a writer whose reader vanishes under it says the same as that of a writer who
//! came too late, about its cause, its sender and its thread.

use conformance::prelude::*;
use rstest::rstest;

use common::ends::broken;
use common::pipe::Kind;
#[cfg(has_splice)]
use common::transfer::{Supply, full};

/// What the handler was told last, and that it ran so often.
type Told = ((i32, i32, i32), u32);

/// The result of a call, and what the handler was told by then.
fn told_by(call: impl FnOnce() -> Result<usize, Errno>) -> (Result<usize, Errno>, Told) {
    signal::forget_last_caught();
    let before = signal::caught(Signal::SIGPIPE);
    let result = call();
    (result, (signal::last_caught(), signal::caught(Signal::SIGPIPE) - before))
}

/// A write that was waiting for room is answered with the signal that a write without a reader gets at once.
#[rstest]
#[case::closes(false)]
#[case::is_killed(true)]
#[conformance::test(posix = "write", posix = "signal.h")]
fn is_the_same_when_the_reader(#[case] killed: bool, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let writer = Participant::spawn("writer", (writer_end, broken(kind)?), |(end, broken), _| {
        signal::catch(Signal::SIGPIPE, Restart::Yes)?;
        let at_once = told_by(|| write(&broken, b"x"));
        Ok::<_, Errno>((at_once, told_by(|| write(&end, b"x"))))
    })?;
    let reader = Participant::spawn("reader", reader_end, |_end, link| -> () { link.park() })?;
    writer.until_blocked()?;
    if killed {
        reader.kill()?;
    } else {
        drop(reader);
    }
    let own = writer.id().as_raw();
    let (at_once, after_waiting) = writer.join()??;
    let ((_, sender, thread), count) = at_once.1;
    expect_eq!((at_once.0, count), (Err(EPIPE), 1));
    expect!(sender == own || sender == 0, "the sender is {sender}, and the writer {own}");
    if cfg!(linux) {
        expect_eq!(thread, own);
    }
    expect_eq!(after_waiting, at_once);
    Ok(())
}

/// The signal of a vector that waits, likewise.
#[rstest]
#[conformance::test(posix = "writev", posix = "signal.h")]
fn is_the_same_for_a_vector(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let writer = Participant::spawn("writer", (writer_end, broken(kind)?), |(end, broken), _| {
        let segments = [std::io::IoSlice::new(b"ab"), std::io::IoSlice::new(b"c")];
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        let at_once = told_by(|| writev(&broken, &segments));
        Ok::<_, Errno>((at_once, told_by(|| writev(&end, &segments))))
    })?;
    writer.until_blocked()?;
    drop(reader);
    let (at_once, after_waiting) = writer.join()??;
    expect_eq!((at_once.0, after_waiting), (Err(EPIPE), at_once));
    Ok(())
}

/// What a transfer into a pipe is told that loses its reader while it waits, is what it is told that has none from the start, and
/// what a write is told.
#[cfg(has_splice)]
#[rstest]
#[conformance::test(man = "pipe(7)", man = "splice(2)", man = "signal(7)")]
fn is_the_same_for_a_transfer(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let ((reader, writer_end), _) = full()?;
    let source = call.source(b"abc")?;
    let mover = Participant::spawn("mover", (writer_end, broken(Kind::Pipe)?, source), move |(end, broken, source), _| {
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        let written = told_by(|| write(&broken, b"x"));
        let at_once = told_by(|| call.once(&source, b"abc", &broken));
        Ok::<_, Errno>((written, at_once, told_by(|| call.once(&source, b"abc", &end))))
    })?;
    mover.until_blocked()?;
    drop(reader);
    let (written, at_once, after_waiting) = mover.join()??;
    expect_eq!(written.0, Err(EPIPE));
    expect_eq!((at_once, after_waiting), (written, written));
    Ok(())
}

/// Where a write has put in a part before its reader vanished, a signal that comes with the count is the same one.
#[rstest]
#[conformance::test(posix = "write", posix = "signal.h")]
fn is_the_same_where_a_part_went_in(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = common::ends::capacity(kind)?;
    let writer = Participant::spawn("writer", (writer_end, broken(kind)?), move |(end, broken), _| {
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        let at_once = told_by(|| write(&broken, b"x"));
        Ok::<_, Errno>((at_once, told_by(|| write(&end, &vec![1; capacity + 1])), told_by(|| write(&end, b"x"))))
    })?;
    writer.until_blocked()?;
    drop(reader);
    let (at_once, in_part, next) = writer.join()??;
    expect!(in_part.0 == Ok(capacity) || in_part.0 == Err(EPIPE), "{:?}", in_part.0);
    // Told once, or not at all.
    expect!(in_part.1.1 == 0 && in_part.0.is_ok() || in_part.1 == at_once.1, "{in_part:?} where {at_once:?} is usual");
    expect_eq!((at_once.0, next), (Err(EPIPE), at_once));
    Ok(())
}
