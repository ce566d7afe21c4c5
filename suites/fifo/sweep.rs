//! Kill sweeps: an opener, or a maker, killed before and after each of its system calls. The others see either all of a call or
//! nothing of it.

use conformance::fault::sweep::Victim;
use conformance::prelude::*;
use conformance::sys::path::status::{is_fifo, permissions};

use super::fixture::{Named, Side};

/// Whether the victim was let in, as far as that is known: at other points only its absence can be told.
fn was_in<T>(victim: &Victim<T>) -> Option<bool> {
    let is_open = |name: &str| name == "openat" || name == "open";
    if victim.completed.iter().any(|call| is_open(&call.name) && call.returned >= 0) {
        return Some(true);
    }
    victim.entered.as_deref().is_some_and(is_open).then_some(false)
}

/// A reader that is killed lets in the writer that waits for it if its own call to open has succeeded, and not otherwise; the writer
/// then has written, or has a broken pipe.
#[conformance::test(posix = "open", posix = "write", posix = "_Exit")]
fn of_a_reader_lets_in_the_writer_or_not() -> Outcome {
    sweep(|run| {
        let fifo = Named::new()?;
        let writer = Participant::spawn("writer", (), |(), _| {
            signal::ignore(Signal::SIGPIPE)?;
            let end = open(fifo.path(), OFlag::O_WRONLY)?;
            Ok::<_, Errno>(write(&end, b"data"))
        })?;
        writer.until_blocked()?;
        let victim = run.victim("reader", (), |(), _| read_some(open(fifo.path(), OFlag::O_RDONLY)?, 9))?;
        match was_in(&victim) {
            Some(true) => {}
            Some(false) => {
                writer.expect_still_blocked()?;
                fifo.visit(OFlag::O_RDONLY)?;
            }
            None => drop(fifo.reader()?),
        }
        let written = writer.join()?;
        if victim.returned("read").contains(&4) {
            expect_eq!(written, Ok(Ok(4)));
        }
        expect_matches!(written, Ok(Ok(4) | Err(EPIPE)));
        if let Some(value) = victim.value {
            expect_eq!(value, Ok(b"data".to_vec()));
        }
        expect_eq!(fifo.nobody_at(Side::Reader), Ok(true));
        Ok(())
    })
}

/// A writer that is killed lets in the reader that waits for it if its own call to open has succeeded, and not otherwise; the reader
/// gets what was written and then end-of-file.
#[conformance::test(posix = "open", posix = "read", posix = "_Exit")]
fn of_a_writer_lets_in_the_reader_or_not() -> Outcome {
    sweep(|run| {
        let fifo = Named::new()?;
        let reader = Participant::spawn("reader", (), |(), _| read_to_end(open(fifo.path(), OFlag::O_RDONLY)?))?;
        reader.until_blocked()?;
        let victim = run.victim("writer", (), |(), _| {
            let end = open(fifo.path(), OFlag::O_WRONLY)?;
            write_all(&end, b"one ")?;
            write_all(&end, b"two")
        })?;
        match was_in(&victim) {
            Some(true) => {}
            Some(false) => {
                reader.expect_still_blocked()?;
                fifo.visit(OFlag::O_WRONLY)?;
            }
            None => drop(fifo.both()?),
        }
        let bytes = reader.join()??;
        let written = victim.returned("write");
        if !victim.completed.is_empty() {
            expect_eq!(bytes, b"one two"[..written.iter().map(|&count| usize::try_from(count).unwrap_or(0)).sum()].to_vec());
        }
        expect!(b"one two".starts_with(&bytes), "the reader got {bytes:?}");
        expect_eq!(fifo.nobody_at(Side::Writer), Ok(true));
        Ok(())
    })
}

/// One that opens for both, and is killed, was on both sides or on none.
#[conformance::test(man = "fifo(7)")]
fn of_one_on_both_sides_lets_in_all_or_nobody() -> Outcome {
    sweep(|run| {
        let fifo = Named::new()?;
        let reader = fifo.waiting(Side::Reader, "first")?;
        let victim = run.victim("both", (), |(), _| open(fifo.path(), OFlag::O_RDWR).map(drop))?;
        if was_in(&victim) == Some(false) {
            reader.expect_still_blocked()?;
        }
        if was_in(&victim) != Some(true) {
            drop(fifo.both()?);
        }
        expect_eq!(reader.join()?, Ok(()));
        expect_eq!((fifo.nobody_at(Side::Reader), fifo.nobody_at(Side::Writer)), (Ok(true), Ok(true)));
        Ok(())
    })
}

/// A maker that is killed has made a whole FIFO or none: with its mode, with an empty inside, and in working order.
#[conformance::test(posix = "mkfifo")]
fn of_a_maker_leaves_a_whole_fifo_or_none() -> Outcome {
    sweep(|run| {
        let scratch = Scratch::new()?;
        let path = scratch.join("fifo");
        let victim = run.victim("maker", (), |(), _| mkfifo(&path, 0o642))?;
        let is_make = |name: &str| name == "mknodat" || name == "mknod";
        let made = stat(&path);
        if victim.completed.iter().any(|call| is_make(&call.name)) || victim.value.is_some() {
            expect!(made.is_ok());
        }
        if victim.entered.as_deref().is_some_and(is_make) {
            expect_eq!(made.map(drop), Err(ENOENT));
        }
        if let Ok(status) = made {
            expect_eq!((is_fifo(&status), permissions(&status), status.st_nlink), (true, 0o640, 1));
            let both = open(&path, OFlag::O_RDWR)?;
            expect_eq!((unread(&both), write(&both, b"x"), read(&both, &mut [0; 9])), (Ok(0), Ok(1), Ok(1)));
        }
        Ok(())
    })
}
