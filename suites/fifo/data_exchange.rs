//! Data exchange between unrelated processes that share only the name of a FIFO, and records of several writers.

use std::collections::BTreeMap;

use conformance::prelude::*;
use proptest::collection::vec;
use rstest::rstest;

use super::fixture::{Fifo, open_and_close};

/// Which process opens the FIFO first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    ReaderFirst,
    WriterFirst,
    Unordered,
}

/// Two processes started by `exec`, one for reading and one for writing, call `open` of a FIFO by its name, either one first or
/// both at the same time. The reader reads all 100,000 bytes that the writer writes.
#[rstest]
#[conformance::test(posix = "mkfifo", posix = "open")]
fn unrelated_processes_exchange_data(#[values(Order::ReaderFirst, Order::WriterFirst, Order::Unordered)] order: Order) -> Outcome {
    let fifo = Fifo::new()?;
    let name = fifo.path().to_path_buf();
    let reader = || {
        Participant::exec("reader", (), &name, |(), name: PathBuf, _| {
            read_to_end(open(&name, OFlag::O_RDONLY)?).map(|bytes| bytes == pattern(100_000))
        })
    };
    let writer = || {
        Participant::exec("writer", (), &name, |(), name: PathBuf, _| write_all(open(&name, OFlag::O_WRONLY)?, &pattern(100_000)))
    };
    let (reader, writer) = match order {
        Order::ReaderFirst => {
            let reader = reader()?;
            reader.until_blocked()?;
            (reader, writer()?)
        }
        Order::WriterFirst => {
            let writer = writer()?;
            writer.until_blocked()?;
            (reader()?, writer)
        }
        Order::Unordered => (reader()?, writer()?),
    };
    expect_eq!((writer.join()?, reader.join()?), (Ok(()), Ok(true)));
    Ok(())
}

/// A client that writes messages of random sizes, each of less than 5000 bytes, to one FIFO reads the same bytes from a second
/// FIFO, to which another process copies them. After the client closes the first FIFO and that process exits, `read` from the
/// second FIFO returns 0.
#[conformance::test(posix = "mkfifo", posix = "read", posix = "write")]
fn two_fifos_carry_both_directions() -> Outcome {
    property(&vec(1_usize..5000, 1..5), |sizes| {
        let requests = Fifo::new()?;
        let answers = Fifo::new()?;
        let echo = Participant::spawn("echo", (), |(), _| {
            let (input, output) = (open(requests.path(), OFlag::O_RDONLY)?, open(answers.path(), OFlag::O_WRONLY)?);
            let mut total = 0;
            loop {
                let some = read_some(&input, 3000)?;
                if some.is_empty() {
                    return Ok::<_, Errno>(total);
                }
                total += some.len();
                write_all(&output, &some)?;
            }
        })?;
        let (output, input) = (open(requests.path(), OFlag::O_WRONLY)?, open(answers.path(), OFlag::O_RDONLY)?);
        for &size in &sizes {
            write_all(&output, &pattern(size))?;
            expect_eq!(read_exactly(&input, size), Ok(pattern(size)));
        }
        drop(output);
        expect_eq!(echo.join()?, Ok(sizes.iter().sum::<usize>()));
        expect_eq!(read(&input, &mut [0; 1]), Ok(0));
        Ok(())
    })
}

/// In a chain of three processes joined by two FIFOs, `read` by the last process returns all 70,000 bytes that the first one
/// wrote, each inverted by the middle one, and then 0.
#[conformance::test(posix = "mkfifo", posix = "read")]
fn chain_passes_data_and_end_of_file() -> Outcome {
    let (first, second) = (Fifo::new()?, Fifo::new()?);
    let names = (first.path().to_path_buf(), second.path().to_path_buf());
    let filter = Participant::exec("filter", (), &names, |(), (from, to): (PathBuf, PathBuf), _| {
        let (input, output) = (open(&from, OFlag::O_RDONLY)?, open(&to, OFlag::O_WRONLY)?);
        let bytes: Vec<u8> = read_to_end(&input)?.into_iter().map(|byte| byte ^ 0xff).collect();
        write_all(&output, &bytes)
    })?;
    let source =
        Participant::exec("source", (), &names.0, |(), to: PathBuf, _| write_all(open(&to, OFlag::O_WRONLY)?, &pattern(70_000)))?;
    let inverted: Vec<u8> = pattern(70_000).into_iter().map(|byte| byte ^ 0xff).collect();
    expect_eq!(read_to_end(open(second.path(), OFlag::O_RDONLY)?), Ok(inverted));
    expect_eq!((source.join()?, filter.join()?), (Ok(()), Ok(())));
    Ok(())
}

/// A record: the number of its writer, its own number, and filling that depends on both.
fn record(writer: u8, number: u16, size: usize) -> Vec<u8> {
    let [low, high] = number.to_le_bytes();
    let mut bytes = vec![writer ^ low; size];
    bytes[..3].copy_from_slice(&[writer, low, high]);
    bytes
}

/// Checks that the bytes are whole records, in the order of each writer and without a gap. Returns the count for each writer.
fn whole_records(bytes: &[u8], size: usize) -> Result<BTreeMap<u8, u16>, String> {
    let mut next = BTreeMap::new();
    for (index, chunk) in bytes.chunks(size).enumerate() {
        let expected = next.entry(chunk[0]).or_insert(0_u16);
        if chunk != record(chunk[0], *expected, size) {
            return Err(format!("record {index} is not the whole record {expected} of writer {}", chunk[0]));
        }
        *expected += 1;
    }
    Ok(next)
}

/// If four processes write records of one size (5, 509 or `PIPE_BUF` bytes) to a FIFO at the same time, one `write` for each
/// record, the bytes that `read` returns are a sequence of whole records. All records of each process are among them, in the
/// order of its `write` calls.
#[rstest]
#[case::of_5_bytes(|_| 5, 100)]
#[case::of_509_bytes(|_| 509, 40)]
#[case::of_pipe_buf_bytes(|largest| largest, 12)]
#[conformance::test(posix = "write")]
fn concurrent_records_stay_whole(#[case] size: fn(usize) -> usize, #[case] count: u16) -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    let size = size(pipe_buf(&reader)?);
    let mut writers = Vec::new();
    for id in 1..=4 {
        writers.push(Participant::spawn(&format!("writer {id}"), (), |(), link| {
            let end = open(fifo.path(), OFlag::O_WRONLY)?;
            link.meet("open");
            (0..count).try_for_each(|number| match write(&end, &record(id, number, size)) {
                Ok(written) if written == size => Ok(()),
                Ok(_) => Err(EIO),
                Err(errno) => Err(errno),
            })
        })?);
    }
    let_go(&writers, "open")?;
    set_nonblocking(&reader, false)?;
    let bytes = read_to_end(&reader)?;
    expect_eq!(whole_records(&bytes, size), Ok((1..=4).map(|id| (id, count)).collect()));
    for writer in writers {
        expect_eq!(writer.join()?, Ok(()));
    }
    Ok(())
}

/// If three processes that write records of `PIPE_BUF` minus 3 bytes, one `write` for each, are killed while they write, the
/// bytes that `read` returns until end-of-file are a sequence of whole records. The records of each process are in order and
/// without a gap.
#[conformance::test(posix = "write")]
fn killed_writers_leave_whole_records() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    let size = pipe_buf(&reader)? - 3;
    let mut writers: Vec<Participant<Result<(), Errno>>> = Vec::new();
    for id in 1..=3 {
        writers.push(Participant::spawn(&format!("writer {id}"), (), |(), link| {
            let end = open(fifo.path(), OFlag::O_WRONLY)?;
            link.reached("open");
            (0..=u16::MAX).try_for_each(|number| write_all(&end, &record(id, number, size)))
        })?);
    }
    for writer in &writers {
        writer.until_reached("open")?;
    }
    set_nonblocking(&reader, false)?;
    let mut bytes = Vec::new();
    for writer in writers {
        bytes.extend(read_exactly(&reader, 20 * size + 1)?);
        writer.kill()?;
    }
    bytes.extend(read_to_end(&reader)?);
    expect_eq!(whole_records(&bytes, size).map(drop), Ok(()));
    Ok(())
}

/// In `/dev/shm`, `mkfifo` returns 0, and `open` of the FIFO for writing blocks until a reader opens, which then reads the 4
/// bytes that the writer writes. After the reader closes, `open` with `O_WRONLY | O_NONBLOCK` fails with `ENXIO`.
#[conformance::test(posix = "mkfifo", man = "shm_overview(7)", needs(file("/dev/shm")))]
fn works_in_dev_shm() -> Outcome {
    let directory = tempfile::Builder::new().prefix("fifo-").tempdir_in("/dev/shm")?;
    let path = directory.path().join("fifo");
    expect_eq!(mkfifo(&path, 0o600), Ok(()));
    let writer = Participant::spawn("writer", (), |(), _| write(open(&path, OFlag::O_WRONLY)?, b"data"))?;
    writer.until_blocked()?;
    let reader = open(&path, OFlag::O_RDONLY)?;
    expect_eq!((read_to_end(&reader), writer.join()?), (Ok(b"data".to_vec()), Ok(4)));
    drop(reader);
    expect_eq!(open_and_close(&path, OFlag::O_WRONLY), Err(ENXIO));
    Ok(())
}
