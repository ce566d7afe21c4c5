//! Level-triggered `epoll` (Linux): entries, their events, and processes blocked in `epoll_wait`. Edge-triggered entries are
//! tested in `epoll_edge.rs`.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, pipe_and_fifo};

pub(super) const IN: EpollFlags = EpollFlags::EPOLLIN;

pub(super) const OUT: EpollFlags = EpollFlags::EPOLLOUT;

pub(super) const HUP: EpollFlags = EpollFlags::EPOLLHUP;

pub(super) const ERR: EpollFlags = EpollFlags::EPOLLERR;

pub(super) const EDGE: EpollFlags = EpollFlags::EPOLLET;

const TOKEN: u64 = 7;

/// The events that are ready now.
pub(super) fn now(list: &OwnedFd) -> Result<Vec<(u64, EpollFlags)>, Errno> {
    epoll_wait(list, Some(0))
}

/// The result of `epoll_wait` for one end with these events.
#[expect(clippy::unnecessary_wraps, reason = "compared with what the call returns")]
pub(super) fn one(events: EpollFlags) -> Result<Vec<(u64, EpollFlags)>, Errno> {
    Ok(vec![(TOKEN, events)])
}

/// The result of `epoll_wait` without events.
#[expect(clippy::unnecessary_wraps, reason = "compared with what the call returns")]
pub(super) fn none() -> Result<Vec<(u64, EpollFlags)>, Errno> {
    Ok(Vec::new())
}

/// An epoll instance with one entry.
pub(super) fn watching(end: &OwnedFd, events: EpollFlags) -> Result<OwnedFd, Errno> {
    let list = epoll()?;
    epoll_add(&list, end, events, TOKEN)?;
    Ok(list)
}

/// With level-triggered entries, `epoll_wait` reports `EPOLLIN` for the read end while bytes are unread, and no event for the
/// read end of an empty pipe. `epoll_wait` reports `EPOLLOUT` for the write end of an empty and a partly filled pipe, and no
/// event for the write end of a full pipe.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "epoll(7)")]
fn reports_the_state_of_each_end(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let (to_read, to_write) = (watching(&reader, IN | OUT)?, watching(&writer, IN | OUT)?);
    expect_eq!((now(&to_read), now(&to_write)), (none(), one(OUT)));
    write(&writer, b"ab")?;
    expect_eq!((now(&to_read), now(&to_read), now(&to_write)), (one(IN), one(IN), one(OUT)));
    read_exactly(&reader, 1)?;
    expect_eq!(now(&to_read), one(IN));
    read_exactly(&reader, 1)?;
    expect_eq!(now(&to_read), none());
    fill(&writer)?;
    expect_eq!((now(&to_read), now(&to_write)), (one(IN), none()));
    Ok(())
}

/// `epoll_wait` reports `EPOLLHUP` at the read end without writers and `EPOLLERR` at the write end without readers, even if the
/// entry does not request them. `EPOLLRDHUP` is not reported, even if the entry requests it.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "epoll_ctl(2)")]
fn reports_hang_up_and_error_unrequested(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let list = watching(&reader, EpollFlags::EPOLLRDHUP)?;
    write(&writer, b"x")?;
    expect_eq!(now(&list), none());
    drop(writer);
    expect_eq!((now(&list), now(&list)), (one(HUP), one(HUP)));
    let (reader, writer) = kind.open()?;
    let list = watching(&writer, EpollFlags::empty())?;
    expect_eq!(now(&list), none());
    drop(reader);
    expect_eq!((now(&list), now(&list)), (one(ERR), one(ERR)));
    Ok(())
}

/// With `EPOLLIN | EPOLLONESHOT`, `epoll_wait` reports `EPOLLIN` for a read end with unread bytes once, and then no event, even
/// after another `write` and the close of the last writer. After `EPOLL_CTL_MOD` with the same flags, the next `epoll_wait`
/// reports `EPOLLIN | EPOLLHUP`, and the one after it no event.
#[conformance::test(man = "epoll_ctl(2)")]
fn reports_a_one_shot_entry_once() -> Outcome {
    let (reader, writer) = pipe()?;
    let list = watching(&reader, IN | EpollFlags::EPOLLONESHOT)?;
    write(&writer, b"a")?;
    expect_eq!((now(&list), now(&list)), (one(IN), none()));
    write(&writer, b"b")?;
    drop(writer);
    expect_eq!(now(&list), none());
    epoll_modify(&list, &reader, IN | EpollFlags::EPOLLONESHOT, TOKEN)?;
    expect_eq!((now(&list), now(&list)), (one(IN | HUP), none()));
    Ok(())
}

/// After `EPOLL_CTL_DEL`, `epoll_wait` reports no event for the end, and another `EPOLL_CTL_DEL` fails with `ENOENT`.
/// `EPOLL_CTL_ADD` of an end that has an entry fails with `EEXIST`.
#[conformance::test(man = "epoll_ctl(2)")]
fn removed_entry_reports_no_event() -> Outcome {
    let (reader, writer) = pipe()?;
    let list = watching(&reader, IN)?;
    write(&writer, b"x")?;
    expect_eq!(epoll_add(&list, &reader, IN, TOKEN), Err(EEXIST));
    expect_eq!((epoll_remove(&list, &reader), now(&list)), (Ok(()), none()));
    expect_eq!(epoll_remove(&list, &reader), Err(ENOENT));
    epoll_add(&list, &reader, IN, TOKEN)?;
    expect_eq!(now(&list), one(IN));
    Ok(())
}

/// `epoll_wait` reports `EPOLLIN` for a read end with unread bytes as long as any duplicate of its descriptor is open. After the
/// last one is closed, `epoll_wait` reports no event, and `poll` on the write end reports `POLLERR`.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "epoll(7)")]
fn entry_ends_with_the_last_descriptor(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let list = watching(&reader, IN)?;
    write(&writer, b"x")?;
    let copy = dup(&reader)?;
    drop(reader);
    expect_eq!(now(&list), one(IN));
    drop(copy);
    expect_eq!(now(&list), none());
    // The entry does not keep the read end open: the pipe has no reader now.
    expect_eq!(ready(&writer, PollFlags::empty()), Ok(PollFlags::POLLERR));
    Ok(())
}

/// A process blocked in `epoll_wait` is woken with `EPOLLIN` for the read end by a `write`, with `EPOLLOUT` for the write end of
/// a full pipe by a `read` of a page, and with `EPOLLHUP` for the read end by the close of the last writer.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "epoll_wait(2)")]
fn wakes_blocked_epoll_wait(kind: Kind) -> Outcome {
    let spawn_waiter = |list: OwnedFd, end: OwnedFd| {
        Participant::spawn("waiter", (list, end), |(list, _end), _| {
            epoll_wait(&list, None).map(|seen| seen.iter().map(|(_, events)| events.bits()).collect::<Vec<_>>())
        })
    };
    let (reader, writer) = kind.open()?;
    let waiter = spawn_waiter(watching(&reader, IN)?, reader.try_clone()?)?;
    waiter.until_blocked()?;
    fill(&writer)?;
    expect_eq!(waiter.join()?, Ok(vec![IN.bits()]));
    let waiter = spawn_waiter(watching(&writer, OUT | EDGE)?, writer.try_clone()?)?;
    waiter.until_blocked()?;
    read_exactly(&reader, page_size())?;
    expect_eq!(waiter.join()?, Ok(vec![OUT.bits()]));
    let waiter = spawn_waiter(watching(&reader, EDGE)?, reader.try_clone()?)?;
    waiter.until_blocked()?;
    drop(writer);
    expect_eq!(waiter.join()?, Ok(vec![HUP.bits()]));
    Ok(())
}

/// If three processes, each with an `EPOLLEXCLUSIVE` entry for the same read end, are blocked in `epoll_wait` and then read 1
/// byte each, each of three `write` calls of 1 byte wakes at least one of them. After the three calls every process has returned
/// from `epoll_wait` and read one of the bytes.
#[conformance::test(man = "epoll_ctl(2)")]
fn epollexclusive_wakes_at_least_one_waiter() -> Outcome {
    let (reader, writer) = pipe()?;
    let (reports, report) = pipe()?;
    let mut waiters = Vec::new();
    for _ in 0..3 {
        let list = watching(&reader, IN | EpollFlags::EPOLLEXCLUSIVE)?;
        waiters.push(Participant::spawn("waiter", (list, reader.try_clone()?, report.try_clone()?), |(list, end, report), _| {
            epoll_wait(&list, None)?;
            let got = read_some(&end, 1)?;
            write(&report, &got).map(|_| got)
        })?);
    }
    for waiter in &waiters {
        waiter.until_blocked()?;
    }
    for byte in *b"abc" {
        write(&writer, &[byte])?;
        expect_eq!(read_exactly(&reports, 1), Ok(vec![byte]));
    }
    let mut got: Vec<u8> = Vec::new();
    for waiter in waiters {
        got.extend(waiter.join()?.unwrap_or_default());
    }
    got.sort_unstable();
    expect_eq!(got, b"abc".to_vec());
    Ok(())
}

/// If one read end is in a level-triggered and in an edge-triggered epoll instance, `epoll_wait` on both reports `EPOLLIN` after
/// a `write`. `epoll_wait` on an outer instance that contains the level-triggered one then reports `EPOLLIN` for that instance.
#[conformance::test(man = "epoll(7)")]
fn several_instances_report_independently() -> Outcome {
    let (reader, writer) = pipe()?;
    let (level, edge) = (watching(&reader, IN)?, watching(&reader, IN | EDGE)?);
    let outer = watching(&level, IN)?;
    expect_eq!((now(&outer), ready(&level, PollFlags::POLLIN)), (none(), Ok(PollFlags::empty())));
    write(&writer, b"x")?;
    expect_eq!((now(&outer), now(&level), now(&edge)), (one(IN), one(IN), one(IN)));
    expect_eq!((now(&outer), now(&level), now(&edge)), (one(IN), one(IN), none()));
    read_exactly(&reader, 1)?;
    expect_eq!((now(&outer), now(&level)), (none(), none()));
    Ok(())
}
