//! `SIGSTOP` and `SIGCONT`: a call that is blocked while its process is stopped continues as if nothing had happened.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, pipe_and_fifo};

/// A process blocked in `read` on an empty pipe stays blocked after `SIGSTOP` and `SIGCONT`. When bytes are written, `read`
/// returns them.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read")]
fn keeps_read_blocked(kind: Kind) -> Outcome {
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

/// A process blocked in `write` on a full pipe stays blocked after `SIGSTOP` and `SIGCONT`. When the pipe has been read, `write`
/// adds each byte once and returns its whole count.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write")]
fn keeps_write_blocked(kind: Kind) -> Outcome {
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

/// If a process is stopped by `SIGSTOP` and continued by `SIGCONT` while blocked in a `write` of the capacity and 1000 bytes,
/// which has filled the pipe, that one `write` returns its whole count after the pipe has been read.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write")]
fn partly_done_write_returns_the_whole_count(kind: Kind) -> Outcome {
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
    expect!(received == pattern(total), "{} of {total} bytes were read, or not in order", received.len());
    Ok(())
}

/// If a process is stopped by `SIGSTOP` and continued by `SIGCONT` while blocked in a `write` of more than the capacity, `write`
/// returns its whole count or that of the bytes added, and `write` calls with the rest follow. `read` returns all bytes in order;
/// any number of `write` calls is allowed and recorded.
#[conformance::test(posix = "write", level = observed)]
fn partly_done_write_loses_no_byte() -> Outcome {
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
    observe!("pipe.write-calls-needed-with-two-stops", counts.len());
    expect_eq!(counts.iter().sum::<usize>(), total);
    expect!(received == pattern(total), "{} of {total} bytes were read, or not in order", received.len());
    Ok(())
}

/// If bytes are written while a process that was blocked in `read` is stopped by `SIGSTOP`, `ioctl(FIONREAD)` gives the number of
/// all these bytes. After `SIGCONT`, the blocked `read` returns all of them.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read")]
fn stopped_reader_removes_no_byte(kind: Kind) -> Outcome {
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

/// If all bytes of a full pipe are read while a process that was blocked in `write` is stopped by `SIGSTOP`, `ioctl(FIONREAD)`
/// gives 0. After `SIGCONT`, the blocked `write` returns its whole count.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write")]
fn stopped_writer_adds_no_byte(kind: Kind) -> Outcome {
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

/// While a process with the only write end of one pipe and the only read end of another is stopped by `SIGSTOP`, non-blocking
/// `read` of the first fails with `EAGAIN` and `write` to the second returns 1. After that process is killed, `read` returns 0
/// and `write` fails with `EPIPE`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read", posix = "write")]
fn keeps_the_ends_open(kind: Kind) -> Outcome {
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

/// If one of two processes blocked in `read` of 1 byte is stopped by `SIGSTOP`, the `read` of the other returns the next byte
/// written. After `SIGCONT`, the `read` of the stopped process returns the byte of a second `write`.
#[conformance::test(posix = "read", level = customary)]
fn write_wakes_another_reader_than_the_stopped_one() -> Outcome {
    let (reader_end, writer) = pipe()?;
    let stopped = Participant::spawn("stopped reader", reader_end.try_clone()?, |end, _| read_some(&end, 1))?;
    stopped.until_blocked()?;
    let other = Participant::spawn("second reader", reader_end, |end, _| read_some(&end, 1))?;
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

/// A process blocked in `poll` for `POLLIN` and one blocked in `select` for reading, both on an empty pipe, stay blocked after
/// `SIGSTOP` and `SIGCONT`. When a byte is written, `poll` reports `POLLIN` and `select` returns 1.
#[conformance::test(posix = "poll", posix = "select")]
fn keeps_poll_and_select_blocked() -> Outcome {
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

/// After `SIGSTOP` and `SIGCONT`, an `epoll_wait` blocked on an empty pipe fails with `EINTR` or stays blocked; both are allowed,
/// and which happens is recorded. After a `write`, the blocked `epoll_wait`, or the next one after `EINTR`, returns 1 event.
#[cfg(has_epoll)]
#[conformance::test(man = "signal(7)", level = observed)]
fn epoll_wait_may_fail_with_eintr() -> Outcome {
    let (reader, writer) = pipe()?;
    let list = epoll()?;
    epoll_add(&list, &reader, EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 1)?;
    let waiter = Participant::spawn("waiter", list, |list, _| {
        let first = epoll_wait(&list, None).map(|seen| seen.len());
        let second = if first == Err(EINTR) { epoll_wait(&list, None).map(|seen| seen.len()) } else { first };
        (first, second)
    })?;
    waiter.until_blocked()?;
    waiter.stop()?;
    waiter.resume()?;
    waiter.until_blocked()?;
    write(&writer, b"x")?;
    let (first, second) = waiter.join()?;
    observe!("pipe.epoll-wait-restarts-after-a-stop", first.is_ok());
    expect_matches!(first, Ok(1) | Err(EINTR));
    expect_eq!(second, Ok(1));
    Ok(())
}
