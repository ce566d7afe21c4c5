//! End-of-file: what readers see when nobody has the FIFO open for writing any more, and how it ends.

use conformance::prelude::*;

use super::fixture::Named;

/// End-of-file follows what was written, and is there at every further read for as long as nobody opens for writing.
#[conformance::test(posix = "read", man = "fifo(7)")]
fn stays_until_somebody_opens_for_writing() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    write_all(writer, b"data")?;
    expect_eq!([read_some(&reader, 3), read_some(&reader, 3)], [Ok(b"dat".to_vec()), Ok(b"a".to_vec())]);
    for _ in 0..3 {
        expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    }
    let _writer = fifo.writer()?;
    let blocked = Participant::spawn("reader", reader, |end, _| read(&end, &mut [0; 1]))?;
    blocked.until_blocked()?;
    Ok(())
}

/// A reader that has seen end-of-file reads what the next writer brings, and then end-of-file again.
#[conformance::test(posix = "read")]
fn comes_once_for_each_writer() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    for bytes in [b"one", b"two"] {
        let writer = fifo.writer()?;
        expect_eq!((read(&reader, &mut [0; 9]), write(&writer, bytes)), (Err(EAGAIN), Ok(3)));
        drop(writer);
        expect_eq!([read_some(&reader, 9), read_some(&reader, 9)], [Ok(bytes.to_vec()), Ok(vec![])]);
    }
    Ok(())
}

/// Each description that is open for writing keeps end-of-file away: a blocked reader wakes when the last of several goes.
#[conformance::test(posix = "read")]
fn takes_the_last_of_several_writers() -> Outcome {
    let fifo = Named::new()?;
    let (reader, first) = fifo.ends()?;
    let (second, third) = (fifo.writer()?, dup(&first)?);
    let blocked = Participant::spawn("reader", reader, |end, _| read(&end, &mut [0; 1]))?;
    blocked.until_blocked()?;
    for writer in [first, second] {
        drop(writer);
        blocked.expect_still_blocked()?;
    }
    drop(third);
    expect_eq!(blocked.join()?, Ok(0));
    Ok(())
}

/// All readers that are blocked wake with end-of-file, not only one of them.
#[conformance::test(posix = "read", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn wakes_all_blocked_readers() -> Outcome {
    let fifo = Named::new()?;
    let writer = fifo.both()?;
    let mut readers = Vec::new();
    for name in ["first", "second", "third", "fourth"] {
        let reader = Participant::spawn(name, (), |(), _| read(open(fifo.path(), OFlag::O_RDONLY)?, &mut [0; 1]))?;
        reader.until_blocked()?;
        readers.push(reader);
    }
    drop(writer);
    for reader in readers {
        expect_eq!(reader.join()?, Ok(0));
    }
    Ok(())
}

/// The death of a writer is as good as its closing.
#[conformance::test(posix = "read", posix = "_Exit")]
fn follows_a_killed_writer() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    let writer = Participant::spawn("writer", (), |(), link| {
        let end = open(fifo.path(), OFlag::O_WRONLY);
        let written = end.and_then(|end| write(&end, b"data").map(|_| end));
        link.reached("written");
        let _held = written;
        link.park()
    });
    let writer: Participant<()> = writer?;
    writer.until_reached("written")?;
    set_nonblocking(&reader, false)?;
    expect_eq!(read_some(&reader, 9), Ok(b"data".to_vec()));
    let blocked = Participant::spawn("reader", reader, |end, _| read(&end, &mut [0; 1]))?;
    blocked.until_blocked()?;
    writer.kill()?;
    expect_eq!(blocked.join()?, Ok(0));
    Ok(())
}

/// A writer that is only inherited counts as well: end-of-file comes when the child has gone too.
#[conformance::test(posix = "read", posix = "fork")]
fn waits_for_a_child_that_inherited_the_writer() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    set_nonblocking(&reader, true)?;
    let child = Participant::spawn("child", dup(&writer)?, |_held, link| -> () { link.park() })?;
    drop(writer);
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    child.kill()?;
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}

/// One that has the FIFO open for both is a writer: it keeps end-of-file away from all, though it never writes.
#[conformance::test(man = "fifo(7)")]
fn is_kept_away_by_one_that_opened_for_both() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let holder = fifo.both()?;
    let blocked = Participant::spawn("reader", reader, |end, _| read(&end, &mut [0; 1]))?;
    blocked.until_blocked()?;
    drop(writer);
    blocked.expect_still_blocked()?;
    drop(holder);
    expect_eq!(blocked.join()?, Ok(0));
    Ok(())
}

/// A reader that comes after the writer has gone still gets what was written, as the FIFO was open all the while.
#[conformance::test(posix = "close", posix = "read")]
fn follows_the_data_for_a_late_reader_too() -> Outcome {
    let fifo = Named::new()?;
    let (early, writer) = fifo.ends()?;
    write_all(writer, b"data")?;
    let late = fifo.reader()?;
    expect_eq!([read_some(&late, 9), read_some(&late, 9)], [Ok(b"data".to_vec()), Ok(vec![])]);
    expect_eq!(read_some(&early, 9), Ok(vec![]));
    Ok(())
}

/// A writer that never writes ends in end-of-file, for each reader that was there.
#[conformance::test(posix = "read")]
fn comes_without_any_data() -> Outcome {
    let fifo = Named::new()?;
    let (first, writer) = fifo.ends()?;
    let second = open(fifo.path(), OFlag::O_RDONLY)?;
    drop(writer);
    expect_eq!([read(&first, &mut [0; 1]), read(&second, &mut [0; 1])], [Ok(0), Ok(0)]);
    Ok(())
}

/// An attempt to open for writing that fails makes no writer: a reader at end-of-file stays there.
#[conformance::test(posix = "read", posix = "open")]
fn is_not_ended_by_an_open_that_fails() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    fifo.visit(OFlag::O_WRONLY)?;
    expect_eq!(create(fifo.path(), OFlag::O_WRONLY | OFlag::O_EXCL, 0o600).map(drop), Err(EEXIST));
    expect_eq!(fifo.visit(OFlag::O_WRONLY | OFlag::O_DIRECTORY), Err(ENOTDIR));
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}
