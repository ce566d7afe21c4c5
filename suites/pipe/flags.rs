//! Flags of an end: status flags belong to the open file description and so to all duplicates; close-on-exec belongs to each file
//! descriptor.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::ends::{flags, next, open_nonblocking};
use common::pipe::{Kind, pipe_and_fifo};

/// `O_NONBLOCK` that `fcntl(F_SETFL)` sets or clears on one of two duplicates is shown by `F_GETFL` as set or clear on the other.
/// While the flag is set, `read` of the empty pipe through the other fails with `EAGAIN`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "fcntl")]
fn status_flags_are_shared_by_duplicates(kind: Kind) -> Outcome {
    let (reader, _writer) = kind.open()?;
    let copy = dup(&reader)?;
    set_nonblocking(&copy, true)?;
    expect_eq!((flags(&reader)?, next(&reader)), (OFlag::O_RDONLY | OFlag::O_NONBLOCK, Err(EAGAIN)));
    set_nonblocking(&reader, false)?;
    expect_eq!(flags(&copy)?, OFlag::O_RDONLY);
    Ok(())
}

/// `fcntl(F_SETFL)` that sets or clears `O_NONBLOCK` on the read end leaves `O_NONBLOCK` on the write end as it was, as `F_GETFL`
/// shows.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "fcntl")]
fn status_flags_are_separate_for_each_end(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    expect_eq!(flags(&writer)? - OFlag::O_ACCMODE, OFlag::empty());
    set_nonblocking(&writer, true)?;
    set_nonblocking(&reader, false)?;
    expect_eq!(flags(&writer)? - OFlag::O_ACCMODE, OFlag::O_NONBLOCK);
    Ok(())
}

/// With `O_NONBLOCK` set on the read end and clear on the write end, `write` of 1 byte to the full pipe blocks until all bytes of
/// the pipe have been read and then returns 1.
#[conformance::test(posix = "read", posix = "write")]
fn o_nonblock_affects_only_its_own_end() -> Outcome {
    let (reader, writer_end) = pipe()?;
    set_nonblocking(&reader, true)?;
    let full = fill(&writer_end)?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, b"x"))?;
    writer.until_blocked()?;
    expect_eq!(read_exactly(&reader, full).map(|bytes| bytes.len()), Ok(full));
    expect_eq!((writer.join()?, next(&reader), next(&reader)), (Ok(1), Ok(b"x".to_vec()), Ok(vec![])));
    Ok(())
}

/// `fcntl(F_SETFL)` with `O_RDONLY`, `O_WRONLY` or `O_RDWR` and with `O_CREAT`, `O_EXCL`, `O_TRUNC` and `O_NOCTTY` returns 0 on
/// either end of a pipe. `F_GETFL` then shows the access mode as before, and `O_NONBLOCK` set if it was given in the same call.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "fcntl")]
fn f_setfl_ignores_access_mode_and_creation_flags(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let ignored = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_TRUNC | OFlag::O_NOCTTY;
    let mode = |end: &OwnedFd| flags(end).map(|flags| flags & OFlag::O_ACCMODE);
    let before = (mode(&reader)?, mode(&writer)?);
    for asked in [OFlag::O_RDWR, OFlag::O_WRONLY, OFlag::O_RDONLY] {
        expect_eq!(set_status_flags(&reader, asked | ignored), Ok(()));
        expect_eq!(set_status_flags(&writer, asked | ignored | OFlag::O_NONBLOCK), Ok(()));
        expect_eq!(flags(&reader), Ok(before.0));
        expect_eq!(flags(&writer), Ok(before.1 | OFlag::O_NONBLOCK));
    }
    Ok(())
}

/// After `fcntl(F_SETFL)` with `O_RDWR` on both ends, `write` on the read end and `read` on the write end fail with `EBADF`.
#[conformance::test(posix = "fcntl", man = "pipe(7)")]
fn f_setfl_with_o_rdwr_keeps_the_direction() -> Outcome {
    let (reader, writer) = open_nonblocking(Kind::Pipe)?;
    set_status_flags(&reader, OFlag::O_RDWR | OFlag::O_NONBLOCK)?;
    set_status_flags(&writer, OFlag::O_RDWR | OFlag::O_NONBLOCK)?;
    expect_eq!(write(&writer, b"right"), Ok(5));
    expect_eq!((write(&reader, b"wrong"), next(&writer)), (Err(EBADF), Err(EBADF)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"right".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// After `fcntl(F_SETFL)` with `O_APPEND` alone on a write end with `O_NONBLOCK` set, `F_GETFL` shows `O_APPEND` set and
/// `O_NONBLOCK` clear.
#[conformance::test(posix = "fcntl")]
fn f_setfl_clears_flags_not_given() -> Outcome {
    let (_reader, writer) = pipe()?;
    let mode = flags(&writer)?;
    set_status_flags(&writer, OFlag::O_APPEND | OFlag::O_NONBLOCK)?;
    expect_eq!(flags(&writer), Ok(mode | OFlag::O_APPEND | OFlag::O_NONBLOCK));
    set_status_flags(&writer, OFlag::O_APPEND)?;
    expect_eq!(flags(&writer), Ok(mode | OFlag::O_APPEND));
    Ok(())
}

/// With `O_APPEND` on the write end, `write` returns its count and `read` returns the bytes in the order of the `write` calls, as
/// without that flag.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "write")]
fn o_append_has_no_effect(kind: Kind) -> Outcome {
    let (reader, writer) = open_nonblocking(kind)?;
    expect_eq!(write(&writer, b"ab"), Ok(2));
    set_status_flags(&writer, OFlag::O_APPEND | OFlag::O_NONBLOCK)?;
    expect_eq!((write(&writer, b"cd"), read_some(&reader, 1), write(&writer, b"ef")), (Ok(2), Ok(b"a".to_vec()), Ok(2)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"bcdef".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `fcntl(F_GETFD)` shows close-on-exec clear on a duplicate from `dup` or `dup2` and set on one from `fcntl(F_DUPFD_CLOEXEC)`.
/// If `fcntl(F_SETFD)` sets or clears close-on-exec on one duplicate, `F_GETFD` on each of the others shows the same as before.
#[conformance::test(posix = "fcntl", posix = "dup")]
fn close_on_exec_is_set_for_each_descriptor() -> Outcome {
    let (reader, writer) = pipe()?;
    set_close_on_exec(&reader, true)?;
    let plain = dup(&reader)?;
    let mut replaced = dup_close_on_exec(&writer)?;
    dup_onto(&reader, &mut replaced)?;
    let closed = dup_close_on_exec(&plain)?;
    let all = [&reader, &plain, &replaced, &closed].map(close_on_exec);
    expect_eq!(all, [Ok(true), Ok(false), Ok(false), Ok(true)]);
    set_close_on_exec(&closed, false)?;
    set_close_on_exec(&plain, true)?;
    expect_eq!([&reader, &plain, &replaced, &closed].map(close_on_exec), [Ok(true), Ok(true), Ok(false), Ok(false)]);
    expect_eq!(flags(&reader).map(|flags| flags - OFlag::O_ACCMODE), Ok(OFlag::empty()));
    Ok(())
}
