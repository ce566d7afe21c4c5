//! End-of-file: `read` returns 0 while no process has the FIFO open for writing.

use conformance::prelude::*;

use super::fixture::Fifo;

/// After the last writer of a FIFO closes, `read` returns the buffered bytes, and then every `read` returns 0. After the next
/// `open` for writing, `read` of the empty FIFO blocks.
#[conformance::test(posix = "read", man = "fifo(7)")]
fn persists_until_the_next_writer() -> Outcome {
    let fifo = Fifo::new()?;
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

/// For each of two writers in turn, a non-blocking `read` of a FIFO fails with `EAGAIN` after the writer opens, returns the bytes
/// that the writer writes, and returns 0 after the writer closes.
#[conformance::test(posix = "read")]
fn repeats_for_each_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    for bytes in [b"one", b"two"] {
        let writer = fifo.writer()?;
        expect_eq!((read(&reader, &mut [0; 9]), write(&writer, bytes)), (Err(EAGAIN), Ok(3)));
        drop(writer);
        expect_eq!([read_some(&reader, 9), read_some(&reader, 9)], [Ok(bytes.to_vec()), Ok(vec![])]);
    }
    Ok(())
}

/// `read` blocked on an empty FIFO stays blocked until the last of three descriptors open for writing is closed, and then returns
/// 0.
#[conformance::test(posix = "read")]
fn needs_the_last_writer_to_close() -> Outcome {
    let fifo = Fifo::new()?;
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

/// When the last writer of an empty FIFO closes, `read` returns 0 in each of four processes that are blocked in `read` of that
/// FIFO.
#[conformance::test(posix = "read", fixed_in = "Linux 5.6 (6551d5c56eb0)")]
fn wakes_all_blocked_readers() -> Outcome {
    let fifo = Fifo::new()?;
    let writer = fifo.read_write()?;
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

/// If the only writer is killed after its bytes were read, `read` blocked on the empty FIFO returns 0.
#[conformance::test(posix = "read", posix = "_Exit")]
fn wakes_a_blocked_reader_when_the_writer_is_killed() -> Outcome {
    let fifo = Fifo::new()?;
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

/// While a child holds the only write end of a FIFO by inheritance, a non-blocking `read` of the empty FIFO fails with `EAGAIN`.
/// After the child is killed, `read` returns 0.
#[conformance::test(posix = "read", posix = "fork")]
fn needs_an_inherited_write_end_to_close() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    set_nonblocking(&reader, true)?;
    let child = Participant::spawn("child", dup(&writer)?, |_held, link| -> () { link.park() })?;
    drop(writer);
    expect_eq!(read(&reader, &mut [0; 1]), Err(EAGAIN));
    child.kill()?;
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}

/// While a descriptor opened with `O_RDWR` is the only writer, `read` of the empty FIFO through another descriptor stays blocked.
/// After the first descriptor is closed, the blocked `read` returns 0.
#[conformance::test(man = "fifo(7)")]
fn read_write_description_counts_as_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let holder = fifo.read_write()?;
    let blocked = Participant::spawn("reader", reader, |end, _| read(&end, &mut [0; 1]))?;
    blocked.until_blocked()?;
    drop(writer);
    blocked.expect_still_blocked()?;
    drop(holder);
    expect_eq!(blocked.join()?, Ok(0));
    Ok(())
}

/// If a reader opens a FIFO after the last writer closed, while another reader is open, `read` by the new reader returns the
/// buffered bytes and then 0.
#[conformance::test(posix = "close", posix = "read")]
fn late_reader_gets_the_buffered_bytes() -> Outcome {
    let fifo = Fifo::new()?;
    let (early, writer) = fifo.ends()?;
    write_all(writer, b"data")?;
    let late = fifo.reader()?;
    expect_eq!([read_some(&late, 9), read_some(&late, 9)], [Ok(b"data".to_vec()), Ok(vec![])]);
    expect_eq!(read_some(&early, 9), Ok(vec![]));
    Ok(())
}

/// After the only writer of a FIFO closes without writing, `read` returns 0 for each of two readers.
#[conformance::test(posix = "read")]
fn follows_a_writer_without_data() -> Outcome {
    let fifo = Fifo::new()?;
    let (first, writer) = fifo.ends()?;
    let second = open(fifo.path(), OFlag::O_RDONLY)?;
    drop(writer);
    expect_eq!([read(&first, &mut [0; 1]), read(&second, &mut [0; 1])], [Ok(0), Ok(0)]);
    Ok(())
}

/// After `open` of a FIFO for writing failed with `EEXIST` (`O_CREAT | O_EXCL`) or `ENOTDIR` (`O_DIRECTORY`), `read` of the FIFO
/// without writers still returns 0.
#[conformance::test(posix = "read", posix = "open")]
fn failed_open_adds_no_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    fifo.open_and_close(OFlag::O_WRONLY)?;
    expect_eq!(create(fifo.path(), OFlag::O_WRONLY | OFlag::O_EXCL, 0o600).map(drop), Err(EEXIST));
    expect_eq!(fifo.open_and_close(OFlag::O_WRONLY | OFlag::O_DIRECTORY), Err(ENOTDIR));
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}
