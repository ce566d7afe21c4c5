//! Edge-triggered and level-triggered `epoll` events of the ends of a FIFO.

use conformance::prelude::*;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::fixture::Fifo;

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

/// The event that `epoll_wait` with timeout 0 reports.
fn event(epoll: &Epoll) -> Result<Option<EpollFlags>, Errno> {
    let mut events = [EpollEvent::empty(); 4];
    let count = epoll.wait(&mut events, 0_u8)?;
    Ok(events[..count].first().map(EpollEvent::events))
}

/// If the read end of a FIFO is registered for `EPOLLIN | EPOLLET`, `epoll_wait` with timeout 0 reports no event after a writer
/// opens. After that writer, the only one, closes, the first `epoll_wait` reports `EPOLLHUP` and the second reports no event,
/// each of three times.
#[conformance::test(man = "epoll(7)", level = customary)]
fn edge_triggered_hang_up_once_per_close() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    let epoll = watch(&reader, IN | EDGE)?;
    expect_eq!(event(&epoll), Ok(None));
    for _ in 0..3 {
        let writer = fifo.writer()?;
        expect_eq!(event(&epoll), Ok(None));
        drop(writer);
        expect_eq!((event(&epoll), event(&epoll)), (Ok(Some(HUP)), Ok(None)));
    }
    Ok(())
}

/// If the read end of an empty FIFO is registered for `EPOLLIN` without `EPOLLET`, each of two `epoll_wait` calls with timeout 0
/// after the last writer closed reports `EPOLLHUP`. After the next writer opens, `epoll_wait` reports no event.
#[conformance::test(man = "epoll(7)")]
fn level_triggered_hang_up_until_the_next_writer() -> Outcome {
    let fifo = Fifo::new()?;
    let reader = fifo.reader()?;
    let epoll = watch(&reader, IN)?;
    fifo.open_and_close(OFlag::O_WRONLY)?;
    expect_eq!([event(&epoll), event(&epoll)], [Ok(Some(HUP)), Ok(Some(HUP))]);
    let writer = fifo.writer()?;
    expect_eq!(event(&epoll), Ok(None));
    write_all(writer, b"x")?;
    expect_eq!(event(&epoll), Ok(Some(IN | HUP)));
    Ok(())
}

/// If the read end of a FIFO is registered for `EPOLLIN | EPOLLET`, the first `epoll_wait` with timeout 0 after each `write` of 1
/// byte reports `EPOLLIN` and the second reports no event, also while the bytes of earlier `write` calls are unread.
#[conformance::test(man = "epoll(7)", level = customary, fixed_in = "Linux 5.14 (3a34b13a88ca)")]
fn edge_triggered_event_for_each_write() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, first) = fifo.ends()?;
    let second = fifo.writer()?;
    let epoll = watch(&reader, IN | EDGE)?;
    expect_eq!(event(&epoll), Ok(None));
    for writer in [&first, &first, &second] {
        write_all(writer, b"x")?;
        expect_eq!((event(&epoll), event(&epoll)), (Ok(Some(IN)), Ok(None)));
    }
    Ok(())
}

/// If the write end of an empty FIFO is registered for `EPOLLOUT | EPOLLET`, the first `epoll_wait` with timeout 0 after the last
/// reader closes reports `EPOLLOUT | EPOLLERR` and the second reports no event, each of three times that a reader opens and
/// closes.
#[conformance::test(man = "epoll(7)", level = customary)]
fn edge_triggered_error_once_per_close() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let epoll = watch(&writer, OUT | EDGE)?;
    expect_eq!((event(&epoll), event(&epoll)), (Ok(Some(OUT)), Ok(None)));
    drop(reader);
    for _ in 0..3 {
        expect_eq!((event(&epoll), event(&epoll)), (Ok(Some(OUT | ERR)), Ok(None)));
        fifo.open_and_close(OFlag::O_RDONLY)?;
    }
    Ok(())
}

/// `epoll_wait` without timeout for `EPOLLIN` on the read end of an empty FIFO stays blocked while one of two writers is open.
/// When the last writer closes, the call returns 1 and reports `EPOLLHUP`.
#[conformance::test(man = "epoll_wait(2)")]
fn epoll_wait_is_woken_by_the_last_writer() -> Outcome {
    let fifo = Fifo::new()?;
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

/// If the read end of a FIFO is registered for `EPOLLIN`, `epoll_wait` with timeout 0 reports `EPOLLIN` after `unlink` of the
/// only name and `write` of 1 byte. After the read end, of which there is no duplicate, is closed while this byte is unread,
/// `epoll_wait` returns 0.
#[conformance::test(man = "epoll(7)")]
fn watch_outlives_the_name() -> Outcome {
    let fifo = Fifo::new()?;
    let (reader, writer) = fifo.ends()?;
    let epoll = watch(&reader, IN)?;
    unlink(fifo.path())?;
    write_all(&writer, b"x")?;
    expect_eq!(event(&epoll), Ok(Some(IN)));
    drop(reader);
    expect_eq!(event(&epoll), Ok(None));
    Ok(())
}
