//! Readiness by edge (`epoll` with `EPOLLET`, Linux): an event for each thing that happens, and no second one for it.

use conformance::prelude::*;
use rstest::rstest;

use super::epoll::{EDGE, ERR, HUP, IN, OUT, none, now, one, watching};
use common::pipe::Kind;

/// By edge every write to a pipe is an event, also to one whose earlier data nobody has read, and each is reported once.
#[rstest]
#[conformance::test(man = "epoll(7)", fixed_in = "Linux 5.14 (3a34b13a88ca)")]
fn reports_each_write_once(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let list = watching(&reader, IN | EDGE)?;
    expect_eq!(now(&list), none());
    for _ in 0..4 {
        write(&writer, b"ab")?;
        expect_eq!((now(&list), now(&list)), (one(IN), none()));
    }
    // Reading a part is no event, nor is reading the rest.
    read_exactly(&reader, 3)?;
    expect_eq!(now(&list), none());
    read_exactly(&reader, 5)?;
    expect_eq!(now(&list), none());
    write(&writer, b"c")?;
    expect_eq!((now(&list), now(&list)), (one(IN), none()));
    Ok(())
}

/// By edge an end that is ready when it is added is reported, once.
#[conformance::test(man = "epoll(7)")]
fn reports_what_was_ready_before() -> Outcome {
    let (reader, writer) = pipe()?;
    write(&writer, b"x")?;
    let (to_read, to_write) = (watching(&reader, IN | EDGE)?, watching(&writer, OUT | EDGE)?);
    expect_eq!((now(&to_read), now(&to_read)), (one(IN), none()));
    expect_eq!((now(&to_write), now(&to_write)), (one(OUT), none()));
    Ok(())
}

/// By edge a full pipe reports room once enough for a write has been read, and once only.
#[rstest]
#[conformance::test(man = "epoll(7)")]
fn reports_that_a_full_pipe_has_room(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let list = watching(&writer, OUT | EDGE)?;
    expect_eq!(now(&list), one(OUT));
    fill(&writer)?;
    expect_eq!(now(&list), none());
    let enough = page_size();
    read_exactly(&reader, enough)?;
    expect_eq!((now(&list), now(&list)), (one(OUT), none()));
    fill(&writer)?;
    expect_eq!(now(&list), none());
    read_exactly(&reader, enough)?;
    expect_eq!((now(&list), now(&list)), (one(OUT), none()));
    Ok(())
}

/// By edge room is reported where `poll` reports it: a byte read from a full page is no event while it makes no room.
#[conformance::test(man = "epoll(7)", level = observed)]
fn reports_no_room_where_there_is_none() -> Outcome {
    let (reader, writer) = pipe()?;
    let list = watching(&writer, OUT | EDGE)?;
    now(&list)?;
    fill(&writer)?;
    for count in [1, page_size() - 2] {
        read_exactly(&reader, count)?;
        let room = ready(&writer, PollFlags::POLLOUT)?.contains(PollFlags::POLLOUT);
        expect_eq!(now(&list), if room { one(OUT) } else { none() });
    }
    read_exactly(&reader, 1)?;
    expect_eq!(now(&list), one(OUT));
    Ok(())
}

/// By edge the end of the data is reported exactly once, together with data that is left.
#[rstest]
#[case::empty(0, false)]
#[case::data_left(3, true)]
#[conformance::test(man = "epoll(7)")]
fn reports_the_end_once(#[case] left: usize, #[case] data: bool, #[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let list = watching(&reader, IN | EDGE)?;
    write(&writer, &pattern(left))?;
    now(&list)?;
    let other = dup(&writer)?;
    drop(writer);
    expect_eq!(now(&list), none());
    drop(other);
    expect_eq!((now(&list), now(&list)), (one(if data { IN | HUP } else { HUP }), none()));
    expect_eq!(read_to_end(&reader), Ok(pattern(left)));
    expect_eq!(now(&list), none());
    Ok(())
}

/// By edge the loss of the last reader is reported exactly once.
#[rstest]
#[conformance::test(man = "epoll(7)")]
fn reports_a_broken_pipe_once(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let list = watching(&writer, OUT | EDGE)?;
    expect_eq!(now(&list), one(OUT));
    drop(reader);
    expect_eq!((now(&list), now(&list)), (one(OUT | ERR), none()));
    Ok(())
}

/// By edge a FIFO's reader is told of each hang-up anew when writers have come back in between.
#[conformance::test(man = "epoll(7)", man = "fifo(7)")]
fn reports_each_hang_up_of_a_fifo() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    let reader = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let list = watching(&reader, IN | EDGE)?;
    expect_eq!(now(&list), none());
    for _ in 0..3 {
        let writer = open(&path, OFlag::O_WRONLY)?;
        expect_eq!(now(&list), none());
        drop(writer);
        expect_eq!((now(&list), now(&list)), (one(HUP), none()));
    }
    Ok(())
}

/// Making a full pipe larger is an event for who waits for room, by edge too.
#[conformance::test(man = "epoll(7)", man = "fcntl(2)", fixed_in = "Linux 6.8 (e95aada4cb93)")]
fn reports_room_that_a_resize_makes() -> Outcome {
    let (reader, writer) = pipe()?;
    let list = watching(&writer, OUT | EDGE)?;
    now(&list)?;
    let size = fill(&writer)?;
    expect_eq!(now(&list), none());
    set_pipe_size(&reader, i32::try_from(2 * size).unwrap_or(1))?;
    expect_eq!((now(&list), now(&list)), (one(OUT), none()));
    Ok(())
}
