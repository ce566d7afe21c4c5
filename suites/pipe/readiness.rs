//! Readiness: the events that `poll` and `select` report for each end in each state, without blocking. What wakes a blocked
//! process is tested in `poll_wakeup.rs`.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, pipe_and_fifo};

const IN: PollFlags = PollFlags::POLLIN;

const OUT: PollFlags = PollFlags::POLLOUT;

const HUP: PollFlags = PollFlags::POLLHUP;

const ERR: PollFlags = PollFlags::POLLERR;

const NOTHING: PollFlags = PollFlags::empty();

/// All events that a pipe can have.
fn all() -> PollFlags {
    IN | OUT | PollFlags::POLLRDNORM | PollFlags::POLLWRNORM
}

/// `poll` on the read end reports `POLLIN` and `POLLRDNORM`, as far as requested, exactly while bytes are unread. `POLLOUT` and
/// `POLLPRI` are never reported there.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "poll")]
fn read_end_reports_pollin_for_unread_bytes(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let readable = IN | PollFlags::POLLRDNORM;
    expect_eq!((ready(&reader, all()), ready(&reader, NOTHING)), (Ok(NOTHING), Ok(NOTHING)));
    write(&writer, b"ab")?;
    expect_eq!((ready(&reader, all()), ready(&reader, NOTHING)), (Ok(readable), Ok(NOTHING)));
    expect_eq!((ready(&reader, IN), ready(&reader, PollFlags::POLLRDNORM)), (Ok(IN), Ok(PollFlags::POLLRDNORM)));
    expect_eq!((ready(&reader, OUT), ready(&reader, PollFlags::POLLPRI)), (Ok(NOTHING), Ok(NOTHING)));
    // The events stay until the last byte has been read.
    read_exactly(&reader, 1)?;
    expect_eq!(ready(&reader, all()), Ok(readable));
    read_exactly(&reader, 1)?;
    expect_eq!(ready(&reader, all()), Ok(NOTHING));
    Ok(())
}

/// `poll` on the write end reports `POLLOUT` and `POLLWRNORM`, as far as requested, for an empty and a partly filled pipe, no
/// event for a full pipe, and both events again after a page has been read. `POLLIN` is never reported there.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "poll")]
fn write_end_reports_pollout_for_free_space(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let writable = OUT | PollFlags::POLLWRNORM;
    expect_eq!((ready(&writer, all()), ready(&writer, NOTHING)), (Ok(writable), Ok(NOTHING)));
    expect_eq!((ready(&writer, OUT), ready(&writer, PollFlags::POLLWRNORM)), (Ok(OUT), Ok(PollFlags::POLLWRNORM)));
    write(&writer, b"data is not for the writer to read")?;
    expect_eq!((ready(&writer, IN), ready(&writer, all())), (Ok(NOTHING), Ok(writable)));
    fill(&writer)?;
    expect_eq!((ready(&writer, all()), ready(&reader, IN)), (Ok(NOTHING), Ok(IN)));
    read_exactly(&reader, page_size().max(pipe_buf(&writer)?))?;
    expect_eq!(ready(&writer, all()), Ok(writable));
    Ok(())
}

/// `poll` for `POLLIN` and `POLLOUT` on a FIFO opened with `O_RDWR` reports `POLLOUT` if the FIFO is empty, both events if it is
/// partly filled, and `POLLIN` if it is full.
#[conformance::test(man = "poll(2)", man = "fifo(7)")]
fn fifo_opened_read_write_reports_both() -> Outcome {
    let (reader, writer) = Kind::FifoReadWrite.open()?;
    expect_eq!(ready(&writer, IN | OUT), Ok(OUT));
    write(&writer, b"x")?;
    expect_eq!((ready(&writer, IN | OUT), ready(&reader, IN | OUT)), (Ok(IN | OUT), Ok(IN | OUT)));
    fill(&writer)?;
    expect_eq!((ready(&reader, IN | OUT), ready(&reader, NOTHING)), (Ok(IN), Ok(NOTHING)));
    Ok(())
}

/// After the last writer closes, `poll` on the read end reports `POLLHUP`, requested or not, and also `POLLIN` while bytes are
/// unread. Whether `poll` reports `POLLIN` when no byte is unread is recorded; both are allowed.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "poll")]
fn read_end_reports_pollhup_without_writers(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let other = dup(&writer)?;
    write(&writer, b"x")?;
    drop(writer);
    expect_eq!((ready(&reader, IN), ready(&reader, NOTHING)), (Ok(IN), Ok(NOTHING)));
    drop(other);
    expect_eq!((ready(&reader, IN), ready(&reader, NOTHING)), (Ok(IN | HUP), Ok(HUP)));
    read_exactly(&reader, 1)?;
    expect_eq!(ready(&reader, NOTHING), Ok(HUP));
    let at_end = ready(&reader, IN | OUT)?;
    expect_eq!(at_end - IN, HUP);
    observe!("pipe.pollin-at-end-of-file", at_end.contains(IN));
    // `POLLHUP` stays after `read` has returned 0.
    expect_eq!((read(&reader, &mut [0]), ready(&reader, NOTHING)), (Ok(0), Ok(HUP)));
    Ok(())
}

/// After the last reader closes, `poll` on the write end of an empty pipe reports `POLLERR`, requested or not, and also `POLLOUT`
/// if that is requested. `poll` on the write end of a full pipe reports exactly `POLLERR`.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "poll(2)")]
fn write_end_reports_pollerr_without_readers(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let other = dup(&reader)?;
    drop(reader);
    expect_eq!(ready(&writer, NOTHING), Ok(NOTHING));
    drop(other);
    expect_eq!((ready(&writer, OUT), ready(&writer, NOTHING), ready(&writer, IN)), (Ok(OUT | ERR), Ok(ERR), Ok(ERR)));
    let (reader, writer) = kind.open()?;
    fill(&writer)?;
    drop(reader);
    expect_eq!((ready(&writer, OUT), ready(&writer, NOTHING)), (Ok(ERR), Ok(ERR)));
    Ok(())
}

/// `select` reports the read end of a full pipe or of a pipe without writers as readable, and that of an empty pipe with a writer
/// not. `select` reports the write end of an empty pipe or of a pipe without readers as writable, and that of a full pipe with a
/// reader not; no end is reported in the exception set.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "select")]
fn select_reports_calls_that_do_not_block(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    expect_eq!((selected(&reader), selected(&writer)), (Ok((false, false, false)), Ok((false, true, false))));
    fill(&writer)?;
    expect_eq!((selected(&reader), selected(&writer)), (Ok((true, false, false)), Ok((false, false, false))));
    drop(reader);
    let (readable, writable, exceptional) = selected(&writer)?;
    expect_eq!((writable, exceptional), (true, false));
    observe!("pipe.select-readable-at-write-end-without-readers", readable);
    let (reader, writer) = kind.open()?;
    drop(writer);
    expect_eq!(selected(&reader), Ok((true, false, false)));
    expect_eq!((read(&reader, &mut [0]), selected(&reader)), (Ok(0), Ok((true, false, false))));
    Ok(())
}

/// One `poll` of five pipes reports `POLLIN` for one with unread bytes, `POLLHUP` for one without writers, `POLLOUT | POLLERR`
/// for one without readers, and no event for the read end of an empty and the write end of a full one. An end given in three
/// entries is reported in each according to the events requested there.
#[conformance::test(posix = "poll")]
fn poll_reports_each_of_five_pipes() -> Outcome {
    let (with_data, one) = pipe()?;
    let (empty, _two) = pipe()?;
    let (ended, three) = pipe()?;
    let (_four, full) = pipe()?;
    let (five, broken) = pipe()?;
    write(&one, b"x")?;
    drop(three);
    fill(&full)?;
    drop(five);
    let entries =
        [(with_data.as_fd(), IN), (empty.as_fd(), IN), (ended.as_fd(), NOTHING), (full.as_fd(), OUT), (broken.as_fd(), OUT)];
    expect_eq!(poll(&entries, Some(0)), Ok(vec![IN, NOTHING, HUP, NOTHING, OUT | ERR]));
    // The same end in several entries.
    let twice = [(with_data.as_fd(), IN), (with_data.as_fd(), NOTHING), (with_data.as_fd(), IN)];
    expect_eq!(poll(&twice, Some(0)), Ok(vec![IN, NOTHING, IN]));
    Ok(())
}

/// Whether `poll` reports `POLLOUT` for a pipe with n free bytes is recorded, for n = 1, 100 and a page less 1; both are allowed.
/// If `POLLOUT` is reported, a blocking `write` of n bytes, or of `PIPE_BUF` bytes if n is larger, returns that count.
#[rstest]
#[case::one_byte_free(1, "pipe.pollout-with-1-byte-free")]
#[case::hundred_bytes_free(100, "pipe.pollout-with-100-bytes-free")]
#[case::a_page_less_1_byte_free(page_size() - 1, "pipe.pollout-with-a-page-less-1-byte-free")]
#[conformance::test(posix = "poll", level = observed)]
fn pollout_of_a_nearly_full_pipe(#[case] free: usize, #[case] key: &str) -> Outcome {
    let (reader, writer) = pipe()?;
    fill(&writer)?;
    read_exactly(&reader, free)?;
    let writable = ready(&writer, OUT)?.contains(OUT);
    observe!(key, writable);
    if writable {
        let size = free.min(pipe_buf(&writer)?);
        expect_eq!(write(&writer, &vec![1; size]), Ok(size));
    }
    Ok(())
}
