//! Storms: writers and readers of one pipe are killed at random instants. The others see whole records, end-of-file and `EPIPE`
//! as if no process had been killed in the middle of a call.

use conformance::fault::storm::{Crowd, Nemesis};
use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::record_fixture::{Record, Seen};
use common::pipe::{Kind, pipe_and_fifo};

/// Writes records of all sizes up to the limit until `write` fails: how many, and the error.
fn write_for_ever(end: &OwnedFd, writer: u8, generation: u8, limit: usize) -> Result<(u32, Errno), Errno> {
    signal::ignore(Signal::SIGPIPE)?;
    let mut sizes = Nemesis::seeded(u64::from(writer) << 8 | u64::from(generation));
    for number in 0.. {
        let record = Record::new(writer, generation, number).bytes(8 + sizes.below(limit - 7));
        match write(end, &record) {
            Ok(count) if count == record.len() => {}
            Ok(_) => return Err(EIO),
            Err(errno) => return Ok((number, errno)),
        }
    }
    Err(EOVERFLOW)
}

/// If three processes call `write` with records of at most `PIPE_BUF` bytes on one pipe, and one of them is killed at a random
/// instant and replaced ten times in turn, `read` returns only whole records, those of each process in the order of its calls and
/// without a gap. After the last writer is killed and all bytes are read, `read` returns 0.
#[apply(pipe_and_fifo)]
#[case::small_records(40)]
#[case::records_up_to_pipe_buf(4096)]
#[conformance::test(posix = "write", posix = "read")]
fn killed_writers_leave_whole_records(#[case] limit: usize, kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let limit = limit.min(pipe_buf(&writer_end)?);
    let mut nemesis = Nemesis::of_this_case();
    let mut writers = Crowd::gather(3, |writer, generation| {
        Participant::spawn("writer", writer_end.try_clone()?, move |end, _| write_for_ever(&end, writer, generation, limit))
    })?;
    let mut seen = Seen::default();
    for _ in 0..10 {
        for _ in 0..=nemesis.below(4) {
            seen.take(&read_some(&reader, 1 + nemesis.below(3 * limit))?)?;
        }
        writers.strike(&mut nemesis)?;
    }
    writers.kill_all()?;
    drop(writer_end);
    seen.take(&read_to_end(&reader)?)?;
    seen.expect_ended()?;
    expect_eq!(read(&reader, &mut [0]), Ok(0));
    Ok(())
}

/// If four processes call `write` on one pipe, one of them is killed at a random instant and replaced five times in turn, and the
/// last reader then closes, `write` fails with `EPIPE` in each of the four living processes. The number of records read from a
/// process is at most the number that its `write` calls have added.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write")]
fn every_writer_gets_epipe(kind: Kind) -> Outcome {
    let (reader, writer_end) = kind.open()?;
    let limit = pipe_buf(&writer_end)?;
    let mut nemesis = Nemesis::of_this_case();
    let mut writers = Crowd::gather(4, |writer, generation| {
        Participant::spawn("writer", writer_end.try_clone()?, move |end, _| write_for_ever(&end, writer, generation, limit))
    })?;
    let mut seen = Seen::default();
    for _ in 0..5 {
        seen.take(&read_some(&reader, 1 + nemesis.below(20_000))?)?;
        writers.strike(&mut nemesis)?;
    }
    drop(reader);
    for (number, (writer, generation)) in writers.disperse().into_iter().enumerate() {
        let (written, errno) = writer.join()??;
        let read = seen.count(u8::try_from(number).unwrap_or(0), generation);
        expect_eq!(errno, EPIPE);
        expect!(read <= written, "{read} records were read, {written} were written");
    }
    Ok(())
}

/// If a process that calls `read` for 64 bytes again and again is killed at a random instant, at most 64 bytes are missing
/// between the bytes that its `read` calls and those of the next reader return. All other bytes are returned in order.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "read")]
fn killed_reader_loses_at_most_one_read(kind: Kind) -> Outcome {
    /// Bytes of one `read`; each byte is its position modulo `MODULUS`, which is larger.
    const MOST: usize = 64;
    const MODULUS: usize = 251;
    let (reader_end, writer_end) = kind.open()?;
    let writer = Participant::spawn("writer", writer_end, |end, _| -> Result<(), Errno> {
        let mut sizes = Nemesis::seeded(1);
        let mut at = 0;
        loop {
            let size = 1 + sizes.below(300);
            let bytes: Vec<u8> = (at..at + size).map(|place| u8::try_from(place % MODULUS).unwrap_or(0)).collect();
            write_all(&end, &bytes)?;
            at += size;
        }
    })?;
    let mut nemesis = Nemesis::of_this_case();
    let mut expected = 0;
    for _ in 0..12 {
        let (reports, report) = pipe()?;
        let ends = (reader_end.try_clone()?, report);
        let reader = Participant::spawn("reader", ends, |(end, report), _| -> Result<(), Errno> {
            loop {
                let got = read_some(&end, MOST)?;
                write_all(&report, &got)?;
            }
        })?;
        let mut received = read_exactly(&reports, 1 + nemesis.below(2000))?;
        reader.kill()?;
        received.extend(read_to_end(&reports)?);
        let lost = (usize::from(received[0]) + MODULUS - expected) % MODULUS;
        expect!(lost <= MOST, "{lost} bytes are missing between one reader and the next");
        for (index, &byte) in received.iter().enumerate() {
            expect_eq!(usize::from(byte), (usize::from(received[0]) + index) % MODULUS);
        }
        expected = (usize::from(received[0]) + received.len()) % MODULUS;
    }
    writer.kill()?;
    let rest = read_to_end(&reader_end)?;
    if let Some(&first) = rest.first() {
        let lost = (usize::from(first) + MODULUS - expected) % MODULUS;
        expect!(lost <= MOST, "{lost} bytes are missing after the last reader");
    }
    Ok(())
}
