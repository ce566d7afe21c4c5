//! A blocked `open` of one end of a FIFO: what makes it return, what leaves it blocked, and what a killed process leaves behind.
//! Most cases run for both ends.

use conformance::prelude::*;
use conformance::sys::path::attributes::{chmod, set_times};
use conformance::sys::path::status::{data_times, permissions};
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{AccessMode, Fifo, Opener, every_access_mode};

/// How the peer opens the FIFO before it closes it at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    /// The opposite end only.
    OppositeEnd,
    /// `O_RDWR`.
    ReadWrite,
}

/// A blocked `open` of one end of a FIFO returns a descriptor when a process opens the opposite end with `O_NONBLOCK`, and the
/// second `open` returns a descriptor too.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn is_woken_by_a_nonblocking_open(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = fifo.blocked_open(access, "opener")?;
    let peer = open(fifo.path(), access.opposite().flag() | OFlag::O_NONBLOCK);
    expect_eq!(opener.join()?, Ok(()));
    expect_eq!(peer.map(drop), Ok(()));
    Ok(())
}

/// A blocked `open` of a FIFO for reading or writing returns a descriptor when a process opens the FIFO with `O_RDWR`.
#[apply(every_access_mode)]
#[conformance::test(man = "fifo(7)")]
fn is_woken_by_an_open_read_write(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = fifo.blocked_open(access, "opener")?;
    let both = open(fifo.path(), OFlag::O_RDWR)?;
    expect_eq!(opener.join()?, Ok(()));
    drop(both);
    expect_eq!(fifo.is_closed(AccessMode::ReadOnly), Ok(true));
    Ok(())
}

/// A blocked `open` of a FIFO with `O_RDONLY` or `O_WRONLY` returns a descriptor, even if the process that opened the opposite
/// end, or the FIFO with `O_RDWR`, each with `O_NONBLOCK`, calls `close` immediately after its `open`.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn is_woken_by_a_peer_that_closes_at_once(access: AccessMode, #[values(Peer::OppositeEnd, Peer::ReadWrite)] peer: Peer) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = fifo.blocked_open(access, "opener")?;
    let flags = match peer {
        Peer::OppositeEnd => access.opposite().flag(),
        Peer::ReadWrite => OFlag::O_RDWR,
    };
    expect_eq!(fifo.open_and_close(flags), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}

/// If a process opens a FIFO with `O_WRONLY | O_NONBLOCK` and closes the descriptor immediately, an `open` with `O_RDONLY` that
/// was blocked before returns a descriptor. From that descriptor `read` returns 0, and `poll` reports `POLLHUP`, and not
/// `POLLOUT`, if `POLLOUT` is requested.
#[conformance::test(posix = "read", posix = "poll")]
fn reader_finds_end_of_file_after_a_brief_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = Participant::spawn("reader", (), |(), _| {
        let end = open(fifo.path(), OFlag::O_RDONLY)?;
        Ok::<_, Errno>((read(&end, &mut [0; 1])?, ready(&end, PollFlags::POLLOUT)?.bits()))
    })?;
    reader.until_blocked()?;
    expect_eq!(fifo.open_and_close(OFlag::O_WRONLY), Ok(()));
    expect_eq!(reader.join()?, Ok((0, PollFlags::POLLHUP.bits())));
    Ok(())
}

/// If a process opens a FIFO with `O_RDONLY | O_NONBLOCK` and closes the descriptor immediately, an `open` with `O_WRONLY` that
/// was blocked before returns a descriptor. `write` of 1 byte to that descriptor fails with `EPIPE` and raises one `SIGPIPE`.
#[conformance::test(posix = "write")]
fn writer_finds_epipe_after_a_brief_reader() -> Outcome {
    let fifo = Fifo::new()?;
    let writer = Participant::spawn("writer", (), |(), link| {
        signal::catch(Signal::SIGPIPE, Restart::No)?;
        let end = open(fifo.path(), OFlag::O_WRONLY)?;
        link.wait("reader left");
        Ok::<_, Errno>((write(&end, b"x"), signal::caught(Signal::SIGPIPE)))
    })?;
    writer.until_blocked()?;
    expect_eq!(fifo.open_and_close(OFlag::O_RDONLY), Ok(()));
    writer.open("reader left")?;
    expect_eq!(writer.join()?, Ok((Err(EPIPE), 1)));
    Ok(())
}

/// Four processes that call `open` without `O_NONBLOCK` for the same end of a FIFO stay blocked. All four calls return a
/// descriptor when one process opens the opposite end with `O_NONBLOCK`, also if that process closes its descriptor immediately.
#[apply(every_access_mode)]
#[conformance::test(posix = "open", man = "fifo(7)")]
fn all_are_woken_by_one_open(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let openers = ["first", "second", "third", "fourth"].map(|name| fifo.blocked_open(access, name));
    let openers = openers.into_iter().collect::<Result<Vec<Opener>, _>>()?;
    for opener in &openers {
        opener.expect_still_blocked()?;
    }
    expect_eq!(fifo.open_and_close(access.opposite().flag()), Ok(()));
    for opener in openers {
        expect_eq!(opener.join()?, Ok(()));
    }
    expect_eq!(fifo.is_closed(access), Ok(true));
    Ok(())
}

/// When a process opens a FIFO with `O_RDONLY`, `open` with `O_WRONLY`, blocked in each of three other processes, returns a
/// descriptor, and `write` of 2 bytes by each of the three returns 2. The reader reads exactly these 6 bytes, in any order of the
/// processes, until end-of-file.
#[conformance::test(posix = "open", posix = "write")]
fn all_woken_writers_can_write() -> Outcome {
    let fifo = Fifo::new()?;
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

/// While `open` of a FIFO with `O_WRONLY` is blocked, `open` with `O_WRONLY | O_NONBLOCK` by another process fails with `ENXIO`.
/// The first call stays blocked, and returns a descriptor when a reader opens the FIFO.
#[conformance::test(posix = "open")]
fn blocked_writer_is_no_reader() -> Outcome {
    let fifo = Fifo::new()?;
    let writer = fifo.blocked_open(AccessMode::WriteOnly, "writer")?;
    expect_eq!(fifo.writer().map(drop), Err(ENXIO));
    writer.expect_still_blocked()?;
    expect_eq!(fifo.open_and_close(OFlag::O_RDONLY), Ok(()));
    expect_eq!(writer.join()?, Ok(()));
    Ok(())
}

/// While `open` of a FIFO with `O_RDONLY` is blocked, `open` with `O_RDONLY | O_NONBLOCK` by another process returns a descriptor
/// from which `read` returns 0. The first call stays blocked, and returns a descriptor when a writer opens the FIFO.
#[conformance::test(posix = "open")]
fn blocked_reader_is_no_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let waiting = fifo.blocked_open(AccessMode::ReadOnly, "reader")?;
    let other = fifo.reader()?;
    expect_eq!(read(&other, &mut [0; 1]), Ok(0));
    waiting.expect_still_blocked()?;
    drop(other);
    waiting.expect_still_blocked()?;
    expect_eq!(fifo.open_and_close(OFlag::O_WRONLY), Ok(()));
    expect_eq!(waiting.join()?, Ok(()));
    Ok(())
}

/// After a process blocked in `open` for reading is killed, `open` with `O_WRONLY | O_NONBLOCK` fails with `ENXIO`. After a
/// process blocked in `open` for writing is killed, `read` by a new reader returns 0.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn killed_while_blocked_leaves_no_end(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    fifo.blocked_open(access, "victim")?.kill()?;
    expect_eq!(fifo.is_closed(access), Ok(true));
    Ok(())
}

/// After a process blocked in `open` of one end of a FIFO is killed, `open` of the opposite end blocks until another process
/// opens the first end.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn killed_while_blocked_wakes_no_later_open(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    fifo.blocked_open(access, "victim")?.kill()?;
    let survivor = fifo.blocked_open(access.opposite(), "survivor")?;
    expect_eq!(fifo.open_and_close(access.flag()), Ok(()));
    expect_eq!(survivor.join()?, Ok(()));
    Ok(())
}

/// If one of two processes blocked in `open` of the same end of a FIFO is killed, the other stays blocked until the opposite end
/// is opened.
#[apply(every_access_mode)]
#[conformance::test(posix = "open")]
fn stays_blocked_when_another_is_killed(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let (victim, survivor) = (fifo.blocked_open(access, "victim")?, fifo.blocked_open(access, "survivor")?);
    victim.kill()?;
    survivor.expect_still_blocked()?;
    expect_eq!(fifo.open_and_close(access.opposite().flag()), Ok(()));
    expect_eq!(survivor.join()?, Ok(()));
    expect_eq!(fifo.is_closed(access), Ok(true));
    Ok(())
}

/// While an `open` of a FIFO is blocked, `chmod`, `utimensat` and `link` of its name and `mkfifo` of another name in its
/// directory return 0. `stat` then reports the new permissions and timestamps and `st_nlink` 2, and the `open` stays blocked.
#[apply(every_access_mode)]
#[conformance::test(posix = "open", posix = "chmod", posix = "link")]
fn does_not_lock_the_name(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let opener = fifo.blocked_open(access, "opener")?;
    expect_eq!([chmod(fifo.path(), 0o640), set_times(fifo.path(), 1000, 2000)], [Ok(()); 2]);
    expect_eq!(std::fs::hard_link(fifo.path(), fifo.sibling("second")).map_err(Errno::from), Ok(()));
    expect_eq!(mkfifo(&fifo.sibling("other"), 0o600), Ok(()));
    let status = stat(fifo.path())?;
    expect_eq!((permissions(&status), data_times(&status), status.st_nlink), (0o640, [(1000, 0), (2000, 0)], 2));
    opener.expect_still_blocked()?;
    expect_eq!(fifo.open_and_close(access.opposite().flag()), Ok(()));
    expect_eq!(opener.join()?, Ok(()));
    Ok(())
}
