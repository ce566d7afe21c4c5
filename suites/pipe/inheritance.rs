//! Inheritance: `fork` copies descriptors and not what they refer to, `exec` keeps those without close-on-exec. Both ends live
//! on in whoever holds a copy.

use std::os::fd::AsRawFd;

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{flags, next, not_waiting};
use common::pipe::Kind;

/// A forked child shares the open description: the status flags that either sets are the other's too, and outlive the child.
#[rstest]
#[conformance::test(posix = "fork", posix = "fcntl")]
fn shares_status_flags_over_fork(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, _writer) = kind.open()?;
    let child = Participant::spawn_inheriting("child", |link| {
        let set = set_nonblocking(&reader, true);
        link.meet("set");
        (set, flags(&reader).map(|flags| flags.bits()))
    })?;
    child.until_reached("set")?;
    expect_eq!((flags(&reader), next(&reader)), (Ok(OFlag::O_RDONLY | OFlag::O_NONBLOCK), Err(EAGAIN)));
    set_status_flags(&reader, OFlag::O_APPEND | OFlag::O_NONBLOCK)?;
    child.open("set")?;
    expect_eq!(child.join()?, (Ok(()), Ok((OFlag::O_RDONLY | OFlag::O_APPEND | OFlag::O_NONBLOCK).bits())));
    expect_eq!(next(&reader), Err(EAGAIN));
    Ok(())
}

/// Close-on-exec belongs to the child's own descriptor: what the child sets is not set in its parent.
#[conformance::test(posix = "fork", posix = "fcntl")]
fn leaves_close_on_exec_to_each_process() -> Outcome {
    let (reader, _writer) = pipe()?;
    let child = Participant::spawn_inheriting("child", |_| (set_close_on_exec(&reader, true), close_on_exec(&reader)))?;
    expect_eq!((child.join()?, close_on_exec(&reader)), ((Ok(()), Ok(true)), Ok(false)));
    Ok(())
}

/// Bytes written before a fork are in the pipe once, whoever reads them.
#[rstest]
#[conformance::test(posix = "fork", posix = "read")]
fn has_earlier_bytes_read_once(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    write_all(&writer, b"abcdef")?;
    let child = Participant::spawn_inheriting("child", |_| (read_some(&reader, 2), unread(&reader)))?;
    expect_eq!(child.join()?, (Ok(b"ab".to_vec()), Ok(4)));
    let other = Participant::spawn_inheriting("other child", |_| read_some(&reader, 3))?;
    expect_eq!((other.join()?, next(&reader), next(&reader)), (Ok(b"cde".to_vec()), Ok(b"f".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// What parent and child write through copies of one descriptor comes in the order of the calls.
#[rstest]
#[conformance::test(posix = "fork", posix = "write")]
fn queues_the_bytes_of_parent_and_child(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    expect_eq!(write(&writer, b"parent "), Ok(7));
    let child = Participant::spawn_inheriting("child", |_| write(&writer, b"child "))?;
    expect_eq!((child.join()?, write(&writer, b"parent")), (Ok(6), Ok(6)));
    expect_eq!((read_some(&reader, 64), next(&reader)), (Ok(b"parent child parent".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// End-of-file has to wait for the copies of all children, however they give them up.
#[rstest]
#[conformance::test(posix = "fork", posix = "read")]
fn keeps_end_of_file_away_in_every_child(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    let exits = Participant::spawn_inheriting("exits", |link| link.wait("exit"))?;
    let killed = Participant::spawn_inheriting("is killed", |link| -> () { link.park() })?;
    drop(writer);
    expect_eq!(next(&reader), Err(EAGAIN));
    exits.open("exit")?;
    exits.join()?;
    expect_eq!(next(&reader), Err(EAGAIN));
    killed.kill()?;
    expect_eq!((next(&reader), next(&reader)), (Ok(vec![]), Ok(vec![])));
    Ok(())
}

/// A broken pipe has to wait for the copies of all children too.
#[rstest]
#[conformance::test(posix = "fork", posix = "write")]
fn keeps_the_pipe_whole_in_every_child(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    signal::block(Signal::SIGPIPE)?;
    let (reader, writer) = not_waiting(kind)?;
    let exits = Participant::spawn_inheriting("exits", |link| link.wait("exit"))?;
    let killed = Participant::spawn_inheriting("is killed", |link| -> () { link.park() })?;
    drop(reader);
    expect_eq!(write(&writer, b"x"), Ok(1));
    killed.kill()?;
    expect_eq!((write(&writer, b"x"), signal::pending(Signal::SIGPIPE)), (Ok(1), Ok(false)));
    exits.open("exit")?;
    exits.join()?;
    expect_eq!((write(&writer, b"x"), signal::pending(Signal::SIGPIPE)), (Err(EPIPE), Ok(true)));
    Ok(())
}

/// A child that closes its copies leaves its parent's alone.
#[conformance::test(posix = "fork", posix = "close")]
fn gives_a_child_copies_to_close() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    let (child_reader, child_writer) = (dup(&reader)?, dup(&writer)?);
    let child = Participant::spawn("child", (child_reader, child_writer), |(reader, writer), link| {
        let closed = (close(reader), close(writer));
        link.meet("closed");
        closed
    })?;
    child.until_reached("closed")?;
    expect_eq!((next(&reader), write(&writer, b"x"), next(&reader)), (Err(EAGAIN), Ok(1), Ok(b"x".to_vec())));
    child.open("closed")?;
    expect_eq!(child.join()?, (Ok(()), Ok(())));
    expect_eq!(next(&reader), Err(EAGAIN));
    Ok(())
}

/// A descriptor without close-on-exec is open under its number after `exec`, and the pipe behind it is the same.
#[conformance::test(posix = "exec", posix = "write")]
fn passes_descriptors_over_exec() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    write_all(&writer, b"before ")?;
    let heir = Participant::exec_inheriting("heir", &writer.as_raw_fd(), |(), number, link| {
        let written = dup_number(number).and_then(|end| write(&end, b"after"));
        link.meet("written");
        written
    })?;
    drop(writer);
    heir.until_reached("written")?;
    expect_eq!((read_some(&reader, 64), next(&reader)), (Ok(b"before after".to_vec()), Err(EAGAIN)));
    heir.open("written")?;
    expect_eq!((heir.join()?, next(&reader)), (Ok(5), Ok(vec![])));
    Ok(())
}

/// Status flags belong to the open description and so pass over `exec`, in both directions.
#[conformance::test(posix = "exec", posix = "fcntl")]
fn passes_status_flags_over_exec() -> Outcome {
    let (reader, _writer) = not_waiting(Kind::Pipe)?;
    let heir = Participant::exec_inheriting("heir", &reader.as_raw_fd(), |(), number, _| {
        let end = dup_number(number)?;
        let found = (flags(&end)?.bits(), next(&end));
        set_nonblocking(&end, false)?;
        Ok::<_, Errno>(found)
    })?;
    expect_eq!(heir.join()?, Ok(((OFlag::O_RDONLY | OFlag::O_NONBLOCK).bits(), Err(EAGAIN))));
    expect_eq!(flags(&reader), Ok(OFlag::O_RDONLY));
    Ok(())
}

/// The ways to set close-on-exec.
#[derive(Clone, Copy, Debug)]
enum Closing {
    /// `fcntl(F_SETFD)`.
    Set,
    /// A duplicate made by `fcntl(F_DUPFD_CLOEXEC)`, in place of the original.
    Duplicated,
}

impl Closing {
    fn pipe(self) -> Result<(OwnedFd, OwnedFd), Errno> {
        let (reader, writer) = not_waiting(Kind::Pipe)?;
        match self {
            Closing::Set => set_close_on_exec(&writer, true)?,
            Closing::Duplicated => return Ok((reader, dup_close_on_exec(&writer)?)),
        }
        Ok((reader, writer))
    }
}

/// With close-on-exec `exec` closes the descriptor: nothing is open under its number, and the pipe counts one writer less while
/// the process lives on.
#[rstest]
#[conformance::test(posix = "exec", posix = "fcntl")]
fn ends_with_exec_where_asked(#[values(Closing::Set, Closing::Duplicated)] closing: Closing) -> Outcome {
    closes_on_exec(closing.pipe()?)
}

/// `pipe2` with `O_CLOEXEC` makes descriptors that `exec` closes.
#[cfg(has_pipe2)]
#[conformance::test(man = "pipe(2)", posix = "exec")]
fn ends_with_exec_where_pipe2_said_so() -> Outcome {
    closes_on_exec(pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?)
}

fn closes_on_exec(ends: (OwnedFd, OwnedFd)) -> Outcome {
    let (reader, writer) = ends;
    let heir = Participant::exec_inheriting("heir", &writer.as_raw_fd(), |(), number, link| {
        link.meet("running");
        dup_number(number).map(drop)
    })?;
    heir.until_reached("running")?;
    expect_eq!(next(&reader), Err(EAGAIN));
    drop(writer);
    expect_eq!(next(&reader), Ok(vec![]));
    heir.open("running")?;
    expect_eq!(heir.join()?, Err(EBADF));
    Ok(())
}

/// `exec` closes a descriptor and not its duplicates: one without close-on-exec keeps the pipe open.
#[conformance::test(posix = "exec", posix = "fcntl")]
fn goes_on_after_exec_in_a_duplicate() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    let copy = dup(&writer)?;
    set_close_on_exec(&writer, true)?;
    let heir = Participant::exec_inheriting("heir", &(writer.as_raw_fd(), copy.as_raw_fd()), |(), (closed, kept), link| {
        link.meet("running");
        (dup_number(closed).map(drop), dup_number(kept).and_then(|end| write(&end, b"kept")))
    })?;
    heir.until_reached("running")?;
    drop((writer, copy));
    expect_eq!(next(&reader), Err(EAGAIN));
    heir.open("running")?;
    expect_eq!(heir.join()?, (Err(EBADF), Ok(4)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"kept".to_vec()), Ok(vec![])));
    Ok(())
}

/// A pipe connects two processes that know of each other only by it, across `exec` on both sides.
#[conformance::test(posix = "exec", posix = "pipe")]
fn connects_unrelated_processes() -> Outcome {
    let (reader_end, writer_end) = pipe()?;
    let size = 3 * page_size() + 1;
    let writer = Participant::exec("writer", writer_end, &size, |end, size, _| write_all(&end, &pattern(size)))?;
    let reader = Participant::exec("reader", reader_end, &(), |end, (), _| read_to_end(&end))?;
    expect_eq!((writer.join()?, reader.join()?), (Ok(()), Ok(pattern(size))));
    Ok(())
}
