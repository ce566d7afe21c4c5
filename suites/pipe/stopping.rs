//! Stopping and continuing a process: job control is no fault, and no call may show that it happened.

use conformance::prelude::*;
use rstest::rstest;

use common::pipe::Kind;

/// A reader that was stopped in its sleep sleeps on when continued, and gets what is written then.
#[rstest]
#[conformance::test(posix = "read")]
fn leaves_a_waiting_read_waiting(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| read_some(&end, 8))?;
    reader.until_blocked()?;
    for _ in 0..2 {
        reader.stop()?;
        reader.resume()?;
        reader.expect_still_blocked()?;
    }
    write(&writer, b"data")?;
    expect_eq!(reader.join()?, Ok(b"data".to_vec()));
    Ok(())
}

/// A writer that was stopped in its sleep sleeps on when continued, and writes each byte once.
#[rstest]
#[conformance::test(posix = "write")]
fn leaves_a_waiting_write_waiting(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, b"once"))?;
    writer.until_blocked()?;
    writer.stop()?;
    writer.resume()?;
    writer.expect_still_blocked()?;
    expect_eq!(unread(&reader), Ok(capacity));
    read_exactly(&reader, capacity)?;
    expect_eq!(writer.join()?, Ok(4));
    expect_eq!(read_to_end(&reader), Ok(b"once".to_vec()));
    Ok(())
}

/// A long write that is half done goes on where it was, and returns the whole count: nothing interrupted it that a handler took.
#[rstest]
#[conformance::test(posix = "write")]
fn leaves_a_half_done_write_whole(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    read_exactly(&reader, capacity)?;
    let total = capacity + 1000;
    let writer = Participant::spawn("writer", writer_end, move |end, _| {
        write(&end, &pattern(total)).map(|count| if count == total { "the whole" } else { "a part" }.to_owned())
    })?;
    writer.until_blocked()?;
    writer.stop()?;
    writer.resume()?;
    let received = read_to_end(&reader)?;
    expect_eq!(writer.join()?, Ok("the whole".to_owned()));
    expect!(received == pattern(total), "{} bytes of {total} came", received.len());
    Ok(())
}

/// Where a stop does shorten a write, its count is that of the bytes that are in the pipe, and the rest can follow.
#[conformance::test(posix = "write", level = observed)]
fn of_a_half_done_write_loses_no_byte() -> Outcome {
    let (reader, writer_end) = pipe()?;
    let capacity = fill(&writer_end)?;
    read_exactly(&reader, capacity)?;
    let total = 2 * capacity + 1000;
    let writer = Participant::spawn("writer", writer_end, move |end, _| {
        let (bytes, mut counts) = (pattern(total), Vec::new());
        while counts.iter().sum::<usize>() < total {
            counts.push(write(&end, &bytes[counts.iter().sum()..])?);
        }
        Ok::<_, Errno>(counts)
    })?;
    writer.until_blocked()?;
    writer.stop()?;
    writer.resume()?;
    writer.until_blocked()?;
    let mut received = read_exactly(&reader, capacity)?;
    writer.until_blocked()?;
    writer.stop()?;
    writer.resume()?;
    writer.until_blocked()?;
    received.extend(read_to_end(&reader)?);
    let counts = writer.join()??;
    observe!("pipe.writes-that-two-stops-make-of-one", counts.len());
    expect_eq!(counts.iter().sum::<usize>(), total);
    expect!(received == pattern(total), "{} bytes of {total} came", received.len());
    Ok(())
}

/// A stopped reader takes nothing out; what was written meanwhile is there when it is continued, all at once.
#[rstest]
#[conformance::test(posix = "read")]
fn keeps_a_reader_from_taking(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader_end, writer) = kind.open()?;
    let reader = Participant::spawn("reader", reader_end, |end, _| read_some(&end, 100))?;
    reader.until_blocked()?;
    reader.stop()?;
    write(&writer, b"one ")?;
    write(&writer, b"two")?;
    expect_eq!(unread(&writer), Ok(7));
    reader.resume()?;
    expect_eq!(reader.join()?, Ok(b"one two".to_vec()));
    Ok(())
}

/// A stopped writer puts nothing in, even when there is room by now; continued, it does.
#[rstest]
#[conformance::test(posix = "write")]
fn keeps_a_writer_from_putting(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let capacity = fill(&writer_end)?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, b"late"))?;
    writer.until_blocked()?;
    writer.stop()?;
    read_exactly(&reader, capacity)?;
    expect_eq!(unread(&reader), Ok(0));
    writer.resume()?;
    expect_eq!(writer.join()?, Ok(4));
    expect_eq!(read_to_end(&reader), Ok(b"late".to_vec()));
    Ok(())
}

/// A stopped process still holds its ends: its pipe neither ends nor breaks until it is killed.
#[rstest]
#[conformance::test(posix = "read", posix = "write")]
fn closes_no_end(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let (broken_reader, broken_writer) = kind.open()?;
    let holder = Participant::spawn("holder", (writer_end, broken_reader), |_held, link| -> () { link.park() })?;
    holder.until_blocked()?;
    holder.stop()?;
    set_nonblocking(&reader, true)?;
    expect_eq!((read(&reader, &mut [0]), write(&broken_writer, b"x")), (Err(EAGAIN), Ok(1)));
    holder.kill()?;
    signal::ignore(Signal::SIGPIPE)?;
    expect_eq!((read(&reader, &mut [0]), write(&broken_writer, b"x")), (Ok(0), Err(EPIPE)));
    Ok(())
}

/// A sleeper that is stopped takes no wake-up with it: data that comes serves another reader.
#[conformance::test(posix = "read")]
fn of_one_reader_does_not_starve_another() -> Outcome {
    let (reader_end, writer) = pipe()?;
    let stopped = Participant::spawn("stopped", reader_end.try_clone()?, |end, _| read_some(&end, 1))?;
    stopped.until_blocked()?;
    let other = Participant::spawn("other", reader_end, |end, _| read_some(&end, 1))?;
    other.until_blocked()?;
    stopped.stop()?;
    write(&writer, b"a")?;
    expect_eq!(other.join()?, Ok(b"a".to_vec()));
    stopped.resume()?;
    stopped.until_blocked()?;
    write(&writer, b"b")?;
    expect_eq!(stopped.join()?, Ok(b"b".to_vec()));
    Ok(())
}

/// `poll` and `select` that wait go on waiting, and see what happens then.
#[conformance::test(posix = "poll", posix = "select")]
fn leaves_waiting_poll_and_select_waiting() -> Outcome {
    let (reader_end, writer) = pipe()?;
    let end = reader_end.try_clone()?;
    let poller =
        Participant::spawn("poller", end, |end, _| poll(&[(end.as_fd(), PollFlags::POLLIN)], None).map(|seen| seen[0].bits()))?;
    let selector = Participant::spawn("selector", reader_end, |end, _| select_to_read(&end))?;
    poller.until_blocked()?;
    selector.until_blocked()?;
    poller.stop()?;
    selector.stop()?;
    poller.resume()?;
    selector.resume()?;
    poller.expect_still_blocked()?;
    selector.expect_still_blocked()?;
    write(&writer, b"x")?;
    expect_eq!((poller.join()?, selector.join()?), (Ok(PollFlags::POLLIN.bits()), Ok(1)));
    Ok(())
}

/// `epoll_wait` may fail with `EINTR` when its process is continued, without any handler; no event is lost with it.
#[cfg(has_epoll)]
#[conformance::test(man = "signal(7)", level = observed)]
fn may_end_a_waiting_epoll_wait() -> Outcome {
    let (reader, writer) = pipe()?;
    let list = epoll()?;
    epoll_add(&list, &reader, EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 1)?;
    let waiting = Participant::spawn("waiting", list, |list, _| {
        let first = epoll_wait(&list, None).map(|seen| seen.len());
        let second = if first == Err(EINTR) { epoll_wait(&list, None).map(|seen| seen.len()) } else { first };
        (first, second)
    })?;
    waiting.until_blocked()?;
    waiting.stop()?;
    waiting.resume()?;
    waiting.until_blocked()?;
    write(&writer, b"x")?;
    let (first, second) = waiting.join()?;
    observe!("pipe.epoll-wait-goes-on-after-a-stop", first.is_ok());
    expect_matches!(first, Ok(1) | Err(EINTR));
    expect_eq!(second, Ok(1));
    Ok(())
}
