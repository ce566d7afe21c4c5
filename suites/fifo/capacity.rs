//! Capacity of a FIFO (`F_GETPIPE_SZ`, `F_SETPIPE_SZ`): one value for all descriptors, kept until the last of them is closed.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::fixture::{AccessMode, Fifo, every_access_mode};

/// `fcntl(F_GETPIPE_SZ)` of both ends of a new FIFO returns the same capacity as for a new pipe. Non-blocking `write` calls put
/// exactly that many bytes into the empty FIFO before `write` fails with `EAGAIN`.
#[conformance::test(man = "pipe(7)", man = "F_GETPIPE_SZ(2const)")]
fn equals_that_of_a_pipe() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let (pipe_reader, _pipe_writer) = pipe()?;
    let size = pipe_size(&pipe_reader)?;
    expect_eq!((pipe_size(&reader), pipe_size(&writer), fill(&writer)), (Ok(size), Ok(size), Ok(size)));
    expect_eq!(unread(&reader), Ok(size));
    Ok(())
}

/// The capacity set by `fcntl(F_SETPIPE_SZ)` through one end of a FIFO is returned by `F_GETPIPE_SZ` for both ends, and for a
/// descriptor opened later by another hard link.
#[apply(every_access_mode)]
#[conformance::test(man = "F_GETPIPE_SZ(2const)")]
fn is_shared_by_all_descriptors(access: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    std::fs::hard_link(fifo.path(), fifo.sibling("second"))?;
    let (reader, writer) = fifo.ends()?;
    let wanted = 4 * page_size();
    let setter = if access == AccessMode::ReadOnly { &reader } else { &writer };
    expect_eq!(set_pipe_size(setter, i32::try_from(wanted).unwrap_or(i32::MAX)), Ok(wanted));
    let late = open(&fifo.sibling("second"), OFlag::O_WRONLY)?;
    expect_eq!([pipe_size(&reader), pipe_size(&writer), pipe_size(&late)], [Ok(wanted); 3]);
    expect_eq!(fill(&late), Ok(wanted));
    Ok(())
}

/// The capacity set by `fcntl(F_SETPIPE_SZ)` is still returned by `F_GETPIPE_SZ` after the descriptor that set it is closed,
/// while one end of the FIFO stays open.
#[rstest]
#[conformance::test(man = "fifo(7)", man = "fcntl(2)")]
fn outlives_the_descriptor_that_set_it(#[values(AccessMode::ReadOnly, AccessMode::WriteOnly)] remaining: AccessMode) -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let wanted = 2 * page_size();
    set_pipe_size(fifo.read_write()?, i32::try_from(wanted).unwrap_or(i32::MAX))?;
    let (remaining, closed) = if remaining == AccessMode::ReadOnly { (reader, writer) } else { (writer, reader) };
    drop(closed);
    expect_eq!((pipe_size(&remaining), fifo.read_write().and_then(pipe_size)), (Ok(wanted), Ok(wanted)));
    Ok(())
}

/// After a descriptor with which `fcntl(F_SETPIPE_SZ)` changed the capacity of a FIFO is closed as the last one, and the FIFO is
/// opened again, `fcntl(F_GETPIPE_SZ)` returns the same capacity as before `F_SETPIPE_SZ`.
#[conformance::test(man = "fifo(7)", level = customary)]
fn is_reset_by_the_last_close() -> Outcome {
    let fifo = Fifo::new()?;
    let usual = fifo.read_write().and_then(pipe_size)?;
    let both = fifo.read_write()?;
    set_pipe_size(&both, i32::try_from(page_size()).unwrap_or(i32::MAX))?;
    drop(both);
    let both = fifo.read_write()?;
    expect_eq!((pipe_size(&both), fill(&both)), (Ok(usual), Ok(usual)));
    Ok(())
}

/// After all descriptors of a full FIFO are closed and both ends are opened again, `ioctl(FIONREAD)` returns 0. Non-blocking
/// `write` calls then put as many bytes into the FIFO as `fcntl(F_GETPIPE_SZ)` returns before `write` fails with `EAGAIN`.
#[conformance::test(man = "fifo(7)", posix = "close")]
fn full_fifo_is_empty_after_the_last_close() -> Outcome {
    let fifo = Fifo::new()?;
    for _ in 0..3 {
        let (reader, writer) = fifo.ends()?;
        let size = pipe_size(&writer)?;
        expect_eq!((unread(&reader), fill(&writer)), (Ok(0), Ok(size)));
    }
    Ok(())
}
