//! Concurrent `open` and `close` of a FIFO by processes that are killed at random instants.

use conformance::prelude::*;

use super::fixture::{AccessMode, Fifo};

/// Random numbers that follow from the seed of the case.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // Multiplier and increment of a linear congruential generator; its high bits are good enough to choose by.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }
}

/// A participant that repeatedly opens one end, blocking, and closes it.
fn repeated_opener(fifo: &Fifo, access: AccessMode) -> Result<Participant<Result<(), Errno>>, Errno> {
    let name = if access == AccessMode::ReadOnly { "reader" } else { "writer" };
    Participant::spawn(name, (), |(), _| {
        signal::ignore(Signal::SIGPIPE)?;
        loop {
            let end = open(fifo.path(), access.flag())?;
            set_nonblocking(&end, true)?;
            let _ = match access {
                AccessMode::ReadOnly => read(&end, &mut [0; 8]),
                AccessMode::WriteOnly => write(&end, b"x"),
            };
        }
    })
}

/// After eight processes, at most four at the same time, that repeatedly call `open` of a FIFO with `O_RDONLY` or `O_WRONLY`, one
/// non-blocking `read` or `write`, and `close`, are all killed at random instants, `open` with `O_WRONLY | O_NONBLOCK` fails with
/// `ENXIO`, and `read` by a new reader returns 0. After both ends are opened, `ioctl(FIONREAD)` returns 0, `write` of 4 bytes
/// returns 4, and `read` returns these bytes.
#[conformance::test(posix = "open", posix = "close", posix = "_Exit")]
fn killed_processes_leave_no_end_open() -> Outcome {
    let fifo = Fifo::new()?;
    let mut random = Random(seed());
    let mut openers = Vec::new();
    for access in [AccessMode::ReadOnly, AccessMode::WriteOnly, AccessMode::ReadOnly, AccessMode::WriteOnly] {
        openers.push(repeated_opener(&fifo, access)?);
    }
    for round in 0..8 {
        // Each of these `open` calls lets the blocked openers in, and spaces the kills by their progress.
        for _ in 0..random.below(8) {
            expect_eq!(fifo.open_and_close(OFlag::O_RDWR), Ok(()));
        }
        openers.swap_remove(random.below(openers.len())).kill()?;
        let access = if random.below(2) == 0 { AccessMode::ReadOnly } else { AccessMode::WriteOnly };
        if round < 4 {
            openers.push(repeated_opener(&fifo, access)?);
        }
    }
    expect_eq!(openers.len(), 0);
    expect_eq!((fifo.is_closed(AccessMode::ReadOnly), fifo.is_closed(AccessMode::WriteOnly)), (Ok(true), Ok(true)));
    let (reader, writer) = fifo.ends()?;
    expect_eq!((unread(&reader), write(&writer, b"data"), read_some(&reader, 9)), (Ok(0), Ok(4), Ok(b"data".to_vec())));
    drop(writer);
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}

/// In each of 50 rounds, a blocking `open` of one FIFO for reading and a blocking `open` for writing by another process at the
/// same time both return a descriptor. The reader reads the byte that the writer writes in that round.
#[conformance::test(posix = "open")]
fn concurrent_opens_both_return() -> Outcome {
    let fifo = Fifo::new()?;
    let rounds = 50;
    let writer = Participant::spawn("writer", (), |(), link| {
        (0..rounds).try_for_each(|round: u8| {
            write_all(open(fifo.path(), OFlag::O_WRONLY)?, &[round])?;
            link.meet("next round");
            Ok::<_, Errno>(())
        })
    })?;
    for round in 0..rounds {
        let reader = open(fifo.path(), OFlag::O_RDONLY)?;
        expect_eq!(read_to_end(&reader), Ok(vec![round]));
        drop(reader);
        writer.until_reached("next round")?;
        writer.open("next round")?;
    }
    expect_eq!(writer.join()?, Ok(()));
    Ok(())
}

/// In each of 20 rounds, the only two writers of an empty FIFO call `close` at the same time, and a blocking `read` by the reader
/// returns 0.
#[conformance::test(posix = "read", posix = "close")]
fn concurrent_closes_give_end_of_file() -> Outcome {
    let fifo = Fifo::new()?;
    let rounds = 20;
    let mut writers = Vec::new();
    for name in ["first", "second"] {
        writers.push(Participant::spawn(name, (), |(), link| {
            (0..rounds).try_for_each(|_| {
                let end = open(fifo.path(), OFlag::O_WRONLY)?;
                link.meet("open");
                close(end)?;
                link.meet("closed");
                Ok::<_, Errno>(())
            })
        })?);
    }
    for _ in 0..rounds {
        let reader = open(fifo.path(), OFlag::O_RDONLY)?;
        let_go(&writers, "open")?;
        expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
        for writer in &writers {
            writer.until_reached("closed")?;
        }
        drop(reader);
        for writer in &writers {
            writer.open("closed")?;
        }
    }
    for writer in writers {
        expect_eq!(writer.join()?, Ok(()));
    }
    Ok(())
}
