//! A FIFO opened for reading and writing at once, which POSIX leaves undefined and fifo(7) documents: one description at both sides.

use conformance::prelude::*;

use super::fixture::{Named, Side};

/// Opening for both does not wait, with or without `O_NONBLOCK`, whoever else is there or not.
#[conformance::test(man = "fifo(7)")]
fn opens_at_once() -> Outcome {
    let fifo = Named::new()?;
    let first = open(fifo.path(), OFlag::O_RDWR);
    expect_eq!(first.as_ref().map(|_| ()), Ok(()));
    expect_eq!(open(fifo.path(), OFlag::O_RDWR | OFlag::O_NONBLOCK).map(drop), Ok(()));
    drop(first);
    expect_eq!((fifo.nobody_at(Side::Reader), fifo.nobody_at(Side::Writer)), (Ok(true), Ok(true)));
    Ok(())
}

/// What is written through such a description can be read through it.
#[conformance::test(man = "fifo(7)")]
fn reads_what_it_writes() -> Outcome {
    let fifo = Named::new()?;
    let both = fifo.both()?;
    expect_eq!((write(&both, b"data"), unread(&both)), (Ok(4), Ok(4)));
    expect_eq!((read_some(&both, 9), read_some(&both, 9)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// As it is its own writer and reader, it sees neither end-of-file nor a broken pipe when all others have gone.
#[conformance::test(man = "fifo(7)")]
fn sees_neither_end_of_file_nor_a_broken_pipe() -> Outcome {
    let fifo = Named::new()?;
    let both = fifo.both()?;
    drop(fifo.ends()?);
    expect_eq!((read(&both, &mut [0; 1]), write(&both, b"x")), (Err(EAGAIN), Ok(1)));
    let full = fill(&both)?;
    expect_eq!((write(&both, b"x"), unread(&both)), (Err(EAGAIN), Ok(full + 1)));
    Ok(())
}

/// A read that waits on such a description keeps nobody from writing through the same one.
#[conformance::test(man = "fifo(7)")]
fn can_be_written_while_a_read_waits() -> Outcome {
    let fifo = Named::new()?;
    let both = open(fifo.path(), OFlag::O_RDWR)?;
    let reader = Participant::spawn("reader", dup(&both)?, |end, _| read_some(&end, 9))?;
    reader.until_blocked()?;
    expect_eq!(lseek(&both, 0, nix::unistd::Whence::SeekCur), Err(ESPIPE));
    reader.expect_still_blocked()?;
    expect_eq!(write(&both, b"a"), Ok(1));
    expect_eq!(reader.join()?, Ok(b"a".to_vec()));
    Ok(())
}

/// A write that waits on a full one keeps nobody from reading through the same description.
#[conformance::test(man = "fifo(7)")]
fn can_be_read_while_a_write_waits() -> Outcome {
    let fifo = Named::new()?;
    let both = open(fifo.path(), OFlag::O_RDWR)?;
    let full = fill(&both)?;
    let writer = Participant::spawn("writer", dup(&both)?, |end, _| write(&end, b"last"))?;
    writer.until_blocked()?;
    expect_eq!(read_exactly(&both, full).map(|bytes| bytes.len()), Ok(full));
    expect_eq!(writer.join()?, Ok(4));
    expect_eq!(read_some(&both, 9), Ok(b"last".to_vec()));
    Ok(())
}

/// It is ready to read if there is something, ready to write if there is room, and never hung up or broken.
#[conformance::test(man = "fifo(7)", man = "poll(2)")]
fn is_ready_for_what_can_be_done() -> Outcome {
    let fifo = Named::new()?;
    let both = fifo.both()?;
    drop(fifo.ends()?);
    let all = PollFlags::POLLIN | PollFlags::POLLOUT;
    expect_eq!(ready(&both, all), Ok(PollFlags::POLLOUT));
    write_all(&both, b"x")?;
    expect_eq!(ready(&both, all), Ok(all));
    fill(&both)?;
    expect_eq!(ready(&both, all), Ok(PollFlags::POLLIN));
    Ok(())
}

/// Closing it takes a reader and a writer away at once: the others that stay see a broken pipe, and end-of-file.
#[conformance::test(man = "fifo(7)")]
fn leaves_both_sides_when_closed() -> Outcome {
    let fifo = Named::new()?;
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let (reader, writer) = fifo.ends()?;
    let both = fifo.both()?;
    drop(reader);
    drop(both);
    expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    let (reader, both) = (fifo.reader()?, fifo.both()?);
    drop(writer);
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    drop(both);
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}
