//! `poll` and `select` at the ends of a FIFO. A hang-up is the state of a reader that has had a writer, and ends when one comes back.

use conformance::prelude::*;
use rstest::rstest;

use super::fixture::Named;

const IN: PollFlags = PollFlags::POLLIN;
const OUT: PollFlags = PollFlags::POLLOUT;
const HUP: PollFlags = PollFlags::POLLHUP;
const ERR: PollFlags = PollFlags::POLLERR;
const NONE: PollFlags = PollFlags::empty();

/// A reader that never had a writer is not hung up, though a read gives end-of-file.
#[conformance::test(posix = "poll")]
fn shows_no_hang_up_before_the_first_writer() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    expect_eq!((ready(&reader, IN), read(&reader, &mut [0; 1]), ready(&reader, IN)), (Ok(NONE), Ok(0), Ok(NONE)));
    let _writer = fifo.writer()?;
    expect_eq!(ready(&reader, IN), Ok(NONE));
    Ok(())
}

/// When the last writer has gone, the reader is hung up until another opens, however often it reads end-of-file meanwhile.
#[conformance::test(posix = "poll")]
fn shows_a_hang_up_until_the_next_writer() -> Outcome {
    let fifo = Named::new()?;
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

/// A hang-up is shown also to one that asked for nothing.
#[conformance::test(posix = "poll")]
fn shows_a_hang_up_unasked() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    fifo.visit(OFlag::O_WRONLY)?;
    expect_eq!(ready(&reader, NONE), Ok(HUP));
    Ok(())
}

/// With data left a hung-up reader is ready to read as well; once that is read, it is only hung up.
#[conformance::test(posix = "poll", man = "poll(2)")]
fn shows_data_beside_a_hang_up() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"x")?;
    expect_eq!(ready(&reader, IN), Ok(IN));
    drop(writer);
    expect_eq!((ready(&reader, IN), read(&reader, &mut [0; 9])), (Ok(IN | HUP), Ok(1)));
    expect_eq!(ready(&reader, IN).map(|seen| seen & HUP), Ok(HUP));
    Ok(())
}

/// Every reader that was there is hung up, however it was opened.
#[conformance::test(posix = "poll")]
fn shows_a_hang_up_to_all_readers() -> Outcome {
    let fifo = Named::new()?;
    let (first, writer) = fifo.ends()?;
    let second = fifo.reader()?;
    let third = open(fifo.path(), OFlag::O_RDONLY)?;
    drop(writer);
    for reader in [&first, &second, &third] {
        expect_eq!(ready(reader, NONE), Ok(HUP));
    }
    Ok(())
}

/// Whether a reader that is opened after the last writer has gone is hung up is left to the system; after the next writer it is.
#[conformance::test(posix = "poll", level = observed)]
fn may_show_a_late_reader_no_hang_up() -> Outcome {
    let fifo = Named::new()?;
    let early = fifo.reader()?;
    fifo.visit(OFlag::O_WRONLY)?;
    let late = fifo.reader()?;
    let seen = ready(&late, NONE);
    expect_matches!(seen, Ok(HUP | NONE));
    observe!("fifo.late-reader-is-hung-up", seen == Ok(HUP));
    expect_eq!(ready(&early, NONE), Ok(HUP));
    fifo.visit(OFlag::O_WRONLY)?;
    expect_eq!([ready(&early, NONE), ready(&late, NONE)], [Ok(HUP); 2]);
    Ok(())
}

/// A `poll` that waits for data wakes when the last writer goes, and not before.
#[conformance::test(posix = "poll")]
fn wakes_one_that_waits_for_data_at_the_hang_up() -> Outcome {
    let fifo = Named::new()?;
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

/// A `poll` that began before there was any writer sleeps on when one opens, and wakes when it writes.
#[conformance::test(posix = "poll")]
fn wakes_one_that_waits_since_before_the_writer() -> Outcome {
    let fifo = Named::new()?;
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

/// A writer whose readers have gone is in error, and a new reader ends that.
#[conformance::test(man = "poll(2)")]
fn shows_an_error_to_a_writer_without_readers() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    expect_eq!(ready(&writer, OUT), Ok(OUT));
    drop(reader);
    expect_eq!([ready(&writer, OUT), ready(&writer, NONE)], [Ok(OUT | ERR), Ok(ERR)]);
    let _reader = fifo.reader()?;
    expect_eq!(ready(&writer, OUT), Ok(OUT));
    Ok(())
}

/// A full FIFO is not ready to be written to; if its readers go as well, it is in error only.
#[conformance::test(posix = "poll", man = "poll(2)")]
fn shows_no_room_in_a_full_one() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let full = fill(&writer)?;
    expect_eq!((ready(&writer, OUT), ready(&reader, IN)), (Ok(NONE), Ok(IN)));
    read_exactly(&reader, full)?;
    expect_eq!((ready(&writer, OUT), ready(&reader, IN)), (Ok(OUT), Ok(NONE)));
    fill(&writer)?;
    drop(reader);
    expect_eq!(ready(&writer, OUT), Ok(ERR));
    Ok(())
}

/// Neither end is ready for what the other is there for.
#[conformance::test(posix = "poll")]
fn shows_to_each_end_only_its_own() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(&writer, b"x")?;
    expect_eq!((ready(&reader, OUT), ready(&writer, IN)), (Ok(NONE), Ok(NONE)));
    Ok(())
}

/// For `select` a reader at end-of-file is readable, each time that it is asked.
#[conformance::test(posix = "pselect")]
fn makes_end_of_file_readable_each_time() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    fifo.visit(OFlag::O_WRONLY)?;
    for _ in 0..3 {
        expect_eq!(selected(&reader).map(|(readable, ..)| readable), Ok(true));
        expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    }
    let _writer = fifo.writer()?;
    expect_eq!(selected(&reader).map(|(readable, ..)| readable), Ok(false));
    Ok(())
}

/// For `select` a reader is readable if a read would not wait: so before the first writer too, as it would give end-of-file.
#[conformance::test(posix = "pselect")]
fn makes_end_of_file_readable_before_the_first_writer() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    set_nonblocking(&reader, false)?;
    let readable = selected(&reader)?.0;
    expect_eq!((readable, read(&reader, &mut [0; 1])), (true, Ok(0)));
    Ok(())
}

/// For `select` a writer without readers is writable, as a write would not wait; a full one with a reader is not.
#[conformance::test(posix = "pselect")]
fn makes_a_broken_pipe_writable() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    fill(&writer)?;
    expect_eq!(selected(&writer).map(|(_, writable, _)| writable), Ok(false));
    drop(reader);
    expect_eq!(selected(&writer).map(|(_, writable, _)| writable), Ok(true));
    Ok(())
}

/// With room for a whole record a FIFO is ready to be written to, and a write of that size does not wait.
#[rstest]
#[case::empty(0)]
#[case::one_byte_in_it(1)]
#[conformance::test(posix = "poll", posix = "write")]
fn shows_room_that_can_be_used(#[case] already: usize) -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    set_nonblocking(&writer, true)?;
    write_all(&writer, &pattern(already))?;
    let record = pipe_buf(&writer)?;
    expect_eq!((ready(&writer, OUT), write(&writer, &pattern(record))), (Ok(OUT), Ok(record)));
    expect_eq!(read_exactly(&reader, already + record), Ok([pattern(already), pattern(record)].concat()));
    Ok(())
}
