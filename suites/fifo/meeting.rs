//! Processes that have nothing in common but the name, and what they can rely on: they meet in any order, and records stay whole.

use std::collections::BTreeMap;

use conformance::prelude::*;
use proptest::collection::vec;
use rstest::rstest;

use super::fixture::{Named, visit};

/// Who comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    ReaderFirst,
    WriterFirst,
    AsItHappens,
}

/// Two programs that were started by themselves and know the name exchange data, whichever comes first.
#[rstest]
#[conformance::test(posix = "mkfifo", posix = "open")]
fn works_in_any_order(#[values(Order::ReaderFirst, Order::WriterFirst, Order::AsItHappens)] order: Order) -> Outcome {
    let fifo = Named::new()?;
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
        Order::AsItHappens => (reader()?, writer()?),
    };
    expect_eq!((writer.join()?, reader.join()?), (Ok(()), Ok(true)));
    Ok(())
}

/// Two FIFOs make a channel in both directions: each side gets what the other sends back, for messages of any size.
#[conformance::test(posix = "mkfifo", posix = "read", posix = "write")]
fn works_in_both_directions_over_two_fifos() -> Outcome {
    property(&vec(1_usize..5000, 1..5), |sizes| {
        let there = Named::new()?;
        let back = Named::new()?;
        let echo = Participant::spawn("echo", (), |(), _| {
            let (input, output) = (open(there.path(), OFlag::O_RDONLY)?, open(back.path(), OFlag::O_WRONLY)?);
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
        let (output, input) = (open(there.path(), OFlag::O_WRONLY)?, open(back.path(), OFlag::O_RDONLY)?);
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

/// Three programs in a row, joined by two FIFOs, pass on data and then its end.
#[conformance::test(posix = "mkfifo", posix = "read")]
fn passes_data_and_its_end_down_a_row() -> Outcome {
    let (first, second) = (Named::new()?, Named::new()?);
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

/// A record: its writer, its number with that writer, and filling that shows both.
fn record(writer: u8, number: u16, size: usize) -> Vec<u8> {
    let [low, high] = number.to_le_bytes();
    let mut bytes = vec![writer ^ low; size];
    bytes[..3].copy_from_slice(&[writer, low, high]);
    bytes
}

/// Checks that the bytes are whole records, each writer's in its order and none missing; gives how many each wrote.
fn whole_records(bytes: &[u8], size: usize) -> Result<BTreeMap<u8, u16>, String> {
    let mut next = BTreeMap::new();
    for (index, chunk) in bytes.chunks(size).enumerate() {
        let expected = next.entry(chunk[0]).or_insert(0_u16);
        if chunk != record(chunk[0], *expected, size) {
            return Err(format!("record {index} is not number {expected} of writer {}, whole", chunk[0]));
        }
        *expected += 1;
    }
    Ok(next)
}

/// Records of up to `PIPE_BUF` bytes from several writers, each of which came by the name, arrive whole and each writer's in order.
#[rstest]
#[case::small(|_| 5, 100)]
#[case::odd(|_| 509, 40)]
#[case::largest(|largest| largest, 12)]
#[conformance::test(posix = "write")]
fn keeps_the_records_of_all_writers_whole(#[case] size: fn(usize) -> usize, #[case] count: u16) -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    let size = size(pipe_buf(&reader)?);
    let mut writers = Vec::new();
    for id in 1..=4 {
        writers.push(Participant::spawn(&format!("writer {id}"), (), |(), link| {
            let end = open(fifo.path(), OFlag::O_WRONLY)?;
            link.meet("in");
            (0..count).try_for_each(|number| match write(&end, &record(id, number, size)) {
                Ok(written) if written == size => Ok(()),
                Ok(_) => Err(EIO),
                Err(errno) => Err(errno),
            })
        })?);
    }
    for writer in &writers {
        writer.until_reached("in")?;
    }
    for writer in &writers {
        writer.open("in")?;
    }
    set_nonblocking(&reader, false)?;
    let bytes = read_to_end(&reader)?;
    expect_eq!(whole_records(&bytes, size), Ok((1..=4).map(|id| (id, count)).collect()));
    for writer in writers {
        expect_eq!(writer.join()?, Ok(()));
    }
    Ok(())
}

/// Writers that are killed in the middle of their work leave whole records only, and of each writer none is missing
/// between those that arrive.
#[conformance::test(posix = "write")]
fn keeps_the_records_of_killed_writers_whole() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    let size = pipe_buf(&reader)? - 3;
    let mut writers: Vec<Participant<Result<(), Errno>>> = Vec::new();
    for id in 1..=3 {
        writers.push(Participant::spawn(&format!("writer {id}"), (), |(), link| {
            let end = open(fifo.path(), OFlag::O_WRONLY)?;
            link.reached("in");
            (0..=u16::MAX).try_for_each(|number| write_all(&end, &record(id, number, size)))
        })?);
    }
    for writer in &writers {
        writer.until_reached("in")?;
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

/// A FIFO works in the file system that is kept in memory for sharing as it does elsewhere.
#[conformance::test(posix = "mkfifo", man = "shm_overview(7)", needs(file("/dev/shm")))]
fn works_in_the_shared_memory_file_system() -> Outcome {
    let directory = tempfile::Builder::new().prefix("fifo-").tempdir_in("/dev/shm")?;
    let path = directory.path().join("fifo");
    expect_eq!(mkfifo(&path, 0o600), Ok(()));
    let writer = Participant::spawn("writer", (), |(), _| write(open(&path, OFlag::O_WRONLY)?, b"data"))?;
    writer.until_blocked()?;
    let reader = open(&path, OFlag::O_RDONLY)?;
    expect_eq!((read_to_end(&reader), writer.join()?), (Ok(b"data".to_vec()), Ok(4)));
    drop(reader);
    expect_eq!(visit(&path, OFlag::O_WRONLY), Err(ENXIO));
    Ok(())
}
