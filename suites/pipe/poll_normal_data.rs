//! `poll` and `epoll` for `POLLRDNORM` and `POLLWRNORM` alone: what wakes a blocked process, and the events that it gets.
//! `POLLIN` and `POLLOUT` are tested in `poll_wakeup.rs`.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, every_pipe, pipe_and_fifo};
#[cfg(has_splice)]
use common::transfer::{Drain, Supply, every_drain, every_supply};

const READ: PollFlags = PollFlags::POLLRDNORM;
const WRITE: PollFlags = PollFlags::POLLWRNORM;

/// Neither edge-triggered nor one-shot.
#[cfg(has_epoll)]
const LEVEL_TRIGGERED: EpollFlags = EpollFlags::empty();

type Poller = Participant<Result<u16, Errno>>;

/// Spawns a participant that polls the end for these events alone, and waits until it is blocked.
fn poller(end: &OwnedFd, events: PollFlags) -> Result<Poller, Failure> {
    let poller = Participant::spawn("poller", dup(end)?, move |end, _| {
        poll(&[(end.as_fd(), events)], None).map(|seen| seen[0].bits().cast_unsigned())
    })?;
    poller.until_blocked()?;
    Ok(poller)
}

/// The events that `poll` has returned to this participant.
fn events_of(poller: Poller) -> Result<PollFlags, Failure> {
    Ok(poller.join()?.map(|bits| PollFlags::from_bits_retain(bits.cast_signed()))?)
}

/// A process blocked in `poll` for `POLLRDNORM` on the read end of an empty pipe is woken by a `write`, and `poll` reports
/// exactly `POLLRDNORM`.
#[apply(every_pipe)]
#[conformance::test(posix = "poll")]
fn write_wakes_pollrdnorm(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let poller = poller(&reader, READ)?;
    write(&writer, b"x")?;
    expect_eq!(events_of(poller)?, READ);
    expect_eq!((ready(&reader, READ), read_some(&reader, 9)), (Ok(READ), Ok(b"x".to_vec())));
    expect_eq!(ready(&reader, READ), Ok(PollFlags::empty()));
    Ok(())
}

/// A process blocked in `poll` for `POLLRDNORM` on the read end of an empty pipe is woken when the last writer closes, and `poll`
/// reports `POLLHUP`, with or without `POLLRDNORM`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "poll")]
fn close_of_the_last_writer_wakes_pollrdnorm(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let poller = poller(&reader, READ)?;
    drop(writer);
    let seen = events_of(poller)?;
    expect!(seen.contains(PollFlags::POLLHUP), "{seen:?}");
    expect_eq!(seen - READ, PollFlags::POLLHUP);
    Ok(())
}

/// A process blocked in `poll` for `POLLWRNORM` on the write end of a full pipe is woken when a page is read, and `poll` reports
/// exactly `POLLWRNORM`.
#[apply(every_pipe)]
#[conformance::test(posix = "poll")]
fn read_wakes_pollwrnorm(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    fill(&writer)?;
    expect_eq!(ready(&writer, WRITE), Ok(PollFlags::empty()));
    let poller = poller(&writer, WRITE)?;
    read_exactly(&reader, page_size().max(pipe_buf(&writer)?))?;
    expect_eq!(events_of(poller)?, WRITE);
    expect_eq!(ready(&writer, WRITE), Ok(WRITE));
    Ok(())
}

/// A process blocked in `poll` for `POLLWRNORM` on the write end of a full pipe is woken when the last reader closes, and `poll`
/// reports `POLLERR`, with or without `POLLWRNORM`.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "poll(2)")]
fn close_of_the_last_reader_wakes_pollwrnorm(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    fill(&writer)?;
    let poller = poller(&writer, WRITE)?;
    drop(reader);
    expect_eq!(events_of(poller)? - WRITE, PollFlags::POLLERR);
    Ok(())
}

/// A process blocked in `poll` for `POLLPRI` on the read end stays blocked when bytes are written. When the last writer closes,
/// `poll` reports exactly `POLLHUP`.
#[apply(pipe_and_fifo)]
#[conformance::test(posix = "poll")]
fn write_keeps_pollpri_blocked(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let poller = poller(&reader, PollFlags::POLLPRI)?;
    write(&writer, b"x")?;
    poller.expect_still_blocked()?;
    expect_eq!(ready(&reader, PollFlags::POLLPRI | READ), Ok(READ));
    drop(writer);
    expect_eq!(events_of(poller)?, PollFlags::POLLHUP);
    Ok(())
}

/// A process blocked in `poll` for `POLLRDNORM` on the read end of an empty pipe is woken by `splice`, `tee`, `vmsplice` or
/// `sendfile` of 3 bytes into the pipe, and `poll` reports exactly `POLLRDNORM`.
#[cfg(has_splice)]
#[apply(every_supply)]
#[conformance::test(man = "poll(2)", man = "splice(2)")]
fn transfer_into_the_pipe_wakes_pollrdnorm(call: Supply) -> Outcome {
    let (reader, writer) = pipe()?;
    let source = call.source(b"abc")?;
    let poller = poller(&reader, READ)?;
    expect_eq!(call.once(&source, b"abc", &writer), Ok(3));
    expect_eq!(events_of(poller)?, READ);
    Ok(())
}

/// A process blocked in `poll` for `POLLWRNORM` on the write end of a full pipe is woken when `splice` or `vmsplice` removes a
/// page of bytes from the pipe, and `poll` reports exactly `POLLWRNORM`.
#[cfg(has_splice)]
#[apply(every_drain)]
#[conformance::test(man = "poll(2)", man = "splice(2)")]
fn transfer_out_of_the_pipe_wakes_pollwrnorm(call: Drain) -> Outcome {
    let (reader, writer) = pipe()?;
    fill(&writer)?;
    let sink = call.sink()?;
    let poller = poller(&writer, WRITE)?;
    expect_eq!(call.once(&reader, &sink, page_size()), Ok(page_size()));
    expect_eq!(events_of(poller)?, WRITE);
    Ok(())
}

/// A process blocked in `poll` for `POLLWRNORM` on the write end of a full pipe is woken when `fcntl(F_SETPIPE_SZ)` doubles the
/// size, and `poll` reports exactly `POLLWRNORM`.
#[cfg(has_pipe_size)]
#[conformance::test(man = "poll(2)", man = "fcntl(2)", level = customary)]
fn resize_wakes_pollwrnorm() -> Outcome {
    let (reader, writer) = pipe()?;
    let size = fill(&writer)?;
    let poller = poller(&writer, WRITE)?;
    expect_eq!(set_pipe_size(&reader, i32::try_from(2 * size).unwrap_or(1)), Ok(2 * size));
    expect_eq!(events_of(poller)?, WRITE);
    Ok(())
}

/// What makes the read end ready.
#[cfg(has_epoll)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Write,
    Splice,
    Tee,
    Close,
}

/// A process blocked in `epoll_wait` with an entry for `EPOLLRDNORM` on the read end of an empty pipe is woken by `write`,
/// `splice` or `tee` into the pipe, and `epoll_wait` reports exactly `EPOLLRDNORM`. If the last writer closes, `epoll_wait`
/// reports exactly `EPOLLHUP`.
#[cfg(has_epoll)]
#[rstest]
#[case::write(Cause::Write, EpollFlags::EPOLLRDNORM)]
#[case::splice(Cause::Splice, EpollFlags::EPOLLRDNORM)]
#[case::tee(Cause::Tee, EpollFlags::EPOLLRDNORM)]
#[case::close_of_the_last_writer(Cause::Close, EpollFlags::EPOLLHUP)]
#[conformance::test(man = "epoll_ctl(2)")]
fn data_or_close_wakes_epollrdnorm(
    #[case] cause: Cause,
    #[case] expected: EpollFlags,
    #[values(LEVEL_TRIGGERED, EpollFlags::EPOLLET, EpollFlags::EPOLLONESHOT)] mode: EpollFlags,
) -> Outcome {
    let (reader, writer) = pipe()?;
    let (source, _feed) = common::transfer::holding(b"abc")?;
    let waiter = waiter(&reader, EpollFlags::EPOLLRDNORM | mode)?;
    match cause {
        Cause::Write => expect_eq!(write(&writer, b"abc"), Ok(3)),
        Cause::Splice => expect_eq!(splice(&source, &writer, 3, SpliceFlags::empty()), Ok(3)),
        Cause::Tee => expect_eq!(tee(&source, &writer, 3, SpliceFlags::empty()), Ok(3)),
        Cause::Close => drop(writer),
    }
    expect_eq!(waiter.join()?, Ok(vec![expected.bits()]));
    Ok(())
}

/// A process blocked in `epoll_wait` with an entry for `EPOLLWRNORM` on the write end of a full pipe is woken by a `read` of a
/// page, and `epoll_wait` reports exactly `EPOLLWRNORM`. If the last reader closes, `epoll_wait` reports exactly `EPOLLERR`.
#[cfg(has_epoll)]
#[apply(pipe_and_fifo)]
#[conformance::test(man = "epoll_ctl(2)")]
fn read_or_close_wakes_epollwrnorm(
    kind: Kind,
    #[values(LEVEL_TRIGGERED, EpollFlags::EPOLLET, EpollFlags::EPOLLONESHOT)] mode: EpollFlags,
) -> Outcome {
    let (reader, writer) = kind.open()?;
    fill(&writer)?;
    let woken = waiter(&writer, EpollFlags::EPOLLWRNORM | mode)?;
    read_exactly(&reader, page_size())?;
    expect_eq!(woken.join()?, Ok(vec![EpollFlags::EPOLLWRNORM.bits()]));
    fill(&writer)?;
    let woken = waiter(&writer, EpollFlags::EPOLLWRNORM | mode)?;
    drop(reader);
    expect_eq!(woken.join()?, Ok(vec![EpollFlags::EPOLLERR.bits()]));
    Ok(())
}

/// Spawns a participant in `epoll_wait` with one entry for the end and these events, and waits until it is blocked.
#[cfg(has_epoll)]
fn waiter(end: &OwnedFd, events: EpollFlags) -> Result<Participant<Result<Vec<i32>, Errno>>, Failure> {
    let list = epoll()?;
    epoll_add(&list, end, events, 7)?;
    let waiter = Participant::spawn("waiter", (list, dup(end)?), |(list, _end), _| {
        epoll_wait(&list, None).map(|seen| seen.iter().map(|(_, events)| events.bits()).collect::<Vec<_>>())
    })?;
    waiter.until_blocked()?;
    Ok(waiter)
}
