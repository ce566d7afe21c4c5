//! Readiness by `epoll` (Linux): the list of what is watched, by level; what happens by edge stands in `edge.rs`.

use conformance::prelude::*;
use rstest::rstest;

use common::pipe::Kind;

pub(super) const IN: EpollFlags = EpollFlags::EPOLLIN;

pub(super) const OUT: EpollFlags = EpollFlags::EPOLLOUT;

pub(super) const HUP: EpollFlags = EpollFlags::EPOLLHUP;

pub(super) const ERR: EpollFlags = EpollFlags::EPOLLERR;

pub(super) const EDGE: EpollFlags = EpollFlags::EPOLLET;

const TOKEN: u64 = 7;

/// What is ready now.
pub(super) fn now(list: &OwnedFd) -> Result<Vec<(u64, EpollFlags)>, Errno> {
    epoll_wait(list, Some(0))
}

/// One end that has these events.
#[expect(clippy::unnecessary_wraps, reason = "compared with what the call returns")]
pub(super) fn one(events: EpollFlags) -> Result<Vec<(u64, EpollFlags)>, Errno> {
    Ok(vec![(TOKEN, events)])
}

/// Nothing.
#[expect(clippy::unnecessary_wraps, reason = "compared with what the call returns")]
pub(super) fn none() -> Result<Vec<(u64, EpollFlags)>, Errno> {
    Ok(Vec::new())
}

/// A list with one end in it.
pub(super) fn watching(end: &OwnedFd, events: EpollFlags) -> Result<OwnedFd, Errno> {
    let list = epoll()?;
    epoll_add(&list, end, events, TOKEN)?;
    Ok(list)
}

/// By level an end is reported as long as it is ready, with the bits that `poll` reports.
#[rstest]
#[conformance::test(man = "epoll(7)")]
fn by_level_reports_the_state(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// Hang-up and error are reported without being asked for, and `EPOLLRDHUP`, which is for sockets, is not.
#[rstest]
#[conformance::test(man = "epoll_ctl(2)")]
fn reports_hang_up_and_error_unasked(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
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

/// A one-shot entry is reported once and then not at all, not even for its end, until it is armed again; then at once if still ready.
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

/// An entry ends when it is removed, and can be made again; removing what is not there fails.
#[conformance::test(man = "epoll_ctl(2)")]
fn reports_nothing_of_a_removed_entry() -> Outcome {
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

/// An entry lives as long as any descriptor of the description: it goes on while a copy is open, and ends with the last.
#[rstest]
#[conformance::test(man = "epoll(7)")]
fn reports_until_the_last_copy_is_closed(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let list = watching(&reader, IN)?;
    write(&writer, b"x")?;
    let copy = dup(&reader)?;
    drop(reader);
    expect_eq!(now(&list), one(IN));
    drop(copy);
    expect_eq!(now(&list), none());
    // The entry holds no reference: the pipe has no reader now.
    expect_eq!(ready(&writer, PollFlags::empty()), Ok(PollFlags::POLLERR));
    Ok(())
}

/// A sleeper in `epoll_wait` is woken by a write, by the last close, and by room, with the exact bits.
#[rstest]
#[conformance::test(man = "epoll_wait(2)")]
fn wakes_a_sleeper(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let waiting = |list: OwnedFd, end: OwnedFd| {
        Participant::spawn("waiting", (list, end), |(list, _end), _| {
            epoll_wait(&list, None).map(|seen| seen.iter().map(|(_, events)| events.bits()).collect::<Vec<_>>())
        })
    };
    let (reader, writer) = kind.open()?;
    let sleeper = waiting(watching(&reader, IN)?, reader.try_clone()?)?;
    sleeper.until_blocked()?;
    fill(&writer)?;
    expect_eq!(sleeper.join()?, Ok(vec![IN.bits()]));
    let sleeper = waiting(watching(&writer, OUT | EDGE)?, writer.try_clone()?)?;
    sleeper.until_blocked()?;
    read_exactly(&reader, page_size())?;
    expect_eq!(sleeper.join()?, Ok(vec![OUT.bits()]));
    let sleeper = waiting(watching(&reader, EDGE)?, reader.try_clone()?)?;
    sleeper.until_blocked()?;
    drop(writer);
    expect_eq!(sleeper.join()?, Ok(vec![HUP.bits()]));
    Ok(())
}

/// Of several lists that watch one end exclusively, at least one sleeper is woken by a write; the others may be, and lose nothing.
#[conformance::test(man = "epoll_ctl(2)")]
fn wakes_at_least_one_exclusive_sleeper() -> Outcome {
    let (reader, writer) = pipe()?;
    let (told, tell) = pipe()?;
    let mut sleepers = Vec::new();
    for _ in 0..3 {
        let list = watching(&reader, IN | EpollFlags::EPOLLEXCLUSIVE)?;
        sleepers.push(Participant::spawn("sleeper", (list, reader.try_clone()?, tell.try_clone()?), |(list, end, tell), _| {
            epoll_wait(&list, None)?;
            let got = read_some(&end, 1)?;
            write(&tell, &got).map(|_| got)
        })?);
    }
    for sleeper in &sleepers {
        sleeper.until_blocked()?;
    }
    for byte in *b"abc" {
        write(&writer, &[byte])?;
        expect_eq!(read_exactly(&told, 1), Ok(vec![byte]));
    }
    let mut got: Vec<u8> = Vec::new();
    for sleeper in sleepers {
        got.extend(sleeper.join()?.unwrap_or_default());
    }
    got.sort_unstable();
    expect_eq!(got, b"abc".to_vec());
    Ok(())
}

/// All lists that watch one end see its readiness, by level and by edge, and a list that is itself watched is ready with its entries.
#[conformance::test(man = "epoll(7)")]
fn of_several_lists_report_independently() -> Outcome {
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
