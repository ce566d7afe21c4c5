//! Transfers and signals: a pipe that nobody reads, handlers and stops while a transfer sleeps.

use conformance::prelude::*;
use rstest::rstest;

use common::transfer::{Drain, NO_FLAGS, SPLICE_F_NONBLOCK, Supply, drain, file, full, holding, letters, position};

/// A transfer into a pipe without readers fails with EPIPE and raises one SIGPIPE; its source loses nothing.
#[rstest]
#[conformance::test(man = "pipe(7)", man = "splice(2)", fixed_in = "Linux 4.10 (52bce91165e5)")]
fn into_a_pipe_without_readers_is_a_broken_pipe(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let (reader, writer) = pipe()?;
    let source = call.source(letters())?;
    drop(reader);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    expect_eq!((call.once(&source, letters(), &writer), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    expect_eq!((call.once(&source, letters(), &writer), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 2));
    expect_eq!((call.left(&source, letters())?, unread(&writer)?), (5, 0));
    Ok(())
}

/// Who neither catches nor ignores SIGPIPE is ended by it.
#[rstest]
#[conformance::test(man = "pipe(7)", man = "splice(2)")]
fn into_a_pipe_without_readers_ends_the_process(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let (reader, writer) = pipe()?;
    drop(reader);
    let mover = Participant::spawn("mover", (writer, call.source(letters())?), move |(writer, source), _| {
        call.once(&source, letters(), &writer)
    })?;
    expect_eq!(mover.end()?, End::Killed(Signal::SIGPIPE));
    Ok(())
}

/// An ignored SIGPIPE leaves the error.
#[conformance::test(man = "pipe(7)", man = "splice(2)")]
fn into_a_pipe_without_readers_fails_while_the_signal_is_ignored() -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (reader, writer) = pipe()?;
    drop(reader);
    signal::ignore(Signal::SIGPIPE)?;
    expect_eq!((splice(&source, &writer, 3, NO_FLAGS), tee(&source, &writer, 3, NO_FLAGS)), (Err(EPIPE), Err(EPIPE)));
    expect_eq!(drain(&source)?, b"abc");
    Ok(())
}

/// Where there is nothing to move, nobody has to be told that nobody would read it.
#[conformance::test(man = "splice(2)", level = observed)]
fn of_nothing_into_a_pipe_without_readers_raises_none() -> Outcome {
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

/// A transfer that sleeps for room wakes up with EPIPE and one SIGPIPE when the last reader closes, and its source keeps all.
#[rstest]
#[conformance::test(man = "pipe(7)", man = "splice(2)", fixed_in = "Linux 4.10 (52bce91165e5)")]
fn into_a_full_pipe_ends_when_the_last_reader_closes(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let ((reader, writer), _) = full()?;
    let second = dup(&reader)?;
    let mover = Participant::spawn("mover", (writer, call.source(letters())?), move |(writer, source), _| {
        let caught = signal::catch(Signal::SIGPIPE, Restart::No);
        let moved = call.once(&source, letters(), &writer);
        (caught, moved, signal::caught(Signal::SIGPIPE), call.left(&source, letters()))
    })?;
    mover.until_blocked()?;
    drop(reader);
    mover.expect_still_blocked()?;
    drop(second);
    expect_eq!(mover.join()?, (Ok(()), Err(EPIPE), 1, Ok(5)));
    Ok(())
}

/// As above where the last reader is killed.
#[conformance::test(man = "pipe(7)", man = "splice(2)")]
fn into_a_full_pipe_ends_when_the_last_reader_is_killed() -> Outcome {
    let ((reader, writer), _) = full()?;
    let (source, _feed) = holding(b"abc")?;
    let kept = dup(&source)?;
    let holder = Participant::spawn("reader", reader, |_reader, link| -> () { link.park() })?;
    let mover = Participant::spawn("mover", (source, writer), |(source, writer), _| splice(&source, &writer, 3, NO_FLAGS))?;
    mover.until_blocked()?;
    holder.kill()?;
    expect_eq!(mover.end()?, End::Killed(Signal::SIGPIPE));
    expect_eq!(drain(&kept)?, b"abc");
    Ok(())
}

/// A handler ends a transfer that sleeps for bytes with EINTR; nothing has moved.
#[rstest]
#[conformance::test(man = "signal(7)", level = observed)]
fn for_bytes_is_interrupted_by_a_handler(
    #[values(Drain::SpliceToDevNull, Drain::SpliceToFile, Drain::SpliceToPipe, Drain::Vmsplice)] call: Drain,
) -> Outcome {
    let (source, _feed) = pipe()?;
    let mover = Participant::spawn("mover", (source, call.sink()?), move |(source, sink), _| {
        let set = signal::catch(Signal::SIGUSR1, Restart::No);
        let moved = call.once(&source, &sink, 9);
        (set, moved, signal::caught(Signal::SIGUSR1))
    })?;
    mover.until_blocked()?;
    mover.signal(Signal::SIGUSR1)?;
    expect_eq!(mover.join()?, (Ok(()), Err(EINTR), 1));
    Ok(())
}

/// A handler ends a transfer that sleeps for room with EINTR; nothing has moved, and no position has changed.
#[rstest]
#[conformance::test(man = "signal(7)", level = observed)]
fn for_room_is_interrupted_by_a_handler(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let ((reader, writer), count) = full()?;
    let mover = Participant::spawn("mover", (writer, call.source(letters())?), move |(writer, source), _| {
        let set = signal::catch(Signal::SIGUSR1, Restart::No);
        let moved = call.once(&source, letters(), &writer);
        (set, moved, signal::caught(Signal::SIGUSR1), call.left(&source, letters()))
    })?;
    mover.until_blocked()?;
    mover.signal(Signal::SIGUSR1)?;
    expect_eq!(mover.join()?, (Ok(()), Err(EINTR), 1, Ok(5)));
    expect_eq!(unread(&reader)?, count);
    Ok(())
}

/// A handler that asks for it lets a sleeping transfer start again, for bytes and for room.
#[rstest]
#[case::for_bytes(false)]
#[case::for_room(true)]
#[conformance::test(man = "signal(7)", level = observed)]
fn starts_again_after_a_handler_that_asks_for_it(#[case] for_room: bool) -> Outcome {
    let ((source, feed), (sink, target)) = (pipe()?, pipe()?);
    let held = if for_room { fill(&target)? } else { 0 };
    write_all(&feed, if for_room { b"abc" } else { b"" })?;
    let mover = Participant::spawn("mover", (source, target), |(source, target), link| {
        let set = signal::catch(Signal::SIGUSR1, Restart::Yes);
        link.reached("ready");
        let moved = splice(&source, &target, 3, NO_FLAGS);
        (set, moved, signal::caught(Signal::SIGUSR1))
    })?;
    mover.until_reached("ready")?;
    mover.until_blocked()?;
    mover.signal(Signal::SIGUSR1)?;
    mover.until_blocked()?;
    if for_room {
        read_exactly(&sink, held)?;
    } else {
        write_all(&feed, b"abc")?;
    }
    expect_eq!(mover.join()?, (Ok(()), Ok(3), 1));
    expect_eq!(drain(&sink)?, b"abc");
    Ok(())
}

/// A stop and a continuation have no effect on a sleeping transfer.
#[rstest]
#[conformance::test(man = "signal(7)", level = observed)]
fn for_room_goes_on_after_a_stop(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let ((reader, writer), count) = full()?;
    let mover = Participant::spawn("mover", (writer, call.source(letters())?), move |(writer, source), _| {
        call.once(&source, letters(), &writer)
    })?;
    mover.until_blocked()?;
    mover.stop()?;
    mover.resume()?;
    mover.until_blocked()?;
    expect_eq!(unread(&reader)?, count);
    read_exactly(&reader, page_size())?;
    expect_eq!(mover.join()?, Ok(5));
    Ok(())
}

/// A transfer of a file larger than the pipe that is interrupted tells how much it has moved, or has moved nothing more than
/// its position tells: what follows goes on without a gap.
#[conformance::test(man = "sendfile(2)")]
fn of_a_large_file_goes_on_without_a_gap_after_an_interruption() -> Outcome {
    let (reader, writer) = pipe()?;
    let capacity = pipe_size(&writer)?;
    let bytes = pattern(capacity + page_size());
    let source = file(&bytes)?;
    let mover = Participant::spawn("mover", (writer, dup(&source)?), move |(writer, source), _| {
        let set = signal::catch(Signal::SIGUSR1, Restart::No);
        let first = sendfile(&writer, &source, None, 2 * capacity);
        let second = sendfile(&writer, &source, None, 2 * capacity);
        let third = sendfile(&writer, &source, None, 2 * capacity);
        (set, [first, second, third], signal::caught(Signal::SIGUSR1))
    })?;
    mover.until_blocked()?;
    expect_eq!((position(&source)?, unread(&reader)?), (capacity, capacity));
    mover.signal(Signal::SIGUSR1)?;
    mover.until_blocked()?;
    expect_eq!(read_exactly(&reader, bytes.len())?, bytes);
    expect_eq!(mover.join()?, (Ok(()), [Ok(capacity), Err(EINTR), Ok(page_size())], 1));
    Ok(())
}
