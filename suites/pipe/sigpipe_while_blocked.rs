//! `SIGPIPE` for a process that is blocked when the last reader closes: `siginfo` is the same as for a process that writes after
//! the last reader has closed.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::writer_without_reader;
use common::pipe::{Kind, pipe_and_fifo};
#[cfg(has_splice)]
use common::transfer::{Supply, every_supply, full};

/// `si_code`, `si_pid` and thread of the last signal, and the number of signals.
type Signals = ((i32, i32, i32), u32);

/// The result of a call, and the signals that it raised.
fn signals_of(call: impl FnOnce() -> Result<usize, Errno>) -> (Result<usize, Errno>, Signals) {
    signal::forget_last_caught();
    let before = signal::caught(Signal::SIGPIPE);
    let result = call();
    (result, (signal::last_caught(), signal::caught(Signal::SIGPIPE) - before))
}

/// If the last reader closes or is killed while a process is blocked in `write` on the full pipe, the call fails with `EPIPE`.
/// The handler for `SIGPIPE` runs once, with the same `si_code` and `si_pid` and in the same thread as for an earlier `write` of
/// that process to a pipe without readers.
#[apply(pipe_and_fifo)]
#[case::reader_closes(false)]
#[case::reader_is_killed(true)]
#[conformance::test(posix = "write", posix = "signal.h", level = customary)]
fn write_gets_the_same_siginfo(#[case] killed: bool, kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let writer = Participant::spawn("writer", (writer_end, writer_without_reader(kind)?), |(end, broken), _| {
        signal::catch(Signal::SIGPIPE, Restart::Yes)?;
        let at_once = signals_of(|| write(&broken, b"x"));
        Ok::<_, Errno>((at_once, signals_of(|| write(&end, b"x"))))
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

/// If the last reader closes while a process is blocked in `writev` on the full pipe, the call fails with `EPIPE`. The handler
/// for `SIGPIPE` runs as many times, with the same `si_code` and `si_pid` and in the same thread as for an earlier `writev` of
/// that process to a pipe without readers.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "writev", posix = "signal.h", level = customary)]
fn writev_gets_the_same_siginfo(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let writer = Participant::spawn("writer", (writer_end, writer_without_reader(kind)?), |(end, broken), _| {
        let segments = [std::io::IoSlice::new(b"ab"), std::io::IoSlice::new(b"c")];
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        let at_once = signals_of(|| writev(&broken, &segments));
        Ok::<_, Errno>((at_once, signals_of(|| writev(&end, &segments))))
    })?;
    writer.until_blocked()?;
    drop(reader);
    let (at_once, after_waiting) = writer.join()??;
    expect_eq!((at_once.0, after_waiting), (Err(EPIPE), at_once));
    Ok(())
}

/// If the last reader closes while a process is blocked in `splice`, `tee`, `vmsplice` or `sendfile` into the full pipe, the call
/// fails with `EPIPE`. The handler for `SIGPIPE` runs as many times, with the same `si_code` and `si_pid` and in the same thread
/// as for an earlier `write` of that process to a pipe without readers.
#[cfg(has_splice)]
#[apply(every_supply)]
#[conformance::test(man = "pipe(7)", man = "splice(2)", man = "signal(7)", level = customary)]
fn transfer_gets_the_same_siginfo(call: Supply) -> Outcome {
    let ((reader, writer_end), _) = full()?;
    let source = call.source(b"abc")?;
    let writer =
        Participant::spawn("writer", (writer_end, writer_without_reader(Kind::Pipe)?, source), move |(end, broken, source), _| {
            signal::catch(Signal::SIGPIPE, Restart::No)?;
            let written = signals_of(|| write(&broken, b"x"));
            let at_once = signals_of(|| call.once(&source, b"abc", &broken));
            Ok::<_, Errno>((written, at_once, signals_of(|| call.once(&source, b"abc", &end))))
        })?;
    writer.until_blocked()?;
    drop(reader);
    let (written, at_once, after_waiting) = writer.join()??;
    expect_eq!(written.0, Err(EPIPE));
    expect_eq!((at_once, after_waiting), (written, written));
    Ok(())
}

/// If the last reader closes while a process is blocked in a `write` that has added part of its bytes, `write` returns the count
/// of that part with 0 or 1 `SIGPIPE`, or fails with `EPIPE` and 1 `SIGPIPE`. Such a `SIGPIPE` has the same `si_code` and
/// `si_pid`, and its handler runs in the same thread, as for a `write` to a pipe without readers.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write", posix = "signal.h", level = customary)]
fn partly_done_write_gets_the_same_siginfo(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = common::ends::capacity(kind)?;
    let writer = Participant::spawn("writer", (writer_end, writer_without_reader(kind)?), move |(end, broken), _| {
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        let at_once = signals_of(|| write(&broken, b"x"));
        Ok::<_, Errno>((at_once, signals_of(|| write(&end, &vec![1; capacity + 1])), signals_of(|| write(&end, b"x"))))
    })?;
    writer.until_blocked()?;
    drop(reader);
    let (at_once, partial, next) = writer.join()??;
    expect!(partial.0 == Ok(capacity) || partial.0 == Err(EPIPE), "{:?}", partial.0);
    // One signal, or none together with a count.
    expect!(partial.1.1 == 0 && partial.0.is_ok() || partial.1 == at_once.1, "{partial:?}, expected {at_once:?}");
    expect_eq!((at_once.0, next), (Err(EPIPE), at_once));
    Ok(())
}
