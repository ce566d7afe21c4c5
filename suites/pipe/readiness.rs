//! Readiness by `poll` and `select`: the exact bits in each state of each end, and who is woken by a change of state.

use conformance::prelude::*;
use rstest::rstest;

use common::pipe::Kind;

const IN: PollFlags = PollFlags::POLLIN;

const OUT: PollFlags = PollFlags::POLLOUT;

const HUP: PollFlags = PollFlags::POLLHUP;

const ERR: PollFlags = PollFlags::POLLERR;

const NOTHING: PollFlags = PollFlags::empty();

/// All that can be asked for that a pipe may have.
fn all() -> PollFlags {
    IN | OUT | PollFlags::POLLRDNORM | PollFlags::POLLWRNORM
}

/// The reading end is ready to read when there is data, and only then, under both of the names for it; it is never ready to write.
#[rstest]
#[conformance::test(posix = "poll")]
fn of_the_reading_end_is_data(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let readable = IN | PollFlags::POLLRDNORM;
    expect_eq!((ready(&reader, all()), ready(&reader, NOTHING)), (Ok(NOTHING), Ok(NOTHING)));
    write(&writer, b"ab")?;
    expect_eq!((ready(&reader, all()), ready(&reader, NOTHING)), (Ok(readable), Ok(NOTHING)));
    expect_eq!((ready(&reader, IN), ready(&reader, PollFlags::POLLRDNORM)), (Ok(IN), Ok(PollFlags::POLLRDNORM)));
    expect_eq!((ready(&reader, OUT), ready(&reader, PollFlags::POLLPRI)), (Ok(NOTHING), Ok(NOTHING)));
    // Looking takes nothing away, reading a part does not either, reading the rest does.
    read_exactly(&reader, 1)?;
    expect_eq!(ready(&reader, all()), Ok(readable));
    read_exactly(&reader, 1)?;
    expect_eq!(ready(&reader, all()), Ok(NOTHING));
    Ok(())
}

/// The writing end is ready to write while there is room, and only then, under both of the names for it; it is never ready to read.
#[rstest]
#[conformance::test(posix = "poll")]
fn of_the_writing_end_is_room(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// An end that both reads and writes has the readiness of both, by the state of the one buffer.
#[conformance::test(man = "poll(2)", man = "fifo(7)")]
fn of_a_description_for_both_is_both() -> Outcome {
    let (reader, writer) = Kind::FifoReadWrite.open()?;
    expect_eq!(ready(&writer, IN | OUT), Ok(OUT));
    write(&writer, b"x")?;
    expect_eq!((ready(&writer, IN | OUT), ready(&reader, IN | OUT)), (Ok(IN | OUT), Ok(IN | OUT)));
    fill(&writer)?;
    expect_eq!((ready(&reader, IN | OUT), ready(&reader, NOTHING)), (Ok(IN), Ok(NOTHING)));
    Ok(())
}

/// Once no writer is left the reading end reports a hang-up, asked for or not; data that is left is reported with it.
#[rstest]
#[conformance::test(posix = "poll")]
fn of_the_reading_end_is_a_hang_up_without_writers(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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
    observe!("pipe.poll-in-at-end-of-file", at_end.contains(IN));
    // It is a state, not an event: reading the end does not use it up.
    expect_eq!((read(&reader, &mut [0]), ready(&reader, NOTHING)), (Ok(0), Ok(HUP)));
    Ok(())
}

/// Once no reader is left the writing end reports an error, asked for or not, whether there is room or not.
#[rstest]
#[conformance::test(man = "poll(2)")]
fn of_the_writing_end_is_an_error_without_readers(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// `select` has end-of-file as readable and a broken pipe as writable, for the call would not wait; nothing is exceptional.
#[rstest]
#[conformance::test(posix = "select")]
fn by_select_is_that_a_call_would_not_wait(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    expect_eq!((selected(&reader), selected(&writer)), (Ok((false, false, false)), Ok((false, true, false))));
    fill(&writer)?;
    expect_eq!((selected(&reader), selected(&writer)), (Ok((true, false, false)), Ok((false, false, false))));
    drop(reader);
    let (readable, writable, exceptional) = selected(&writer)?;
    expect_eq!((writable, exceptional), (true, false));
    observe!("pipe.select-reads-on-broken-writing-end", readable);
    let (reader, writer) = kind.open()?;
    drop(writer);
    expect_eq!(selected(&reader), Ok((true, false, false)));
    expect_eq!((read(&reader, &mut [0]), selected(&reader)), (Ok(0), Ok((true, false, false))));
    Ok(())
}

/// When `poll` looks at several pipes at once, each entry has its own pipe's state, and the count is of those that have any.
#[conformance::test(posix = "poll")]
fn of_several_is_told_apart() -> Outcome {
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
    // One pipe named twice is looked at twice.
    let twice = [(with_data.as_fd(), IN), (with_data.as_fd(), NOTHING), (with_data.as_fd(), IN)];
    expect_eq!(poll(&twice, Some(0)), Ok(vec![IN, NOTHING, IN]));
    Ok(())
}

/// How near to full a pipe may be and still report room is the system's choice; a pipe that reports it takes what it promised.
#[rstest]
#[case::a_byte(1)]
#[case::hundred_bytes(100)]
#[case::all_but_a_byte_of_a_page(4095)]
#[conformance::test(posix = "poll", level = observed)]
fn of_a_nearly_full_pipe_is_the_systems_choice(#[case] free: usize) -> Outcome {
    let (reader, writer) = pipe()?;
    fill(&writer)?;
    read_exactly(&reader, free)?;
    let room = ready(&writer, OUT)?.contains(OUT);
    observe!(format!("pipe.reports-room-with-{free}-bytes-free").as_str(), room);
    if room {
        let size = free.min(pipe_buf(&writer)?);
        expect_eq!(write(&writer, &vec![1; size]), Ok(size));
    }
    Ok(())
}
