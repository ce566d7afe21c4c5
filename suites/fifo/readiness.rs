//! `poll` and `select` on the ends of a FIFO. `POLLHUP` is set on a reader whose last writer has closed, until the next writer
//! opens.

use conformance::prelude::*;
use rstest::rstest;

use super::fixture::Fifo;

const IN: PollFlags = PollFlags::POLLIN;
const OUT: PollFlags = PollFlags::POLLOUT;
const HUP: PollFlags = PollFlags::POLLHUP;
const ERR: PollFlags = PollFlags::POLLERR;
const NONE: PollFlags = PollFlags::empty();

/// `poll` for `POLLIN` on the read end of an empty FIFO reports no event before the first writer opens, although `read` returns
/// 0, and no event after the first writer opens.
#[conformance::test(posix = "poll", level = customary)]
fn no_event_before_the_first_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    expect_eq!((ready(&reader, IN), read(&reader, &mut [0; 1]), ready(&reader, IN)), (Ok(NONE), Ok(0), Ok(NONE)));
    let _writer = fifo.writer()?;
    expect_eq!(ready(&reader, IN), Ok(NONE));
    Ok(())
}

/// `poll` for `POLLIN` on the read end of an empty FIFO reports no event while one of two writers is open. After the last writer
/// closes, the reported events include `POLLHUP`, before and after a `read` that returns 0, until the next writer opens.
#[conformance::test(posix = "poll")]
fn pollhup_until_the_next_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    for _ in 0..2 {
        let (first, second) = (fifo.writer()?, fifo.writer()?);
        drop(first);
        expect_eq!(ready(&reader, IN), Ok(NONE));
        drop(second);
        expect_eq!(ready(&reader, IN).map(|seen| seen & HUP), Ok(HUP));
        expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
        expect_eq!(ready(&reader, IN).map(|seen| seen & HUP), Ok(HUP));
    }
    Ok(())
}

/// `poll` with no requested events on the read end of a FIFO whose last writer has closed reports `POLLHUP`.
#[conformance::test(posix = "poll")]
fn pollhup_is_reported_unrequested() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    fifo.open_and_close(OFlag::O_WRONLY)?;
    expect_eq!(ready(&reader, NONE), Ok(HUP));
    Ok(())
}

/// `poll` for `POLLIN` on the read end of a FIFO with 1 unread byte reports `POLLIN | POLLHUP` after the last writer closed.
/// After `read` of that byte, `poll` still reports `POLLHUP`.
#[conformance::test(posix = "poll", man = "poll(2)")]
fn pollin_and_pollhup_with_unread_bytes() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"x")?;
    expect_eq!(ready(&reader, IN), Ok(IN));
    drop(writer);
    expect_eq!((ready(&reader, IN), read(&reader, &mut [0; 9])), (Ok(IN | HUP), Ok(1)));
    expect_eq!(ready(&reader, IN).map(|seen| seen & HUP), Ok(HUP));
    Ok(())
}

/// After the last writer of an empty FIFO closed, `poll` with no requested events reports `POLLHUP` on each of three read ends
/// that were opened before the `close`, with and without `O_NONBLOCK`.
#[conformance::test(posix = "poll")]
fn pollhup_for_every_reader() -> Outcome {
    let fifo = Fifo::new()?;
    let (first, writer) = fifo.ends()?;
    let second = fifo.reader()?;
    let third = open(fifo.path(), OFlag::O_RDONLY)?;
    drop(writer);
    for reader in [&first, &second, &third] {
        expect_eq!(ready(reader, NONE), Ok(HUP));
    }
    Ok(())
}

/// On a read end of an empty FIFO that was opened after the last writer closed, `poll` with no requested events reports `POLLHUP`
/// or no event; either is accepted, and which of the two is recorded. After another writer opens and closes, `poll` reports
/// `POLLHUP` on that read end.
#[conformance::test(posix = "poll", level = observed)]
fn pollhup_for_a_late_reader() -> Outcome {
    let fifo = Fifo::new()?;
    let early = fifo.reader()?;
    fifo.open_and_close(OFlag::O_WRONLY)?;
    let late = fifo.reader()?;
    let seen = ready(&late, NONE);
    expect_matches!(seen, Ok(HUP | NONE));
    observe!("fifo.pollhup-for-a-late-reader", seen == Ok(HUP));
    expect_eq!(ready(&early, NONE), Ok(HUP));
    fifo.open_and_close(OFlag::O_WRONLY)?;
    expect_eq!([ready(&early, NONE), ready(&late, NONE)], [Ok(HUP); 2]);
    Ok(())
}

/// `poll` for `POLLIN` blocked on the read end of an empty FIFO stays blocked while one of two writers is open, and reports
/// `POLLHUP` when the last writer closes.
#[conformance::test(posix = "poll")]
fn poll_is_woken_by_the_last_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, first) = fifo.ends()?;
    let second = fifo.writer()?;
    let blocked = Participant::spawn("poller", reader, |end, _| {
        poll(&[(end.as_fd(), IN)], None).map(|seen| seen.iter().map(|seen| (*seen & HUP).bits()).collect::<Vec<_>>())
    })?;
    blocked.until_blocked()?;
    drop(first);
    blocked.expect_still_blocked()?;
    drop(second);
    expect_eq!(blocked.join()?, Ok(vec![HUP.bits()]));
    Ok(())
}

/// `poll` for `POLLIN` that blocked on the read end of a FIFO before the first writer opened stays blocked when a writer opens,
/// and reports `POLLIN` when the writer writes a byte.
#[conformance::test(posix = "poll", level = customary)]
fn poll_before_the_first_writer_is_woken_by_a_write() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    let blocked = Participant::spawn("poller", dup(&reader)?, |end, _| {
        poll(&[(end.as_fd(), IN)], None).map(|seen| seen.iter().map(PollFlags::bits).collect::<Vec<_>>())
    })?;
    blocked.until_blocked()?;
    let writer = fifo.writer()?;
    blocked.expect_still_blocked()?;
    write_all(&writer, b"x")?;
    expect_eq!(blocked.join()?, Ok(vec![IN.bits()]));
    Ok(())
}

/// `poll` for `POLLOUT` on the write end of an empty FIFO reports `POLLOUT | POLLERR` after the last reader closed, and `POLLOUT`
/// after a new reader opens.
#[conformance::test(man = "poll(2)")]
fn pollerr_without_readers() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    expect_eq!(ready(&writer, OUT), Ok(OUT));
    drop(reader);
    expect_eq!([ready(&writer, OUT), ready(&writer, NONE)], [Ok(OUT | ERR), Ok(ERR)]);
    let _reader = fifo.reader()?;
    expect_eq!(ready(&writer, OUT), Ok(OUT));
    Ok(())
}

/// `poll` for `POLLOUT` on the write end of a full FIFO with a reader reports no event. After `read` of all bytes, `poll` reports
/// `POLLOUT`.
#[conformance::test(posix = "poll", man = "poll(2)")]
fn no_pollout_when_full() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let full = fill(&writer)?;
    expect_eq!((ready(&writer, OUT), ready(&reader, IN)), (Ok(NONE), Ok(IN)));
    read_exactly(&reader, full)?;
    expect_eq!((ready(&writer, OUT), ready(&reader, IN)), (Ok(OUT), Ok(NONE)));
    Ok(())
}

/// After the last reader of a full FIFO closed, `poll` for `POLLOUT` on the write end reports exactly `POLLERR`.
#[conformance::test(man = "poll(2)", level = customary)]
fn pollerr_when_full_without_readers() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    fill(&writer)?;
    drop(reader);
    expect_eq!([ready(&writer, OUT), ready(&writer, NONE)], [Ok(ERR); 2]);
    Ok(())
}

/// With one unread byte in a FIFO, `poll` for `POLLOUT` on the read end and `poll` for `POLLIN` on the write end report no event.
#[conformance::test(posix = "poll")]
fn no_event_of_the_opposite_direction() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"x")?;
    expect_eq!((ready(&reader, OUT), ready(&writer, IN)), (Ok(NONE), Ok(NONE)));
    Ok(())
}

/// Every `select` after the last writer of an empty FIFO closed reports the read end as readable, also after `read` returned 0.
/// After the next writer opens, `select` reports the read end as not readable.
#[conformance::test(posix = "pselect")]
fn select_reports_end_of_file_as_readable() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    fifo.open_and_close(OFlag::O_WRONLY)?;
    for _ in 0..3 {
        expect_eq!(selected(&reader).map(|(readable, ..)| readable), Ok(true));
        expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    }
    let _writer = fifo.writer()?;
    expect_eq!(selected(&reader).map(|(readable, ..)| readable), Ok(false));
    Ok(())
}

/// `select` reports the read end of a FIFO as readable before the first writer opens, and a blocking `read` then returns 0.
#[conformance::test(posix = "pselect")]
fn select_reports_readable_before_the_first_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    set_nonblocking(&reader, false)?;
    let readable = selected(&reader)?.0;
    expect_eq!((readable, read(&reader, &mut [0; 1])), (true, Ok(0)));
    Ok(())
}

/// `select` reports the write end of a full FIFO as not writable while a reader is open, and as writable after the last reader
/// closed.
#[conformance::test(posix = "pselect")]
fn select_reports_writable_without_readers() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    fill(&writer)?;
    expect_eq!(selected(&writer).map(|(_, writable, _)| writable), Ok(false));
    drop(reader);
    expect_eq!(selected(&writer).map(|(_, writable, _)| writable), Ok(true));
    Ok(())
}

/// `poll` for `POLLOUT` reports `POLLOUT` on the write end of a FIFO that holds 0 or 1 bytes. `write` of `PIPE_BUF` bytes to that
/// end, with `O_NONBLOCK` set, then returns `PIPE_BUF`.
#[rstest]
#[case::empty(0)]
#[case::one_byte(1)]
#[conformance::test(posix = "poll", posix = "write", man = "pipe(7)", level = documented)]
fn pollout_allows_pipe_buf_bytes(#[case] unread_bytes: usize) -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    set_nonblocking(&writer, true)?;
    write_all(&writer, &pattern(unread_bytes))?;
    let record = pipe_buf(&writer)?;
    expect_eq!((ready(&writer, OUT), write(&writer, &pattern(record))), (Ok(OUT), Ok(record)));
    expect_eq!(read_exactly(&reader, unread_bytes + record), Ok([pattern(unread_bytes), pattern(record)].concat()));
    Ok(())
}
