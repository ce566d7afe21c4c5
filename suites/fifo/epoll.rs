//! Edge and level of a FIFO's events in an epoll instance: each reconnection is news again.

use conformance::prelude::*;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::fixture::Named;

const IN: EpollFlags = EpollFlags::EPOLLIN;
const OUT: EpollFlags = EpollFlags::EPOLLOUT;
const HUP: EpollFlags = EpollFlags::EPOLLHUP;
const ERR: EpollFlags = EpollFlags::EPOLLERR;
const EDGE: EpollFlags = EpollFlags::EPOLLET;

fn watch(descriptor: &OwnedFd, events: EpollFlags) -> Result<Epoll, Errno> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(descriptor, EpollEvent::new(events, 0))?;
    Ok(epoll)
}

/// What the instance reports now, without waiting.
fn news(epoll: &Epoll) -> Result<Option<EpollFlags>, Errno> {
    let mut events = [EpollEvent::empty(); 4];
    let count = epoll.wait(&mut events, 0_u8)?;
    Ok(events[..count].first().map(EpollEvent::events))
}

/// The hang-up is reported once for each time that the last writer goes, and not when one comes.
#[conformance::test(man = "epoll(7)")]
fn reports_each_hang_up_once() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    let epoll = watch(&reader, IN | EDGE)?;
    expect_eq!(news(&epoll), Ok(None));
    for _ in 0..3 {
        let writer = fifo.writer()?;
        expect_eq!(news(&epoll), Ok(None));
        drop(writer);
        expect_eq!((news(&epoll), news(&epoll)), (Ok(Some(HUP)), Ok(None)));
    }
    Ok(())
}

/// Without edges the hang-up is reported until a writer comes.
#[conformance::test(man = "epoll(7)")]
fn reports_a_level_hang_up_until_the_next_writer() -> Outcome {
    let fifo = Named::new()?;
    let reader = fifo.reader()?;
    let epoll = watch(&reader, IN)?;
    fifo.visit(OFlag::O_WRONLY)?;
    expect_eq!([news(&epoll), news(&epoll)], [Ok(Some(HUP)), Ok(Some(HUP))]);
    let writer = fifo.writer()?;
    expect_eq!(news(&epoll), Ok(None));
    write_all(writer, b"x")?;
    expect_eq!(news(&epoll), Ok(Some(IN | HUP)));
    Ok(())
}

/// Each write is news, also where there are unread bytes already, and also from a second writer.
#[conformance::test(man = "epoll(7)", fixed_in = "Linux 5.14 (3a34b13a88ca)")]
fn reports_each_write_once() -> Outcome {
    let fifo = Named::new()?;
    let (reader, first) = fifo.ends()?;
    let second = fifo.writer()?;
    let epoll = watch(&reader, IN | EDGE)?;
    expect_eq!(news(&epoll), Ok(None));
    for writer in [&first, &first, &second] {
        write_all(writer, b"x")?;
        expect_eq!((news(&epoll), news(&epoll)), (Ok(Some(IN)), Ok(None)));
    }
    Ok(())
}

/// The loss of the last reader is reported once to a writer, each time that it happens.
#[conformance::test(man = "epoll(7)")]
fn reports_each_broken_pipe_once() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let epoll = watch(&writer, OUT | EDGE)?;
    expect_eq!((news(&epoll), news(&epoll)), (Ok(Some(OUT)), Ok(None)));
    drop(reader);
    for _ in 0..3 {
        expect_eq!((news(&epoll), news(&epoll)), (Ok(Some(OUT | ERR)), Ok(None)));
        fifo.visit(OFlag::O_RDONLY)?;
    }
    Ok(())
}

/// A wait that is under way ends when the last writer goes, and with the hang-up only.
#[conformance::test(man = "epoll_wait(2)")]
fn wakes_one_that_waits_at_the_hang_up() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let waiter = Participant::spawn("waiter", reader, |end, _| {
        let epoll = watch(&end, IN | EDGE)?;
        let mut events = [EpollEvent::empty(); 4];
        let count = epoll.wait(&mut events, nix::sys::epoll::EpollTimeout::NONE)?;
        Ok::<_, Errno>((count, events[0].events().bits()))
    })?;
    waiter.until_blocked()?;
    let second = fifo.writer()?;
    drop(writer);
    waiter.expect_still_blocked()?;
    drop(second);
    expect_eq!(waiter.join()?, Ok((1, HUP.bits())));
    Ok(())
}

/// An end leaves the instance when its description is closed, not when the name goes.
#[conformance::test(man = "epoll(7)")]
fn watches_an_end_without_a_name() -> Outcome {
    let fifo = Named::new()?;
    let (reader, writer) = fifo.ends()?;
    let epoll = watch(&reader, IN)?;
    unlink(fifo.path())?;
    write_all(&writer, b"x")?;
    expect_eq!(news(&epoll), Ok(Some(IN)));
    drop(reader);
    expect_eq!(news(&epoll), Ok(None));
    Ok(())
}
