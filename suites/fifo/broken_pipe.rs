//! `write` to a FIFO without readers: `EPIPE` and `SIGPIPE`, until a process opens the FIFO for reading again.

use conformance::prelude::*;

use super::fixture::Fifo;

/// Each of three `write` calls to a FIFO whose last reader has closed, by a process with a handler for `SIGPIPE`, fails with
/// `EPIPE` and raises one `SIGPIPE`.
#[conformance::test(posix = "write")]
fn every_write_raises_sigpipe() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    drop(reader);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    for count in 1..=3 {
        expect_eq!((write(&writer, b"rejected"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), count));
    }
    expect_eq!(unread(&writer), Ok(0));
    Ok(())
}

/// `write` to a FIFO without readers kills the calling process by `SIGPIPE` if the signal has its default disposition.
#[conformance::test(posix = "write")]
fn sigpipe_kills_the_writer_by_default() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    drop(reader);
    let writer = Participant::spawn("writer", writer, |end, _| write(&end, b"rejected"))?;
    expect_eq!(writer.end()?, End::Killed(Signal::SIGPIPE));
    Ok(())
}

/// `write` to a FIFO whose last reader has closed fails with `EPIPE`. After a new reader opens, the next `write` of 6 bytes
/// returns 6, and `read` by that reader returns only these 6 bytes.
#[conformance::test(posix = "write")]
fn write_succeeds_after_a_new_reader_opens() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    drop(reader);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    expect_eq!(write(&writer, b"rejected"), Err(EPIPE));
    let reader = fifo.reader()?;
    expect_eq!(write(&writer, b"second"), Ok(6));
    expect_eq!((read_some(&reader, 99), signal::caught(Signal::SIGPIPE)), (Ok(b"second".to_vec()), 1));
    Ok(())
}

/// `write` of 1 byte to a FIFO returns 1 while any of several read ends is open, the last of them in a child that inherited the
/// descriptor. After that child is killed, `write` fails with `EPIPE` and raises one `SIGPIPE`.
#[conformance::test(posix = "write")]
fn needs_the_last_reader_to_close() -> Outcome {
    let fifo = Fifo::new()?;
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

/// When the last reader of a full FIFO closes, three `write` calls that are blocked on that FIFO in three processes fail with
/// `EPIPE`, and each process receives one `SIGPIPE`.
#[conformance::test(posix = "write", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn wakes_all_blocked_writers() -> Outcome {
    let fifo = Fifo::new()?;
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

/// If the only reader of a full FIFO is killed, a `write` blocked on that FIFO fails with `EPIPE` in a process that ignores
/// `SIGPIPE`.
#[conformance::test(posix = "write", posix = "_Exit")]
fn wakes_a_blocked_writer_when_the_reader_is_killed() -> Outcome {
    let fifo = Fifo::new()?;
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

/// `write` blocked on a full FIFO stays blocked when a second reader opens and the first reader closes. After the second reader
/// reads the buffered bytes, the blocked `write` of one byte returns 1.
#[conformance::test(posix = "write")]
fn blocked_write_survives_a_change_of_readers() -> Outcome {
    let fifo = Fifo::new()?;
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

/// While a descriptor opened with `O_RDWR` is the only reader of a FIFO, `write` of 6 bytes through another descriptor returns 6.
/// After the first descriptor is closed, `write` fails with `EPIPE` and raises one `SIGPIPE`.
#[conformance::test(man = "fifo(7)")]
fn read_write_description_counts_as_reader() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let holder = fifo.read_write()?;
    drop(reader);
    expect_eq!(write(&writer, b"second"), Ok(6));
    expect_eq!(read_some(&holder, 9), Ok(b"second".to_vec()));
    drop(holder);
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    Ok(())
}
