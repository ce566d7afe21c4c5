//! Sleepers in `poll` and `select`: which change of a pipe's state wakes them, and what they are told.

use conformance::prelude::*;
use rstest::rstest;

use common::pipe::Kind;

const IN: PollFlags = PollFlags::POLLIN;
const OUT: PollFlags = PollFlags::POLLOUT;
const HUP: PollFlags = PollFlags::POLLHUP;
const ERR: PollFlags = PollFlags::POLLERR;
const NOTHING: PollFlags = PollFlags::empty();

/// How a writer makes a sleeping reader ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Write,
    Close,
    Kill,
}

/// Whoever waits for data is woken by a write, by the last close, and by the death of the last writer, with the exact bits.
#[rstest]
#[conformance::test(posix = "poll")]
fn wake_by_what_a_writer_does(
    #[values(Kind::Pipe, Kind::Fifo)] kind: Kind,
    #[values(Cause::Write, Cause::Close, Cause::Kill)] cause: Cause,
) -> Outcome {
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

/// A poller that asks for nothing sleeps through data, and is woken by the hang-up.
#[rstest]
#[conformance::test(posix = "poll")]
fn for_nothing_wake_only_by_a_hang_up(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// Whoever waits for room is woken when a reader makes enough of it, and then a write of `PIPE_BUF` bytes does not wait.
#[rstest]
#[conformance::test(posix = "poll", posix = "write")]
fn wake_when_there_is_room(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// Whoever waits for room is woken by an error when the last reader goes, by itself or by force.
#[rstest]
#[conformance::test(man = "poll(2)")]
fn wake_when_the_last_reader_goes(
    #[values(Kind::Pipe, Kind::Fifo)] kind: Kind,
    #[values(Cause::Close, Cause::Kill)] cause: Cause,
) -> Outcome {
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

/// All who wait for one pipe by `poll` are woken by one write: readiness is a state, which all may see.
#[rstest]
#[conformance::test(posix = "poll")]
fn wake_all_together(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// A poller and a reader that sleep on one pipe are both woken by a write; neither takes the other's wake-up.
#[conformance::test(posix = "poll", posix = "read")]
fn wake_beside_readers() -> Outcome {
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

/// A poller that waits for several pipes is woken by any one of them, and told which.
#[rstest]
#[case::first(0)]
#[case::middle(1)]
#[case::last(2)]
#[conformance::test(posix = "poll")]
fn of_several_pipes_are_told_which(#[case] which: usize) -> Outcome {
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

/// `select` sleeps until there is data, or room, and until an end that is gone makes the call not wait any more.
#[rstest]
#[conformance::test(posix = "select")]
fn by_select_wake_alike(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer_end) = kind.open()?;
    let selector = Participant::spawn("to read", reader_end.try_clone()?, |end, _| select_to_read(&end))?;
    selector.until_blocked()?;
    fill(&writer_end)?;
    expect_eq!(selector.join()?, Ok(1));
    let selector = Participant::spawn("to write", writer_end.try_clone()?, |end, _| select_to_write(&end))?;
    selector.until_blocked()?;
    read_exactly(&reader_end, page_size().max(pipe_buf(&writer_end)?))?;
    expect_eq!(selector.join()?, Ok(1));
    fill(&writer_end)?;
    let selector = Participant::spawn("to write", writer_end, |end, _| select_to_write(&end))?;
    selector.until_blocked()?;
    drop(reader_end);
    expect_eq!(selector.join()?, Ok(1));
    Ok(())
}
