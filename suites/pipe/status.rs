//! Flags of an end: status flags belong to the open description and so to all its duplicates, close-on-exec to each descriptor.

use conformance::prelude::*;
use rstest::rstest;

use common::ends::{flags, next, not_waiting};
use common::pipe::Kind;

/// What one duplicate sets the other has: a change through either is seen, and obeyed, through both.
#[rstest]
#[conformance::test(posix = "fcntl")]
fn is_shared_by_duplicates(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, _writer) = kind.open()?;
    let copy = dup(&reader)?;
    set_nonblocking(&copy, true)?;
    expect_eq!((flags(&reader)?, next(&reader)), (OFlag::O_RDONLY | OFlag::O_NONBLOCK, Err(EAGAIN)));
    set_nonblocking(&reader, false)?;
    expect_eq!(flags(&copy)?, OFlag::O_RDONLY);
    Ok(())
}

/// The two ends are two open descriptions: what is set on one is not set on the other.
#[rstest]
#[conformance::test(posix = "fcntl")]
fn is_not_shared_by_the_other_end(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    expect_eq!(flags(&writer)? - OFlag::O_ACCMODE, OFlag::empty());
    set_nonblocking(&writer, true)?;
    set_nonblocking(&reader, false)?;
    expect_eq!(flags(&writer)? - OFlag::O_ACCMODE, OFlag::O_NONBLOCK);
    Ok(())
}

/// An end that waits does so although the other end does not, and the other way round.
#[conformance::test(posix = "read", posix = "write")]
fn decides_for_its_own_end_alone() -> Outcome {
    let (reader, writer_end) = pipe()?;
    set_nonblocking(&reader, true)?;
    let full = fill(&writer_end)?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, b"x"))?;
    writer.until_blocked()?;
    expect_eq!(read_exactly(&reader, full).map(|bytes| bytes.len()), Ok(full));
    expect_eq!((writer.join()?, next(&reader), next(&reader)), (Ok(1), Ok(b"x".to_vec()), Ok(vec![])));
    Ok(())
}

/// The access mode and the flags that only `open` knows are ignored in `F_SETFL`: the ends stay one-way, the rest is obeyed.
#[rstest]
#[conformance::test(posix = "fcntl")]
fn keeps_the_access_mode(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// Ends that were asked in vain to change their direction still refuse the wrong one.
#[conformance::test(posix = "fcntl", man = "pipe(7)")]
fn does_not_turn_an_end_around() -> Outcome {
    let (reader, writer) = not_waiting(Kind::Pipe)?;
    set_status_flags(&reader, OFlag::O_RDWR | OFlag::O_NONBLOCK)?;
    set_status_flags(&writer, OFlag::O_RDWR | OFlag::O_NONBLOCK)?;
    expect_eq!(write(&writer, b"right"), Ok(5));
    expect_eq!((write(&reader, b"wrong"), next(&writer)), (Err(EBADF), Err(EBADF)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"right".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// `F_SETFL` sets all flags at once: those not named are cleared.
#[conformance::test(posix = "fcntl")]
fn is_replaced_as_a_whole() -> Outcome {
    let (_reader, writer) = pipe()?;
    let mode = flags(&writer)?;
    set_status_flags(&writer, OFlag::O_APPEND | OFlag::O_NONBLOCK)?;
    expect_eq!(flags(&writer), Ok(mode | OFlag::O_APPEND | OFlag::O_NONBLOCK));
    set_status_flags(&writer, OFlag::O_APPEND)?;
    expect_eq!(flags(&writer), Ok(mode | OFlag::O_APPEND));
    Ok(())
}

/// Appending is what a pipe does anyway: the flag changes nothing about the order or the result.
#[rstest]
#[conformance::test(posix = "write")]
fn changes_nothing_by_appending(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = not_waiting(kind)?;
    expect_eq!(write(&writer, b"ab"), Ok(2));
    set_status_flags(&writer, OFlag::O_APPEND | OFlag::O_NONBLOCK)?;
    expect_eq!((write(&writer, b"cd"), read_some(&reader, 1), write(&writer, b"ef")), (Ok(2), Ok(b"a".to_vec()), Ok(2)));
    expect_eq!((next(&reader), next(&reader)), (Ok(b"bcdef".to_vec()), Err(EAGAIN)));
    Ok(())
}

/// Close-on-exec is cleared in a duplicate by `dup` and `dup2`, set by `F_DUPFD_CLOEXEC`, and changed on one descriptor alone.
#[conformance::test(posix = "fcntl", posix = "dup")]
fn leaves_close_on_exec_to_each_descriptor() -> Outcome {
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
