//! Writing while nobody has the FIFO open for reading: an error and a signal, until somebody reads again.

use conformance::prelude::*;

use super::fixture::Named;

/// A write without a reader fails each time, and raises one signal each time.
#[conformance::test(posix = "write")]
fn gives_an_error_and_a_signal_for_each_write() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    drop(reader);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    for count in 1..=3 {
        expect_eq!((write(&writer, b"lost"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), count));
    }
    expect_eq!(unread(&writer), Ok(0));
    Ok(())
}

/// One that does not care about the signal is ended by it.
#[conformance::test(posix = "write")]
fn ends_a_writer_that_does_not_catch_the_signal() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    drop(reader);
    let writer = Participant::spawn("writer", writer, |end, _| write(&end, b"lost"))?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGPIPE));
    Ok(())
}

/// A new reader mends it for the writer that is there: what is written then arrives, what was refused does not.
#[conformance::test(posix = "write")]
fn is_mended_by_a_new_reader() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    drop(reader);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    expect_eq!(write(&writer, b"lost"), Err(EPIPE));
    let reader = fifo.reader()?;
    expect_eq!(write(&writer, b"kept"), Ok(4));
    expect_eq!((read_some(&reader, 99), signal::caught(Signal::SIGPIPE)), (Ok(b"kept".to_vec()), 1));
    Ok(())
}

/// It takes the last of several readers: one that stays, or that was inherited, keeps the writer going.
#[conformance::test(posix = "write")]
fn takes_the_last_of_several_readers() -> Outcome {
    let fifo = Named::new()?;
    let (first, writer) = fifo.ends()?;
    let (second, third) = (fifo.reader()?, dup(&first)?);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let child = Participant::spawn("child", third, |_held, link| -> () { link.park() })?;
    drop(first);
    expect_eq!(write(&writer, b"1"), Ok(1));
    drop(second);
    expect_eq!(write(&writer, b"2"), Ok(1));
    child.kill()?;
    expect_eq!((write(&writer, b"3"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    Ok(())
}

/// Every writer that is blocked on a full FIFO gets the error and its own signal when the last reader goes.
#[conformance::test(posix = "write", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn wakes_all_blocked_writers() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    fill(&writer)?;
    let mut writers = Vec::new();
    for name in ["first", "second", "third"] {
        let end = dup(&writer)?;
        writers.push(Participant::spawn(name, end, |end, _| {
            signal::catch(Signal::SIGPIPE, Restart::No)?;
            Ok::<_, Errno>((write(&end, b"x"), signal::caught(Signal::SIGPIPE)))
        })?);
    }
    for blocked in &writers {
        blocked.until_blocked()?;
    }
    drop(reader);
    for blocked in writers {
        expect_eq!(blocked.join()?, Ok((Err(EPIPE), 1)));
    }
    Ok(())
}

/// A reader that is killed breaks the FIFO for a writer that is blocked on it.
#[conformance::test(posix = "write", posix = "_Exit")]
fn wakes_a_blocked_writer_when_the_reader_is_killed() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    fill(&writer)?;
    let reader = Participant::spawn("reader", reader, |_held, link| -> () { link.park() })?;
    let blocked = Participant::spawn("writer", writer, |end, _| {
        signal::ignore(Signal::SIGPIPE)?;
        write(&end, b"x")
    })?;
    blocked.until_blocked()?;
    reader.kill()?;
    expect_eq!(blocked.join()?, Err(EPIPE));
    Ok(())
}

/// A writer that is blocked on a full FIFO stays so while one reader takes the place of another.
#[conformance::test(posix = "write")]
fn is_not_seen_while_one_reader_follows_another() -> Outcome {
    let fifo = Named::new()?;
    let (first, writer) = fifo.ends()?;
    let full = fill(&writer)?;
    let blocked = Participant::spawn("writer", writer, |end, _| write(&end, b"x"))?;
    blocked.until_blocked()?;
    let second = open(fifo.path(), OFlag::O_RDONLY)?;
    drop(first);
    blocked.expect_still_blocked()?;
    expect_eq!(read_exactly(&second, full).map(|bytes| bytes.len()), Ok(full));
    expect_eq!((blocked.join()?, read_some(&second, 9)), (Ok(1), Ok(b"x".to_vec())));
    Ok(())
}

/// One that has the FIFO open for both is a reader: while it stays no writer gets the error.
#[conformance::test(man = "fifo(7)")]
fn is_kept_away_by_one_that_opened_for_both() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let holder = fifo.both()?;
    drop(reader);
    expect_eq!(write(&writer, b"kept"), Ok(4));
    expect_eq!(read_some(&holder, 9), Ok(b"kept".to_vec()));
    drop(holder);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    Ok(())
}
