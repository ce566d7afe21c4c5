//! Signals and `splice`, `tee`, `vmsplice` and `sendfile`: `SIGPIPE` from a pipe without readers, and handlers, stops and
//! continuations of a blocked call.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::transfer::{
    Drain, NO_FLAGS, SPLICE_F_NONBLOCK, Supply, drain, every_drain, every_supply, file, full, holding, letters, position,
};

/// `splice`, `tee`, `vmsplice` and `sendfile` into a pipe without readers fail with `EPIPE` and raise one `SIGPIPE` in each call.
/// The source keeps all its bytes.
#[apply(every_supply)]
#[conformance::test(man = "pipe(7)", man = "splice(2)", level = customary, fixed_in = "Linux 4.10 (52bce91165e5)")]
fn every_call_without_readers_raises_sigpipe(call: Supply) -> Outcome {
    let (reader, writer) = pipe()?;
    let source = call.source(letters())?;
    drop(reader);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    expect_eq!((call.once(&source, letters(), &writer), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    expect_eq!((call.once(&source, letters(), &writer), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 2));
    expect_eq!((call.left(&source, letters())?, unread(&writer)?), (5, 0));
    Ok(())
}

/// `splice`, `tee`, `vmsplice` and `sendfile` into a pipe without readers kill the calling process by `SIGPIPE` if the signal has
/// its default disposition.
#[apply(every_supply)]
#[conformance::test(man = "pipe(7)", man = "splice(2)", level = customary)]
fn sigpipe_kills_the_caller_by_default(call: Supply) -> Outcome {
    let (reader, writer) = pipe()?;
    drop(reader);
    let caller = Participant::spawn("caller", (writer, call.source(letters())?), move |(writer, source), _| {
        call.once(&source, letters(), &writer)
    })?;
    expect_eq!(caller.end()?, End::Killed(Signal::SIGPIPE));
    Ok(())
}

/// `splice` and `tee` into a pipe without readers fail with `EPIPE` while `SIGPIPE` is ignored, and the source keeps its bytes.
#[conformance::test(man = "pipe(7)", man = "splice(2)", level = customary)]
fn ignored_sigpipe_leaves_epipe() -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (reader, writer) = pipe()?;
    drop(reader);
    signal::ignore(Signal::SIGPIPE)?;
    expect_eq!((splice(&source, &writer, 3, NO_FLAGS), tee(&source, &writer, 3, NO_FLAGS)), (Err(EPIPE), Err(EPIPE)));
    expect_eq!(drain(&source)?, b"abc");
    Ok(())
}

/// `splice` and `tee` with `SPLICE_F_NONBLOCK` from an empty pipe into a pipe without readers fail with `EAGAIN` and raise no
/// `SIGPIPE`.
#[conformance::test(man = "splice(2)", level = customary)]
fn empty_source_raises_no_sigpipe() -> Outcome {
    let (source, _feed) = pipe()?;
    let (reader, writer) = pipe()?;
    drop(reader);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    expect_eq!(
        (splice(&source, &writer, 3, SPLICE_F_NONBLOCK), tee(&source, &writer, 3, SPLICE_F_NONBLOCK)),
        (Err(EAGAIN), Err(EAGAIN))
    );
    expect_eq!(signal::caught(Signal::SIGPIPE), 0);
    Ok(())
}

/// When the last reader of a full pipe closes, a blocked `splice`, `tee`, `vmsplice` or `sendfile` into that pipe fails with
/// `EPIPE` and raises one `SIGPIPE`. The source keeps all its bytes.
#[apply(every_supply)]
#[conformance::test(man = "pipe(7)", man = "splice(2)", level = customary, fixed_in = "Linux 4.10 (52bce91165e5)")]
fn last_reader_closing_wakes_with_epipe(call: Supply) -> Outcome {
    let ((reader, writer), _) = full()?;
    let second = dup(&reader)?;
    let caller = Participant::spawn("caller", (writer, call.source(letters())?), move |(writer, source), _| {
        let caught = signal::catch(Signal::SIGPIPE, Restart::No);
        let moved = call.once(&source, letters(), &writer);
        (caught, moved, signal::caught(Signal::SIGPIPE), call.left(&source, letters()))
    })?;
    caller.until_blocked()?;
    drop(reader);
    caller.expect_still_blocked()?;
    drop(second);
    expect_eq!(caller.join()?, (Ok(()), Err(EPIPE), 1, Ok(5)));
    Ok(())
}

/// If the last reader of a full pipe is killed, a process blocked in `splice` into that pipe is killed by `SIGPIPE`, and the
/// source keeps its bytes.
#[conformance::test(man = "pipe(7)", man = "splice(2)", level = customary)]
fn killed_last_reader_raises_sigpipe() -> Outcome {
    let ((reader, writer), _) = full()?;
    let (source, _feed) = holding(b"abc")?;
    let kept = dup(&source)?;
    let last_reader = Participant::spawn("reader", reader, |_reader, link| -> () { link.park() })?;
    let caller = Participant::spawn("caller", (source, writer), |(source, writer), _| splice(&source, &writer, 3, NO_FLAGS))?;
    caller.until_blocked()?;
    last_reader.kill()?;
    expect_eq!(caller.end()?, End::Killed(Signal::SIGPIPE));
    expect_eq!(drain(&kept)?, b"abc");
    Ok(())
}

/// A signal handler without `SA_RESTART` makes a `splice` or `vmsplice` that is blocked on an empty source pipe fail with
/// `EINTR`.
#[apply(every_drain)]
#[conformance::test(man = "signal(7)", level = customary)]
fn handler_interrupts_a_call_on_an_empty_source(call: Drain) -> Outcome {
    let (source, _feed) = pipe()?;
    let caller = Participant::spawn("caller", (source, call.sink()?), move |(source, sink), _| {
        let set = signal::catch(Signal::SIGUSR1, Restart::No);
        let moved = call.once(&source, &sink, 9);
        (set, moved, signal::caught(Signal::SIGUSR1))
    })?;
    caller.until_blocked()?;
    caller.signal(Signal::SIGUSR1)?;
    expect_eq!(caller.join()?, (Ok(()), Err(EINTR), 1));
    Ok(())
}

/// A signal handler without `SA_RESTART` makes a `splice`, `tee`, `vmsplice` or `sendfile` that is blocked on a full pipe fail
/// with `EINTR`. The source and the pipe keep their bytes.
#[apply(every_supply)]
#[conformance::test(man = "signal(7)", level = customary)]
fn handler_interrupts_a_call_on_a_full_target(call: Supply) -> Outcome {
    let ((reader, writer), count) = full()?;
    let caller = Participant::spawn("caller", (writer, call.source(letters())?), move |(writer, source), _| {
        let set = signal::catch(Signal::SIGUSR1, Restart::No);
        let moved = call.once(&source, letters(), &writer);
        (set, moved, signal::caught(Signal::SIGUSR1), call.left(&source, letters()))
    })?;
    caller.until_blocked()?;
    caller.signal(Signal::SIGUSR1)?;
    expect_eq!(caller.join()?, (Ok(()), Err(EINTR), 1, Ok(5)));
    expect_eq!(unread(&reader)?, count);
    Ok(())
}

/// `splice` of 3 bytes that is blocked on an empty source pipe or a full target pipe stays blocked after a signal handler with
/// `SA_RESTART` has run. After a `write` of 3 bytes to the source, or a `read` of all bytes of the target, the call returns 3.
#[rstest]
#[case::empty_source(false)]
#[case::full_target(true)]
#[conformance::test(man = "signal(7)", level = customary)]
fn splice_restarts_after_a_handler_with_sa_restart(#[case] full_target: bool) -> Outcome {
    let ((source, feed), (sink, target)) = (pipe()?, pipe()?);
    let held = if full_target { fill(&target)? } else { 0 };
    write_all(&feed, if full_target { b"abc" } else { b"" })?;
    let caller = Participant::spawn("caller", (source, target), |(source, target), link| {
        let set = signal::catch(Signal::SIGUSR1, Restart::Yes);
        link.reached("ready");
        let moved = splice(&source, &target, 3, NO_FLAGS);
        (set, moved, signal::caught(Signal::SIGUSR1))
    })?;
    caller.until_reached("ready")?;
    caller.until_blocked()?;
    caller.signal(Signal::SIGUSR1)?;
    caller.until_blocked()?;
    if full_target {
        read_exactly(&sink, held)?;
    } else {
        write_all(&feed, b"abc")?;
    }
    expect_eq!(caller.join()?, (Ok(()), Ok(3), 1));
    expect_eq!(drain(&sink)?, b"abc");
    Ok(())
}

/// After `SIGSTOP` and `SIGCONT`, `splice`, `tee`, `vmsplice` or `sendfile` of 5 bytes that is blocked on a full pipe stays
/// blocked, and returns 5 when a `read` frees a page.
#[apply(every_supply)]
#[conformance::test(man = "signal(7)", level = customary)]
fn stays_blocked_after_a_stop(call: Supply) -> Outcome {
    let ((reader, writer), count) = full()?;
    let caller = Participant::spawn("caller", (writer, call.source(letters())?), move |(writer, source), _| {
        call.once(&source, letters(), &writer)
    })?;
    caller.until_blocked()?;
    caller.stop()?;
    caller.resume()?;
    caller.until_blocked()?;
    expect_eq!(unread(&reader)?, count);
    read_exactly(&reader, page_size())?;
    expect_eq!(caller.join()?, Ok(5));
    Ok(())
}

/// If a first `sendfile` has filled a pipe and returned its capacity, a second one blocked on the full pipe fails with `EINTR`
/// when a signal handler without `SA_RESTART` has run. The third `sendfile` starts at the file position that the first one left
/// and returns the number of bytes up to end-of-file, and `read` returns the bytes of the file without a gap.
#[conformance::test(man = "sendfile(2)", level = customary)]
fn interrupted_sendfile_continues_without_a_gap() -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = pipe_size(&writer)?;
    let bytes = pattern(capacity + page_size());
    let source = file(&bytes)?;
    let caller = Participant::spawn("caller", (writer, dup(&source)?), move |(writer, source), _| {
        let set = signal::catch(Signal::SIGUSR1, Restart::No);
        let first = sendfile(&writer, &source, None, 2 * capacity);
        let second = sendfile(&writer, &source, None, 2 * capacity);
        let third = sendfile(&writer, &source, None, 2 * capacity);
        (set, [first, second, third], signal::caught(Signal::SIGUSR1))
    })?;
    caller.until_blocked()?;
    expect_eq!((position(&source)?, unread(&reader)?), (capacity, capacity));
    caller.signal(Signal::SIGUSR1)?;
    caller.until_blocked()?;
    expect_eq!(read_exactly(&reader, bytes.len())?, bytes);
    expect_eq!(caller.join()?, (Ok(()), [Ok(capacity), Err(EINTR), Ok(page_size())], 1));
    Ok(())
}
