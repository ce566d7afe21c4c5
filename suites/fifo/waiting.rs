//! One that waits in `open` for the other side: what lets it in, what does not, and what it leaves behind if it gives up or dies.
//! Each sentence is about both sides alike.

use conformance::prelude::*;
use conformance::sys::path::attributes::{chmod, set_times};
use conformance::sys::path::status::{data_times, permissions};
use rstest::rstest;

use super::fixture::{Named, Opener, Side};

/// Somebody who comes and goes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Visitor {
    /// For the side that is waited for.
    Partner,
    /// For both.
    ForBoth,
}

/// A waiting opener is let in by one on the other side that opens without waiting itself: for that one, it is there.
#[rstest]
#[conformance::test(posix = "open")]
fn is_let_in_by_one_that_does_not_wait(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let opener = fifo.waiting(side, "opener")?;
    let partner = open(fifo.path(), side.other().flag() | OFlag::O_NONBLOCK);
    expect_eq!(opener.join()?, Ok(()));
    expect_eq!(partner.map(drop), Ok(()));
    Ok(())
}

/// A waiting opener is let in by one that opens for both.
#[rstest]
#[conformance::test(man = "fifo(7)")]
fn is_let_in_by_one_that_opens_for_both(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let opener = fifo.waiting(side, "opener")?;
    let both = open(fifo.path(), OFlag::O_RDWR)?;
    expect_eq!(opener.join()?, Ok(()));
    drop(both);
    expect_eq!(fifo.nobody_at(Side::Reader), Ok(true));
    Ok(())
}

/// A waiting opener is let in even if the one that it waited for has closed its side again before the waiting one runs.
#[rstest]
#[conformance::test(posix = "open")]
fn is_let_in_by_one_that_leaves_at_once(
    #[values(Side::Reader, Side::Writer)] side: Side,
    #[values(Visitor::Partner, Visitor::ForBoth)] visitor: Visitor,
) -> Outcome {
    let fifo = Named::new()?;
    let opener = fifo.waiting(side, "opener")?;
    let flags = match visitor {
        Visitor::Partner => side.other().flag(),
        Visitor::ForBoth => OFlag::O_RDWR,
    };
    expect_eq!(fifo.visit(flags), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// A reader that was let in by a writer which left at once finds end-of-file and a hang-up.
#[conformance::test(posix = "read", posix = "poll")]
fn finds_end_of_file_if_the_writer_left_at_once() -> Outcome {
    let fifo = Named::new()?;
    let reader = Participant::spawn("reader", (), |(), _| {
        let end = open(fifo.path(), OFlag::O_RDONLY)?;
        Ok::<_, Errno>((read(&end, &mut [0; 1])?, ready(&end, PollFlags::POLLOUT)?.bits()))
    })?;
    reader.until_blocked()?;
    expect_eq!(fifo.visit(OFlag::O_WRONLY), Ok(()));
    expect_eq!(reader.join()?, Ok((0, PollFlags::POLLHUP.bits())));
    Ok(())
}

/// A writer that was let in by a reader which left at once has a broken pipe: an error, and one signal.
#[conformance::test(posix = "write")]
fn finds_a_broken_pipe_if_the_reader_left_at_once() -> Outcome {
    let fifo = Named::new()?;
    let writer = Participant::spawn("writer", (), |(), link| {
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        let end = open(fifo.path(), OFlag::O_WRONLY)?;
        link.wait("reader left");
        Ok::<_, Errno>((write(&end, b"x"), signal::caught(Signal::SIGPIPE)))
    })?;
    writer.until_blocked()?;
    expect_eq!(fifo.visit(OFlag::O_RDONLY), Ok(()));
    writer.open("reader left")?;
    expect_eq!(writer.join()?, Ok((Err(EPIPE), 1)));
    Ok(())
}

/// Those who wait on one side do not let each other in; one on the other side lets in all of them.
#[rstest]
#[conformance::test(posix = "open", man = "fifo(7)")]
fn are_all_let_in_by_one(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let openers = ["first", "second", "third", "fourth"].map(|name| fifo.waiting(side, name));
    let openers = openers.into_iter().collect::<Result<Vec<Opener>, _>>()?;
    for opener in &openers {
        opener.expect_still_blocked()?;
    }
    expect_eq!(fifo.visit(side.other().flag()), Ok(()));
    for opener in openers {
        expect_eq!(opener.join()?, Ok(()));
    }
    expect_eq!(fifo.nobody_at(side), Ok(true));
    Ok(())
}

/// All waiting writers that one reader lets in can write, and the reader gets what each of them wrote.
#[conformance::test(posix = "open", posix = "write")]
fn can_all_write_once_let_in() -> Outcome {
    let fifo = Named::new()?;
    let mut writers = Vec::new();
    for (name, bytes) in [("a", b"aa"), ("b", b"bb"), ("c", b"cc")] {
        let writer = Participant::spawn(name, (), |(), _| write(open(fifo.path(), OFlag::O_WRONLY)?, bytes))?;
        writer.until_blocked()?;
        writers.push(writer);
    }
    let reader = open(fifo.path(), OFlag::O_RDONLY)?;
    for writer in writers {
        expect_eq!(writer.join()?, Ok(2));
    }
    let mut all = read_to_end(&reader)?;
    all.sort_unstable();
    expect_eq!(all, b"aabbcc".to_vec());
    Ok(())
}

/// One that waits on its side is nobody on the other: it does not let in, or satisfy, another of its own side.
#[conformance::test(posix = "open")]
fn is_no_reader_while_it_waits_to_write() -> Outcome {
    let fifo = Named::new()?;
    let writer = fifo.waiting(Side::Writer, "writer")?;
    expect_eq!(fifo.writer().map(drop), Err(ENXIO));
    writer.expect_still_blocked()?;
    expect_eq!(fifo.visit(OFlag::O_RDONLY), Ok(()));
    expect_eq!(writer.join()?, Ok(()));
    Ok(())
}

/// A reader that waits gives no writer to one that opens for reading without waiting, which finds end-of-file.
#[conformance::test(posix = "open")]
fn is_no_writer_while_it_waits_to_read() -> Outcome {
    let fifo = Named::new()?;
    let waiting = fifo.waiting(Side::Reader, "reader")?;
    let other = fifo.reader()?;
    expect_eq!(read(&other, &mut [0; 1]), Ok(0));
    waiting.expect_still_blocked()?;
    drop(other);
    waiting.expect_still_blocked()?;
    expect_eq!(fifo.visit(OFlag::O_WRONLY), Ok(()));
    expect_eq!(waiting.join()?, Ok(()));
    Ok(())
}

/// A waiting opener that is killed was never there: the other side finds nobody.
#[rstest]
#[conformance::test(posix = "open")]
fn leaves_nothing_behind_when_killed(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    fifo.waiting(side, "victim")?.kill()?;
    expect_eq!(fifo.nobody_at(side), Ok(true));
    Ok(())
}

/// After a waiting opener was killed, one that opens the other side waits for somebody who is alive.
#[rstest]
#[conformance::test(posix = "open")]
fn lets_nobody_in_once_killed(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    fifo.waiting(side, "victim")?.kill()?;
    let survivor = fifo.waiting(side.other(), "survivor")?;
    expect_eq!(fifo.visit(side.flag()), Ok(()));
    expect_eq!(survivor.join()?, Ok(()));
    Ok(())
}

/// Of two that wait on one side, the death of one changes nothing for the other: it waits on, and is let in.
#[rstest]
#[conformance::test(posix = "open")]
fn outlives_a_companion(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let (victim, survivor) = (fifo.waiting(side, "victim")?, fifo.waiting(side, "survivor")?);
    victim.kill()?;
    survivor.expect_still_blocked()?;
    expect_eq!(fifo.visit(side.other().flag()), Ok(()));
    expect_eq!(survivor.join()?, Ok(()));
    expect_eq!(fifo.nobody_at(side), Ok(true));
    Ok(())
}

/// While somebody waits, the name can be looked up, changed and linked, and other FIFOs made beside it.
#[rstest]
#[conformance::test(posix = "open", posix = "chmod", posix = "link")]
fn keeps_nobody_from_the_name(#[values(Side::Reader, Side::Writer)] side: Side) -> Outcome {
    let fifo = Named::new()?;
    let opener = fifo.waiting(side, "opener")?;
    expect_eq!([chmod(fifo.path(), 0o640), set_times(fifo.path(), 1000, 2000)], [Ok(()); 2]);
    expect_eq!(std::fs::hard_link(fifo.path(), fifo.beside("second")).map_err(Errno::from), Ok(()));
    expect_eq!(mkfifo(&fifo.beside("other"), 0o600), Ok(()));
    let status = stat(fifo.path())?;
    expect_eq!((permissions(&status), data_times(&status), status.st_nlink), (0o640, [(1000, 0), (2000, 0)], 2));
    opener.expect_still_blocked()?;
    expect_eq!(fifo.visit(side.other().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}
