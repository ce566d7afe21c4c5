//! Openers that come and go and are killed at any time: whatever happens, none stays behind in the counts of readers and writers.

use conformance::prelude::*;

use super::fixture::{Named, Side};

/// Numbers that follow from the seed of the case.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // Multiplier and increment of a linear congruential generator; its high bits are good enough to choose by.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }
}

/// A participant that opens a side, waiting, and closes it, over and over.
fn comes_and_goes(fifo: &Named, side: Side) -> Result<Participant<Result<(), Errno>>, Errno> {
    let name = if side == Side::Reader { "reader" } else { "writer" };
    Participant::spawn(name, (), |(), _| {
        signal::ignore(Signal::SIGPIPE)?;
        loop {
            let end = open(fifo.path(), side.flag())?;
            set_nonblocking(&end, true)?;
            let _ = match side {
                Side::Reader => read(&end, &mut [0; 8]),
                Side::Writer => write(&end, b"x"),
            };
        }
    })
}

/// Readers and writers that open and close without pause are killed one by one, and some replaced; when the last is dead the FIFO is
/// as if nobody had ever been there.
#[conformance::test(posix = "open", posix = "close", posix = "_Exit")]
fn of_kills_leaves_nobody_behind() -> Outcome {
    let fifo = Named::new()?;
    let mut random = Random(seed());
    let mut openers = Vec::new();
    for side in [Side::Reader, Side::Writer, Side::Reader, Side::Writer] {
        openers.push(comes_and_goes(&fifo, side)?);
    }
    for round in 0..8 {
        // Visits pass the time by what the openers are about, and let in who waits.
        for _ in 0..random.below(8) {
            expect_eq!(fifo.visit(OFlag::O_RDWR), Ok(()));
        }
        openers.swap_remove(random.below(openers.len())).kill()?;
        let side = if random.below(2) == 0 { Side::Reader } else { Side::Writer };
        if round < 4 {
            openers.push(comes_and_goes(&fifo, side)?);
        }
    }
    expect_eq!(openers.len(), 0);
    expect_eq!((fifo.nobody_at(Side::Reader), fifo.nobody_at(Side::Writer)), (Ok(true), Ok(true)));
    let (reader, writer) = fifo.ends()?;
    expect_eq!((unread(&reader), write(&writer, b"data"), read_some(&reader, 9)), (Ok(0), Ok(4), Ok(b"data".to_vec())));
    drop(writer);
    expect_eq!(read(&reader, &mut [0; 1]), Ok(0));
    Ok(())
}

/// A reader and a writer that come at the same time let each other in, in every one of many meetings: no wake-up is lost.
#[conformance::test(posix = "open")]
fn of_meetings_loses_none() -> Outcome {
    let fifo = Named::new()?;
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

/// However the last two writers go at the same time, a reader that is blocked sees end-of-file.
#[conformance::test(posix = "read", posix = "close")]
fn of_closes_ends_in_end_of_file() -> Outcome {
    let fifo = Named::new()?;
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
        for writer in &writers {
            writer.until_reached("open")?;
        }
        for writer in &writers {
            writer.open("open")?;
        }
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
