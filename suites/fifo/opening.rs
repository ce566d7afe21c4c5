//! `open` for one end of a FIFO blocks until the opposite end is open, or returns at once with `O_NONBLOCK`. What counts is which
//! ends are open, not whether they are used.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{AccessMode, Fifo, every_access_mode};

/// `open` of a FIFO with `O_RDONLY` blocks until a process calls `open` with `O_WRONLY`, and then both return a descriptor.
/// `fcntl(F_GETFL)` of the read end reports no `O_NONBLOCK`, and `read` returns the 4 bytes that the writer writes.
#[conformance::test(posix = "open", man = "fifo(7)")]
fn for_reading_blocks_until_a_writer_opens() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = Participant::spawn("reader", (), |(), _| {
        let end = open(fifo.path(), OFlag::O_RDONLY)?;
        Ok::<_, Errno>((read_to_end(&end)?, status_flags(&end)?.contains(OFlag::O_NONBLOCK)))
    })?;
    reader.until_blocked()?;
    let writer = open(fifo.path(), OFlag::O_WRONLY);
    expect_eq!(writer.and_then(|writer| write(writer, b"data")), Ok(4));
    expect_eq!(reader.join()?, Ok((b"data".to_vec(), false)));
    Ok(())
}

/// `open` of a FIFO with `O_WRONLY` blocks until a process calls `open` with `O_RDONLY`, and then both return a descriptor.
/// `write` of 4 bytes to the one returns 4, and `read` from the other returns these bytes.
#[conformance::test(posix = "open", man = "fifo(7)")]
fn for_writing_blocks_until_a_reader_opens() -> Outcome {
    let fifo = Fifo::new()?;
    let writer = Participant::spawn("writer", (), |(), _| write(open(fifo.path(), OFlag::O_WRONLY)?, b"data"))?;
    writer.until_blocked()?;
    let reader = open(fifo.path(), OFlag::O_RDONLY)?;
    expect_eq!(read_to_end(&reader), Ok(b"data".to_vec()));
    expect_eq!(writer.join()?, Ok(4));
    Ok(())
}

/// `open` of a FIFO with `O_RDONLY | O_NONBLOCK` returns a descriptor while there is no writer, and `read` from the descriptor
/// returns 0.
#[conformance::test(posix = "open", posix = "read")]
fn nonblocking_for_reading_succeeds_without_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = open(fifo.path(), OFlag::O_RDONLY | OFlag::O_NONBLOCK);
    expect_eq!(reader.and_then(|reader| read(reader, &mut [0; 8])), Ok(0));
    expect_eq!(fifo.is_closed(AccessMode::ReadOnly), Ok(true));
    Ok(())
}

/// `read` from an empty FIFO opened with `O_RDONLY | O_NONBLOCK` returns 0 while there is no writer, and fails with `EAGAIN`
/// while a writer has the FIFO open.
#[conformance::test(posix = "read")]
fn writer_turns_end_of_file_into_eagain() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    expect_eq!(read(&reader, &mut [0; 8]), Ok(0));
    let writer = fifo.writer()?;
    expect_eq!(read(&reader, &mut [0; 8]), Err(EAGAIN));
    expect_eq!(write(&writer, b"data"), Ok(4));
    expect_eq!((read_some(&reader, 8), read(&reader, &mut [0; 8])), (Ok(b"data".to_vec()), Err(EAGAIN)));
    drop(writer);
    expect_eq!(read(&reader, &mut [0; 8]), Ok(0));
    Ok(())
}

/// `open` of a FIFO with `O_WRONLY | O_NONBLOCK` fails with `ENXIO` while no process has the FIFO open for reading.
#[conformance::test(posix = "open", man = "fifo(7)")]
fn nonblocking_for_writing_fails_without_reader() -> Outcome {
    let fifo = Fifo::new()?;
    expect_eq!(fifo.writer().map(drop), Err(ENXIO));
    let reader = fifo.blocked_open(AccessMode::ReadOnly, "reader")?;
    expect_eq!(fifo.open_and_close(OFlag::O_WRONLY), Ok(()));
    expect_eq!(reader.join()?, Ok(()));
    expect_eq!(fifo.writer().map(drop), Err(ENXIO));
    Ok(())
}

/// `open` of a FIFO with `O_WRONLY | O_NONBLOCK` returns a descriptor while a reader has the FIFO open, both if the descriptor of
/// the reader has `O_NONBLOCK` set and if it has not.
#[rstest]
#[case::blocking_reader(OFlag::empty())]
#[case::nonblocking_reader(OFlag::O_NONBLOCK)]
#[conformance::test(posix = "open")]
fn nonblocking_for_writing_succeeds_with_reader(#[case] reading: OFlag) -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    set_status_flags(&reader, reading)?;
    let writer = fifo.writer();
    expect_eq!(writer.and_then(|writer| write(writer, b"data")), Ok(4));
    expect_eq!(read_some(&reader, 8), Ok(b"data".to_vec()));
    Ok(())
}

/// While one reader and one writer have a FIFO open, each of two `open` calls without `O_NONBLOCK` for the same end, `O_RDONLY`
/// or `O_WRONLY`, returns a descriptor without blocking.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn does_not_block_while_the_opposite_end_is_open(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let _ends = fifo.ends()?;
    let first = open(fifo.path(), access.flag());
    expect_eq!(first.as_ref().map(|_| ()), Ok(()));
    let second = open(fifo.path(), access.flag());
    expect_eq!(second.as_ref().map(|_| ()), Ok(()));
    Ok(())
}

/// While another descriptor of a FIFO is open with `O_RDWR`, `open` with `O_RDONLY` or `O_WRONLY`, without `O_NONBLOCK`, returns
/// a descriptor without blocking.
#[apply(every_access_mode)]
#[conformance::test(man = "fifo(7)")]
fn does_not_block_while_open_read_write(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let both = open(fifo.path(), OFlag::O_RDWR);
    expect_eq!(both.as_ref().map(|_| ()), Ok(()));
    expect_eq!(open(fifo.path(), access.flag()).map(drop), Ok(()));
    drop(both);
    expect_eq!((fifo.is_closed(AccessMode::ReadOnly), fifo.is_closed(AccessMode::WriteOnly)), (Ok(true), Ok(true)));
    Ok(())
}

/// After all descriptors of a FIFO are closed, the next `open` for reading or writing blocks until the opposite end is opened
/// again.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn blocks_again_after_the_last_close(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    drop(fifo.ends()?);
    drop(fifo.read_write()?);
    let opener = fifo.blocked_open(access, "late opener")?;
    expect_eq!(fifo.open_and_close(access.opposite().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// `open` of a FIFO for reading blocks while only readers have the FIFO open, and `open` for writing blocks while only writers
/// have the FIFO open. Each call returns a descriptor when the opposite end is opened.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn blocks_while_only_the_same_end_is_open(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let (_stays, goes) = if access == AccessMode::ReadOnly { (reader, writer) } else { (writer, reader) };
    drop(goes);
    let opener = fifo.blocked_open(access, "second")?;
    expect_eq!(fifo.open_and_close(access.opposite().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// `open` blocked on one FIFO stays blocked when another FIFO in the same directory is opened with `O_RDWR`.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn is_not_woken_by_another_fifo(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    mkfifo(&fifo.sibling("other"), 0o600)?;
    let opener = fifo.blocked_open(access, "opener")?;
    let _other = open(&fifo.sibling("other"), OFlag::O_RDWR)?;
    opener.expect_still_blocked()?;
    expect_eq!(fifo.open_and_close(access.opposite().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// `open` of a FIFO by a process that has reached its descriptor limit fails with `EMFILE` without blocking. If that call was for
/// reading, `open` with `O_WRONLY | O_NONBLOCK` by another process then fails with `ENXIO`; if it was for writing, `read` by a
/// new reader returns 0.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn fails_at_the_descriptor_limit(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let file: OwnedFd = std::fs::File::open(fifo.directory())?.into();
    let opener = Participant::spawn("opener", file, |file, _| {
        leave_room(&file, 0)?;
        open(fifo.path(), access.flag()).map(drop)
    })?;
    expect_eq!(opener.join()?, Err(EMFILE));
    expect_eq!(fifo.is_closed(access), Ok(true));
    Ok(())
}

/// If one thread of a process opens a FIFO for reading and another thread opens the FIFO for writing, both `open` calls return.
/// The first thread reads the bytes that the second one writes.
#[conformance::test(posix = "open")]
fn threads_of_one_process_open_both_ends() -> Outcome {
    let fifo = Fifo::new()?;
    let process = Participant::spawn("process", (), |(), _| {
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| read_to_end(open(fifo.path(), OFlag::O_RDONLY)?));
            let written = open(fifo.path(), OFlag::O_WRONLY).and_then(|end| write(end, b"data"));
            (written, reader.join().unwrap_or(Err(EIO)))
        })
    })?;
    expect_eq!(process.join()?, (Ok(4), Ok(b"data".to_vec())));
    Ok(())
}
