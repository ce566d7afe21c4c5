//! Pollers that ask for normal data alone (`POLLRDNORM`, `POLLWRNORM`): woken by whatever wakes those who ask for any data, and told
//! in their own words.

use conformance::prelude::*;
use rstest::rstest;

use common::pipe::Kind;
#[cfg(has_splice)]
use common::transfer::{Drain, Supply};

const READ: PollFlags = PollFlags::POLLRDNORM;
const WRITE: PollFlags = PollFlags::POLLWRNORM;

type Poller = Participant<Result<u16, Errno>>;

/// A participant that polls the end for these events alone, once it is blocked.
fn poller(end: &OwnedFd, events: PollFlags) -> Result<Poller, Failure> {
    let poller = Participant::spawn("poller", dup(end)?, move |end, _| {
        poll(&[(end.as_fd(), events)], None).map(|seen| seen[0].bits().cast_unsigned())
    })?;
    poller.until_blocked()?;
    Ok(poller)
}

/// What a poller was told.
fn told(poller: Poller) -> Result<PollFlags, Failure> {
    Ok(poller.join()?.map(|bits| PollFlags::from_bits_retain(bits.cast_signed()))?)
}

/// A write wakes who waits for normal data.
#[rstest]
#[conformance::test(posix = "poll")]
fn wakes_its_poller_when_written(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let poller = poller(&reader, READ)?;
    write(&writer, b"x")?;
    expect_eq!(told(poller)?, READ);
    expect_eq!((ready(&reader, READ), read_some(&reader, 9)), (Ok(READ), Ok(b"x".to_vec())));
    expect_eq!(ready(&reader, READ), Ok(PollFlags::empty()));
    Ok(())
}

/// The last close wakes who waits for normal data, and tells of the hang-up.
#[rstest]
#[conformance::test(posix = "poll")]
fn wakes_its_poller_when_it_can_come_no_more(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let poller = poller(&reader, READ)?;
    drop(writer);
    let seen = told(poller)?;
    expect!(seen.contains(PollFlags::POLLHUP), "{seen:?}");
    expect_eq!(seen - READ, PollFlags::POLLHUP);
    Ok(())
}

/// A read that makes room wakes who waits to write normal data.
#[rstest]
#[conformance::test(posix = "poll")]
fn wakes_its_poller_when_there_is_room(#[values(Kind::Pipe, Kind::Fifo, Kind::FifoReadWrite)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    fill(&writer)?;
    expect_eq!(ready(&writer, WRITE), Ok(PollFlags::empty()));
    let poller = poller(&writer, WRITE)?;
    read_exactly(&reader, page_size().max(pipe_buf(&writer)?))?;
    expect_eq!(told(poller)?, WRITE);
    expect_eq!(ready(&writer, WRITE), Ok(WRITE));
    Ok(())
}

/// The last reader's close wakes who waits to write normal data, and tells of the error.
#[rstest]
#[conformance::test(man = "poll(2)")]
fn wakes_its_poller_when_nobody_will_read_it(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    fill(&writer)?;
    let poller = poller(&writer, WRITE)?;
    drop(reader);
    expect_eq!(told(poller)? - WRITE, PollFlags::POLLERR);
    Ok(())
}

/// Normal data is not what a poller for priority data waits for: it sleeps on.
#[rstest]
#[conformance::test(posix = "poll")]
fn wakes_nobody_who_waits_for_priority_data(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let poller = poller(&reader, PollFlags::POLLPRI)?;
    write(&writer, b"x")?;
    poller.expect_still_blocked()?;
    expect_eq!(ready(&reader, PollFlags::POLLPRI | READ), Ok(READ));
    drop(writer);
    expect_eq!(told(poller)?, PollFlags::POLLHUP);
    Ok(())
}

/// Whatever way bytes come into a pipe, they wake who waits for normal data.
#[cfg(has_splice)]
#[rstest]
#[conformance::test(man = "poll(2)", man = "splice(2)")]
fn wakes_its_poller_when_transferred(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let (reader, writer) = pipe()?;
    let source = call.source(b"abc")?;
    let poller = poller(&reader, READ)?;
    expect_eq!(call.once(&source, b"abc", &writer), Ok(3));
    expect_eq!(told(poller)?, READ);
    Ok(())
}

/// Whatever way bytes leave a full pipe, the room wakes who waits to write normal data.
#[cfg(has_splice)]
#[rstest]
#[conformance::test(man = "poll(2)", man = "splice(2)")]
fn wakes_its_poller_when_transferred_away(
    #[values(Drain::SpliceToDevNull, Drain::SpliceToFile, Drain::SpliceToPipe, Drain::Vmsplice)] call: Drain,
) -> Outcome {
    let (reader, writer) = pipe()?;
    fill(&writer)?;
    let sink = call.sink()?;
    let poller = poller(&writer, WRITE)?;
    expect_eq!(call.once(&reader, &sink, page_size()), Ok(page_size()));
    expect_eq!(told(poller)?, WRITE);
    Ok(())
}

/// A larger size is room: it wakes who waits to write normal data.
#[cfg(has_pipe_size)]
#[conformance::test(man = "poll(2)", man = "fcntl(2)")]
fn wakes_its_poller_when_the_pipe_grows() -> Outcome {
    let (reader, writer) = pipe()?;
    let size = fill(&writer)?;
    let poller = poller(&writer, WRITE)?;
    expect_eq!(set_pipe_size(&reader, i32::try_from(2 * size).unwrap_or(1)), Ok(2 * size));
    expect_eq!(told(poller)?, WRITE);
    Ok(())
}

/// By epoll: how an end is made ready.
#[cfg(has_epoll)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Write,
    Splice,
    Tee,
    Close,
}

/// A sleeper in `epoll_wait` whose list asks for normal data alone is woken by data of every origin and by the last close, by
/// level and by edge.
#[cfg(has_epoll)]
#[rstest]
#[case::written(Cause::Write, EpollFlags::EPOLLRDNORM)]
#[case::spliced(Cause::Splice, EpollFlags::EPOLLRDNORM)]
#[case::teed(Cause::Tee, EpollFlags::EPOLLRDNORM)]
#[case::ended(Cause::Close, EpollFlags::EPOLLHUP)]
#[conformance::test(man = "epoll_ctl(2)")]
fn wakes_its_epoll_list(
    #[case] cause: Cause,
    #[case] expected: EpollFlags,
    #[values(EpollFlags::empty(), EpollFlags::EPOLLET, EpollFlags::EPOLLONESHOT)] mode: EpollFlags,
) -> Outcome {
    let (reader, writer) = pipe()?;
    let (source, _feed) = common::transfer::holding(b"abc")?;
    let sleeper = sleeper(&reader, EpollFlags::EPOLLRDNORM | mode)?;
    match cause {
        Cause::Write => expect_eq!(write(&writer, b"abc"), Ok(3)),
        Cause::Splice => expect_eq!(splice(&source, &writer, 3, SpliceFlags::empty()), Ok(3)),
        Cause::Tee => expect_eq!(tee(&source, &writer, 3, SpliceFlags::empty()), Ok(3)),
        Cause::Close => drop(writer),
    }
    expect_eq!(sleeper.join()?, Ok(vec![expected.bits()]));
    Ok(())
}

/// A sleeper in `epoll_wait` whose list asks to write normal data alone is woken by room and by the last reader's close.
#[cfg(has_epoll)]
#[rstest]
#[conformance::test(man = "epoll_ctl(2)")]
fn wakes_its_epoll_list_for_room(
    #[values(Kind::Pipe, Kind::Fifo)] kind: Kind,
    #[values(EpollFlags::empty(), EpollFlags::EPOLLET, EpollFlags::EPOLLONESHOT)] mode: EpollFlags,
) -> Outcome {
    let (reader, writer) = kind.open()?;
    fill(&writer)?;
    let woken = sleeper(&writer, EpollFlags::EPOLLWRNORM | mode)?;
    read_exactly(&reader, page_size())?;
    expect_eq!(woken.join()?, Ok(vec![EpollFlags::EPOLLWRNORM.bits()]));
    fill(&writer)?;
    let woken = sleeper(&writer, EpollFlags::EPOLLWRNORM | mode)?;
    drop(reader);
    expect_eq!(woken.join()?, Ok(vec![EpollFlags::EPOLLERR.bits()]));
    Ok(())
}

/// A participant blocked in `epoll_wait` on a list that watches the end for these events alone.
#[cfg(has_epoll)]
fn sleeper(end: &OwnedFd, events: EpollFlags) -> Result<Participant<Result<Vec<i32>, Errno>>, Failure> {
    let list = epoll()?;
    epoll_add(&list, end, events, 7)?;
    let sleeper = Participant::spawn("sleeper", (list, dup(end)?), |(list, _end), _| {
        epoll_wait(&list, None).map(|seen| seen.iter().map(|(_, events)| events.bits()).collect::<Vec<_>>())
    })?;
    sleeper.until_blocked()?;
    Ok(sleeper)
}
