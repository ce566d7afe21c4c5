//! A FIFO opened with `O_RDWR`, which POSIX leaves undefined and fifo(7) documents: one open file description is reader and
//! writer.

use conformance::prelude::*;

use super::fixture::{AccessMode, Fifo};

/// `open` of a FIFO with `O_RDWR` returns a descriptor without blocking, with and without `O_NONBLOCK`.
#[conformance::test(man = "fifo(7)")]
fn open_does_not_block() -> Outcome {
    let fifo = Fifo::new()?;
    let first = open(fifo.path(), OFlag::O_RDWR);
    expect_eq!(first.as_ref().map(|_| ()), Ok(()));
    expect_eq!(open(fifo.path(), OFlag::O_RDWR | OFlag::O_NONBLOCK).map(drop), Ok(()));
    drop(first);
    expect_eq!((fifo.is_closed(AccessMode::ReadOnly), fifo.is_closed(AccessMode::WriteOnly)), (Ok(true), Ok(true)));
    Ok(())
}

/// `read` from a FIFO opened with `O_RDWR | O_NONBLOCK` returns the bytes that were written through the same descriptor, and then
/// fails with `EAGAIN`.
#[conformance::test(man = "fifo(7)")]
fn reads_its_own_bytes() -> Outcome {
    let fifo = Fifo::new()?;
    let both = fifo.read_write()?;
    expect_eq!((write(&both, b"data"), unread(&both)), (Ok(4), Ok(4)));
    expect_eq!((read_some(&both, 9), read_some(&both, 9)), (Ok(b"data".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// When a descriptor opened with `O_RDWR | O_NONBLOCK` is the only one of an empty FIFO, `read` fails with `EAGAIN` and `write`
/// of one byte returns 1.
#[conformance::test(man = "fifo(7)")]
fn has_no_end_of_file_and_no_epipe() -> Outcome {
    let fifo = Fifo::new()?;
    let both = fifo.read_write()?;
    drop(fifo.ends()?);
    expect_eq!((read(&both, &mut [0; 1]), write(&both, b"x")), (Err(EAGAIN), Ok(1)));
    let full = fill(&both)?;
    expect_eq!((write(&both, b"x"), unread(&both)), (Err(EAGAIN), Ok(full + 1)));
    Ok(())
}

/// While `read` is blocked on an empty FIFO opened with `O_RDWR`, `write` of one byte through the same open file description
/// returns 1, and the blocked `read` returns that byte.
#[conformance::test(man = "fifo(7)")]
fn write_wakes_a_read_of_the_same_description() -> Outcome {
    let fifo = Fifo::new()?;
    let both = open(fifo.path(), OFlag::O_RDWR)?;
    let reader = Participant::spawn("reader", dup(&both)?, |end, _| read_some(&end, 9))?;
    reader.until_blocked()?;
    expect_eq!(lseek(&both, 0, nix::unistd::Whence::SeekCur), Err(ESPIPE));
    reader.expect_still_blocked()?;
    expect_eq!(write(&both, b"a"), Ok(1));
    expect_eq!(reader.join()?, Ok(b"a".to_vec()));
    Ok(())
}

/// While `write` is blocked on a full FIFO opened with `O_RDWR`, `read` through the same open file description returns the
/// buffered bytes. The blocked `write` of 4 bytes then returns 4.
#[conformance::test(man = "fifo(7)")]
fn read_wakes_a_write_of_the_same_description() -> Outcome {
    let fifo = Fifo::new()?;
    let both = open(fifo.path(), OFlag::O_RDWR)?;
    let full = fill(&both)?;
    let writer = Participant::spawn("writer", dup(&both)?, |end, _| write(&end, b"last"))?;
    writer.until_blocked()?;
    expect_eq!(read_exactly(&both, full).map(|bytes| bytes.len()), Ok(full));
    expect_eq!(writer.join()?, Ok(4));
    expect_eq!(read_some(&both, 9), Ok(b"last".to_vec()));
    Ok(())
}

/// `poll` of a FIFO opened with `O_RDWR` as the only descriptor reports `POLLOUT` if the FIFO is empty, `POLLIN | POLLOUT` with
/// one unread byte, and `POLLIN` if it is full.
#[conformance::test(man = "fifo(7)", man = "poll(2)")]
fn poll_reports_bytes_and_space() -> Outcome {
    let fifo = Fifo::new()?;
    let both = fifo.read_write()?;
    drop(fifo.ends()?);
    let all = PollFlags::POLLIN | PollFlags::POLLOUT;
    expect_eq!(ready(&both, all), Ok(PollFlags::POLLOUT));
    write_all(&both, b"x")?;
    expect_eq!(ready(&both, all), Ok(all));
    fill(&both)?;
    expect_eq!(ready(&both, all), Ok(PollFlags::POLLIN));
    Ok(())
}

/// When a descriptor opened with `O_RDWR` is closed as the last reader of a FIFO, `write` fails with `EPIPE` and raises
/// `SIGPIPE`. When such a descriptor is closed as the last writer, `read` returns 0.
#[conformance::test(man = "fifo(7)")]
fn close_removes_a_reader_and_a_writer() -> Outcome {
    let fifo = Fifo::new()?;
    signal::catch(Signal::SIGPIPE, Restart::No)?;
    let (reader, writer) = fifo.ends()?;
    let both = fifo.read_write()?;
    drop(reader);
    drop(both);
    expect_eq!((write(&writer, b"x"), signal::caught(Signal::SIGPIPE)), (Err(EPIPE), 1));
    let (reader, both) = (fifo.reader()?, fifo.read_write()?);
    drop(writer);
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    drop(both);
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}
