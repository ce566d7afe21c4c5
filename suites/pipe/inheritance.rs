//! Inheritance: `fork` copies file descriptors but not open file descriptions, and `exec` keeps descriptors without
//! close-on-exec.

use std::os::fd::AsRawFd;

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{flags, next, open_nonblocking};
use common::pipe::{Kind, every_pipe, pipe_and_fifo};

/// If a child sets `O_NONBLOCK` with `fcntl(F_SETFL)` on a read end inherited over `fork`, `F_GETFL` in the parent shows
/// `O_NONBLOCK` set, and `read` of the empty pipe in the parent fails with `EAGAIN`, also after the child has exited. If the
/// parent then sets `O_APPEND` and `O_NONBLOCK`, `F_GETFL` in the child shows both set.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "fork", posix = "fcntl")]
fn fork_shares_status_flags(kind: Kind) -> Outcome {
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

/// If a child sets close-on-exec on an inherited descriptor after `fork`, `fcntl(F_GETFD)` in the parent shows the flag clear.
#[conformance::test(posix = "fork", posix = "fcntl")]
fn fork_copies_close_on_exec() -> Outcome {
    let (reader, _writer) = pipe()?;
    let child = Participant::spawn_inheriting("child", |_| (set_close_on_exec(&reader, true), close_on_exec(&reader)))?;
    expect_eq!((child.join()?, close_on_exec(&reader)), ((Ok(()), Ok(true)), Ok(false)));
    Ok(())
}

/// Bytes written to a pipe before `fork` are returned exactly once, by the `read` calls of the parent and its children together.
#[apply(every_pipe)]
#[conformance::test(posix = "fork", posix = "read")]
fn bytes_written_before_fork_are_read_once(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    write_all(&writer, b"abcdef")?;
    let child = Participant::spawn_inheriting("child", |_| (read_some(&reader, 2), unread(&reader)))?;
    expect_eq!(child.join()?, (Ok(b"ab".to_vec()), Ok(4)));
    let other = Participant::spawn_inheriting("other child", |_| read_some(&reader, 3))?;
    expect_eq!((other.join()?, next(&reader), next(&reader)), (Ok(b"cde".to_vec()), Ok(b"f".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// If parent and child call `write` in turn through copies of one descriptor, `read` returns the bytes in the order of the calls.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "fork", posix = "write")]
fn parent_and_child_write_in_order_of_calls(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    expect_eq!(write(&writer, b"parent "), Ok(7));
    let child = Participant::spawn_inheriting("child", |_| write(&writer, b"child "))?;
    expect_eq!((child.join()?, write(&writer, b"parent")), (Ok(6), Ok(6)));
    expect_eq!((read_some(&reader, 64), next(&reader)), (Ok(b"parent child parent".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// After the parent closes the write end, a non-blocking `read` fails with `EAGAIN` while a child that inherited the write end is
/// alive. After one child has exited and the other was killed, `read` returns 0.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "fork", posix = "read")]
fn end_of_file_waits_for_every_child(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    let exits = Participant::spawn_inheriting("exiting child", |link| link.wait("exit"))?;
    let killed = Participant::spawn_inheriting("killed child", |link| -> () { link.park() })?;
    drop(writer);
    expect_eq!(next(&reader), Err(EAGAIN));
    exits.open("exit")?;
    exits.join()?;
    expect_eq!(next(&reader), Err(EAGAIN));
    killed.kill()?;
    expect_eq!((next(&reader), next(&reader)), (Ok(vec![]), Ok(vec![])));
    Ok(())
}

/// After the parent closes the read end, its `write` of 1 byte returns 1 while one of two children that inherited the read end is
/// alive. After one was killed and the other has exited, `write` fails with `EPIPE` and raises `SIGPIPE`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "fork", posix = "write")]
fn epipe_waits_for_every_child(kind: Kind) -> Outcome {
    signal::block(Signal::SIGPIPE)?;
    let (reader, writer) = open_nonblocking(kind)?;
    let exits = Participant::spawn_inheriting("exiting child", |link| link.wait("exit"))?;
    let killed = Participant::spawn_inheriting("killed child", |link| -> () { link.park() })?;
    drop(reader);
    expect_eq!(write(&writer, b"x"), Ok(1));
    killed.kill()?;
    expect_eq!((write(&writer, b"x"), signal::pending(Signal::SIGPIPE)), (Ok(1), Ok(false)));
    exits.open("exit")?;
    exits.join()?;
    expect_eq!((write(&writer, b"x"), signal::pending(Signal::SIGPIPE)), (Err(EPIPE), Ok(true)));
    Ok(())
}

/// After a child has closed its copies of both ends, a non-blocking `read` of the empty pipe in the parent fails with `EAGAIN`.
/// `write` of 1 byte in the parent then returns 1, and `read` returns that byte.
#[conformance::test(posix = "fork", posix = "close")]
fn child_close_keeps_parent_ends_open() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
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

/// A write end without close-on-exec is open under the same number after `exec`, and `write` through that number adds bytes to
/// the same pipe. After the parent has closed its copy and the new program has exited, `read` returns 0.
#[conformance::test(posix = "exec", posix = "write")]
fn exec_keeps_descriptors() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    write_all(&writer, b"before ")?;
    let program = Participant::exec_inheriting("program", &writer.as_raw_fd(), |(), number, link| {
        let written = dup_number(number).and_then(|end| write(&end, b"after"));
        link.meet("written");
        written
    })?;
    drop(writer);
    program.until_reached("written")?;
    expect_eq!((read_some(&reader, 64), next(&reader)), (Ok(b"before after".to_vec()), Err(EAGAIN)));
    program.open("written")?;
    expect_eq!((program.join()?, next(&reader)), (Ok(5), Ok(vec![])));
    Ok(())
}

/// `O_NONBLOCK` on an open file description stays set over `exec`: `read` of the empty pipe fails with `EAGAIN` in the new
/// program. If the new program clears the flag, `fcntl(F_GETFL)` in the parent shows it clear.
#[conformance::test(posix = "exec", posix = "fcntl")]
fn exec_keeps_status_flags() -> Outcome {
    let (reader, _writer) = open_nonblocking(Kind::Pipe)?;
    let program = Participant::exec_inheriting("program", &reader.as_raw_fd(), |(), number, _| {
        let end = dup_number(number)?;
        let found = (flags(&end)?.bits(), next(&end));
        set_nonblocking(&end, false)?;
        Ok::<_, Errno>(found)
    })?;
    expect_eq!(program.join()?, Ok(((OFlag::O_RDONLY | OFlag::O_NONBLOCK).bits(), Err(EAGAIN))));
    expect_eq!(flags(&reader), Ok(OFlag::O_RDONLY));
    Ok(())
}

/// What sets close-on-exec.
#[derive(Clone, Copy, Debug)]
enum SetBy {
    /// `fcntl(F_SETFD)`.
    FSetfd,
    /// A duplicate made by `fcntl(F_DUPFD_CLOEXEC)`, in place of the original.
    FDupfdCloexec,
}

impl SetBy {
    fn pipe(self) -> Result<(OwnedFd, OwnedFd), Errno> {
        let (reader, writer) = open_nonblocking(Kind::Pipe)?;
        match self {
            SetBy::FSetfd => set_close_on_exec(&writer, true)?,
            SetBy::FDupfdCloexec => return Ok((reader, dup_close_on_exec(&writer)?)),
        }
        Ok((reader, writer))
    }
}

/// `exec` closes a write end with close-on-exec: `dup` of its number fails with `EBADF` in the new program. After the parent
/// closes its copy, `read` of the empty pipe returns 0 while the new program is alive.
#[rstest]
#[conformance::test(posix = "exec", posix = "fcntl")]
fn exec_closes_with_close_on_exec(#[values(SetBy::FSetfd, SetBy::FDupfdCloexec)] set_by: SetBy) -> Outcome {
    closes_on_exec(set_by.pipe()?)
}

/// `exec` closes the write end of a pipe created by `pipe2` with `O_CLOEXEC`: `dup` of its number fails with `EBADF` in the new
/// program. After the parent closes its copy, `read` of the empty pipe returns 0 while the new program is alive.
#[cfg(has_pipe2)]
#[conformance::test(posix = "pipe2", posix = "exec", man = "pipe(2)")]
fn exec_closes_with_pipe2_o_cloexec() -> Outcome {
    closes_on_exec(pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?)
}

fn closes_on_exec(ends: (OwnedFd, OwnedFd)) -> Outcome {
    let (reader, writer) = ends;
    let program = Participant::exec_inheriting("program", &writer.as_raw_fd(), |(), number, link| {
        link.meet("running");
        dup_number(number).map(drop)
    })?;
    program.until_reached("running")?;
    expect_eq!(next(&reader), Err(EAGAIN));
    drop(writer);
    expect_eq!(next(&reader), Ok(vec![]));
    program.open("running")?;
    expect_eq!(program.join()?, Err(EBADF));
    Ok(())
}

/// `exec` closes a write end with close-on-exec but not its duplicate without that flag. In the new program, `dup` of the number
/// of the first fails with `EBADF`, and `write` of 4 bytes through the duplicate returns 4.
#[conformance::test(posix = "exec", posix = "fcntl")]
fn exec_keeps_a_duplicate_without_close_on_exec() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    let copy = dup(&writer)?;
    set_close_on_exec(&writer, true)?;
    let program = Participant::exec_inheriting("program", &(writer.as_raw_fd(), copy.as_raw_fd()), |(), (closed, kept), link| {
        link.meet("running");
        (dup_number(closed).map(drop), dup_number(kept).and_then(|end| write(&end, b"kept")))
    })?;
    program.until_reached("running")?;
    drop((writer, copy));
    expect_eq!(next(&reader), Err(EAGAIN));
    program.open("running")?;
    expect_eq!(program.join()?, (Err(EBADF), Ok(4)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"kept".to_vec()), Ok(vec![])));
    Ok(())
}

/// If one program writes bytes after `exec` to an inherited write end and exits, `read` in another program after `exec` returns
/// all bytes in order and then 0.
#[conformance::test(posix = "exec", posix = "pipe")]
fn connects_two_executed_programs() -> Outcome {
    let (reader_end, writer_end) = pipe()?;
    let size = 3 * page_size() + 1;
    let writer = Participant::exec("writer", writer_end, &size, |end, size, _| write_all(&end, &pattern(size)))?;
    let reader = Participant::exec("reader", reader_end, &(), |end, (), _| read_to_end(&end))?;
    expect_eq!((writer.join()?, reader.join()?), (Ok(()), Ok(pattern(size))));
    Ok(())
}
