//! Opening: each side waits for the other, unless told not to. Being on one side is a matter of having the FIFO open, not of using it.

use conformance::prelude::*;
use rstest::rstest;

use super::fixture::{Named, Side};

/// Opening for reading waits until somebody opens for writing; then both sides have a descriptor that works, and that waits.
#[conformance::test(posix = "open", man = "fifo(7)")]
fn for_reading_waits_for_a_writer() -> Outcome {
    let fifo = Named::new()?;
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

/// Opening for writing waits until somebody opens for reading; what is written then arrives.
#[conformance::test(posix = "open", man = "fifo(7)")]
fn for_writing_waits_for_a_reader() -> Outcome {
    let fifo = Named::new()?;
    let writer = Participant::spawn("writer", (), |(), _| write(open(fifo.path(), OFlag::O_WRONLY)?, b"data"))?;
    writer.until_blocked()?;
    let reader = open(fifo.path(), OFlag::O_RDONLY)?;
    expect_eq!(read_to_end(&reader), Ok(b"data".to_vec()));
    expect_eq!(writer.join()?, Ok(4));
    Ok(())
}

/// With `O_NONBLOCK`, opening for reading does not wait for a writer; as there is none, a read finds end-of-file.
#[conformance::test(posix = "open", posix = "read")]
fn for_reading_without_waiting_succeeds_alone() -> Outcome {
    let fifo = Named::new()?;
    let reader = open(fifo.path(), OFlag::O_RDONLY | OFlag::O_NONBLOCK);
    expect_eq!(reader.and_then(|reader| read(reader, &mut [0; 8])), Ok(0));
    expect_eq!(fifo.nobody_at(Side::Reader), Ok(true));
    Ok(())
}

/// A reader that was opened with `O_NONBLOCK` is told end-of-file while there is no writer, and to try again once there is one.
#[conformance::test(posix = "read")]
fn for_writing_turns_end_of_file_into_nothing_yet() -> Outcome {
    let fifo = Named::new()?;
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

/// With `O_NONBLOCK`, opening for writing fails while nobody has the FIFO open for reading; the attempt does not make a writer.
#[conformance::test(posix = "open", man = "fifo(7)")]
fn for_writing_without_waiting_fails_alone() -> Outcome {
    let fifo = Named::new()?;
    expect_eq!(fifo.writer().map(drop), Err(ENXIO));
    let reader = fifo.waiting(Side::Reader, "reader")?;
    expect_eq!(fifo.visit(OFlag::O_WRONLY), Ok(()));
    expect_eq!(reader.join()?, Ok(()));
    expect_eq!(fifo.writer().map(drop), Err(ENXIO));
    Ok(())
}

/// With `O_NONBLOCK`, opening for writing succeeds while somebody reads, whether or not that reader would wait.
#[rstest]
#[case::beside_a_waiting_read(OFlag::empty())]
#[case::beside_a_read_that_does_not_wait(OFlag::O_NONBLOCK)]
#[conformance::test(posix = "open")]
fn for_writing_without_waiting_succeeds(#[case] reading: OFlag) -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    set_status_flags(&reader, reading)?;
    let writer = fifo.writer();
    expect_eq!(writer.and_then(|writer| write(writer, b"data")), Ok(4));
    expect_eq!(read_some(&reader, 8), Ok(b"data".to_vec()));
    Ok(())
}

/// Nobody waits to open a side whose other side is open already, be it as the first or as the second.
#[rstest]
#[conformance::test(posix = "open")]
fn does_not_wait_while_the_other_side_is_open(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let _ends = fifo.ends()?;
    let first = open(fifo.path(), side.flag());
    expect_eq!(first.as_ref().map(|_| ()), Ok(()));
    let second = open(fifo.path(), side.flag());
    expect_eq!(second.as_ref().map(|_| ()), Ok(()));
    Ok(())
}

/// One that has the FIFO open for both is on both sides: nobody who comes then waits.
#[rstest]
#[conformance::test(man = "fifo(7)")]
fn does_not_wait_while_somebody_has_it_open_for_both(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let both = open(fifo.path(), OFlag::O_RDWR);
    expect_eq!(both.as_ref().map(|_| ()), Ok(()));
    expect_eq!(open(fifo.path(), side.flag()).map(drop), Ok(()));
    drop(both);
    expect_eq!((fifo.nobody_at(Side::Reader), fifo.nobody_at(Side::Writer)), (Ok(true), Ok(true)));
    Ok(())
}

/// That the FIFO was in use once counts for nothing: when all have left, the next opener waits again.
#[rstest]
#[conformance::test(posix = "open")]
fn waits_again_once_all_have_left(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    drop(fifo.ends()?);
    drop(fifo.both()?);
    let opener = fifo.waiting(side, "late opener")?;
    expect_eq!(fifo.visit(side.other().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// It is the other side that is waited for: a reader keeps the next reader waiting, and a writer the next writer.
#[rstest]
#[conformance::test(posix = "open")]
fn waits_though_its_own_side_is_open(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let (_stays, goes) = if side == Side::Reader { (reader, writer) } else { (writer, reader) };
    drop(goes);
    let opener = fifo.waiting(side, "second")?;
    expect_eq!(fifo.visit(side.other().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// Two FIFOs in one directory are two: who comes to one lets in nobody who waits at the other.
#[rstest]
#[conformance::test(posix = "open")]
fn waits_for_somebody_at_the_same_fifo(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    mkfifo(&fifo.beside("other"), 0o600)?;
    let opener = fifo.waiting(side, "opener")?;
    let _other = open(&fifo.beside("other"), OFlag::O_RDWR)?;
    opener.expect_still_blocked()?;
    expect_eq!(fifo.visit(side.other().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// A process that can have no more descriptors is told so at once, without waiting, and leaves no reader or writer behind.
#[rstest]
#[conformance::test(posix = "open")]
fn fails_at_once_without_a_descriptor_left(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let file: OwnedFd = std::fs::File::open(fifo.directory())?.into();
    let opener = Participant::spawn("opener", file, |file, _| {
        leave_room(&file, 0)?;
        open(fifo.path(), side.flag()).map(drop)
    })?;
    expect_eq!(opener.join()?, Err(EMFILE));
    expect_eq!(fifo.nobody_at(side), Ok(true));
    Ok(())
}

/// Two threads of one process meet like two processes: one that waits keeps no other from opening.
#[conformance::test(posix = "open")]
fn lets_two_threads_of_one_process_meet() -> Outcome {
    let fifo = Named::new()?;
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
