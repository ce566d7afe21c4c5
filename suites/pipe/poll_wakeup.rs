//! Processes blocked in `poll` and `select`: what wakes them, and the events that they get. The events of an end that is ready
//! already are tested in `readiness.rs`.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, pipe_and_fifo};

const IN: PollFlags = PollFlags::POLLIN;
const OUT: PollFlags = PollFlags::POLLOUT;
const HUP: PollFlags = PollFlags::POLLHUP;
const ERR: PollFlags = PollFlags::POLLERR;
const NOTHING: PollFlags = PollFlags::empty();

/// What wakes the blocked process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Write,
    Close,
    Kill,
}

/// A process blocked in `poll` for `POLLIN` on the read end of an empty pipe is woken by a `write`, and `poll` reports exactly
/// `POLLIN`. If the last writer closes or is killed instead, `poll` reports `POLLHUP`, with or without `POLLIN`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "poll")]
fn writer_wakes_pollin(kind: Kind, #[values(Cause::Write, Cause::Close, Cause::Kill)] cause: Cause) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, move |end, link| {
        link.meet("act");
        match cause {
            Cause::Write => write(&end, b"x").map(|_| link.meet("end")),
            Cause::Close => close(end).map(|()| link.meet("end")),
            Cause::Kill => link.park(),
        }
    })?;
    let poller = Participant::spawn("poller", reader_end, |end, _| poll(&[(end.as_fd(), IN)], None).map(|seen| seen[0].bits()))?;
    poller.until_blocked()?;
    writer.until_reached("act")?;
    poller.expect_still_blocked()?;
    writer.open("act")?;
    if cause == Cause::Kill {
        writer.kill()?;
    }
    let seen = poller.join()?.map(PollFlags::from_bits_retain);
    match cause {
        Cause::Write => expect_eq!(seen, Ok(IN)),
        Cause::Close | Cause::Kill => expect_eq!(seen.map(|seen| seen - IN), Ok(HUP)),
    }
    Ok(())
}

/// A process blocked in `poll` on the read end with `events` 0 stays blocked when bytes are written. When the last writer closes,
/// `poll` reports exactly `POLLHUP`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "poll")]
fn only_pollhup_wakes_an_empty_request(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let poller =
        Participant::spawn("poller", reader_end, |end, _| poll(&[(end.as_fd(), NOTHING)], None).map(|seen| seen[0].bits()))?;
    poller.until_blocked()?;
    write(&writer, b"x")?;
    poller.expect_still_blocked()?;
    drop(writer);
    expect_eq!(poller.join()?, Ok(HUP.bits()));
    Ok(())
}

/// A process blocked in `poll` for `POLLOUT` on the write end of a full pipe is woken when a page is read, and `poll` reports
/// exactly `POLLOUT`. A non-blocking `write` of `PIPE_BUF` bytes then returns `PIPE_BUF`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "poll", posix = "write")]
fn read_wakes_pollout(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let (capacity, size) = (fill(&writer_end)?, pipe_buf(&writer_end)?);
    let poller = Participant::spawn("poller", writer_end, move |end, _| {
        let seen = poll(&[(end.as_fd(), OUT)], None)?;
        set_nonblocking(&end, true)?;
        write(&end, &vec![1; size]).map(|count| (seen[0].bits(), count))
    })?;
    poller.until_blocked()?;
    read_exactly(&reader, page_size().max(size))?;
    expect_eq!(poller.join()?, Ok((OUT.bits(), size)));
    expect_eq!(unread(&reader), Ok(capacity - page_size().max(size) + size));
    Ok(())
}

/// A process blocked in `poll` for `POLLOUT` on the write end of a full pipe is woken when the last reader closes or is killed,
/// and `poll` reports exactly `POLLERR`.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "poll(2)")]
fn last_reader_wakes_pollout_with_pollerr(kind: Kind, #[values(Cause::Close, Cause::Kill)] cause: Cause) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    fill(&writer_end)?;
    let reader = Participant::spawn("reader", reader_end, |end, link| {
        link.meet("act");
        close(end).map(|()| link.meet("end"))
    })?;
    let poller = Participant::spawn("poller", writer_end, |end, _| poll(&[(end.as_fd(), OUT)], None).map(|seen| seen[0].bits()))?;
    poller.until_blocked()?;
    reader.until_reached("act")?;
    if cause == Cause::Kill {
        reader.kill()?;
    } else {
        reader.open("act")?;
    }
    expect_eq!(poller.join()?.map(PollFlags::from_bits_retain), Ok(ERR));
    Ok(())
}

/// One `write` wakes three processes blocked in `poll` for `POLLIN` and one blocked in `select` on the same read end. Each `poll`
/// reports `POLLIN`, and `select` returns 1.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "poll")]
fn one_write_wakes_all_waiters(kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let mut pollers = Vec::new();
    for _ in 0..3 {
        let end = reader_end.try_clone()?;
        pollers.push(Participant::spawn("poller", end, |end, _| poll(&[(end.as_fd(), IN)], None).map(|seen| seen[0].bits()))?);
    }
    let selector = Participant::spawn("selector", reader_end.try_clone()?, |end, _| select_to_read(&end))?;
    for poller in &pollers {
        poller.until_blocked()?;
    }
    selector.until_blocked()?;
    write(&writer, b"x")?;
    for poller in pollers {
        expect_eq!(poller.join()?, Ok(IN.bits()));
    }
    expect_eq!((selector.join()?, unread(&reader_end)), (Ok(1), Ok(1)));
    Ok(())
}

/// If one process is blocked in `read` of 1 byte and another in `poll` for `POLLIN` on the same pipe, a `write` of 2 bytes wakes
/// both. `read` returns the first byte, and `poll` reports `POLLIN`.
#[conformance::test(posix = "poll", posix = "read")]
fn write_wakes_poll_and_read() -> Outcome {
    let (reader_end, writer) = pipe()?;
    let reader = Participant::spawn("reader", reader_end.try_clone()?, |end, _| read_some(&end, 1))?;
    reader.until_blocked()?;
    let end = reader_end.try_clone()?;
    let poller = Participant::spawn("poller", end, |end, _| poll(&[(end.as_fd(), IN)], None).map(|seen| seen[0].bits()))?;
    poller.until_blocked()?;
    write(&writer, b"xy")?;
    expect_eq!((reader.join()?, poller.join()?), (Ok(b"x".to_vec()), Ok(IN.bits())));
    expect_eq!(read_some(&reader_end, 2), Ok(b"y".to_vec()));
    Ok(())
}

/// A process blocked in `poll` for `POLLIN` on three read ends is woken by a `write` to one of the pipes. `poll` reports `POLLIN`
/// for that pipe and no event for the others.
#[rstest]
#[case::first(0)]
#[case::middle(1)]
#[case::last(2)]
#[conformance::test(posix = "poll")]
fn reports_the_ready_one_of_three_pipes(#[case] which: usize) -> Outcome {
    let (mut readers, mut writers) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let (reader, writer) = pipe()?;
        readers.push(reader);
        writers.push(writer);
    }
    let poller = Participant::spawn("poller", readers, |ends, _| {
        let entries: Vec<_> = ends.iter().map(|end| (end.as_fd(), IN)).collect();
        poll(&entries, None).map(|seen| seen.iter().map(PollFlags::bits).collect::<Vec<_>>())
    })?;
    poller.until_blocked()?;
    write(&writers[which], b"x")?;
    let mut expected = vec![0; 3];
    expected[which] = IN.bits();
    expect_eq!(poller.join()?, Ok(expected));
    Ok(())
}

/// A process blocked in `select` for reading on an empty pipe is woken by a `write`. A process blocked in `select` for writing on
/// a full pipe is woken by a `read` of a page or by the close of the last reader; each `select` returns 1.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "select")]
fn data_space_and_close_wake_select(kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    let selector = Participant::spawn("select for reading", reader_end.try_clone()?, |end, _| select_to_read(&end))?;
    selector.until_blocked()?;
    fill(&writer_end)?;
    expect_eq!(selector.join()?, Ok(1));
    let selector = Participant::spawn("select for writing", writer_end.try_clone()?, |end, _| select_to_write(&end))?;
    selector.until_blocked()?;
    read_exactly(&reader_end, page_size().max(pipe_buf(&writer_end)?))?;
    expect_eq!(selector.join()?, Ok(1));
    fill(&writer_end)?;
    let selector = Participant::spawn("select for writing", writer_end, |end, _| select_to_write(&end))?;
    selector.until_blocked()?;
    drop(reader_end);
    expect_eq!(selector.join()?, Ok(1));
    Ok(())
}
