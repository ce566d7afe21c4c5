//! Edge-triggered `epoll` (`EPOLLET`, Linux): each event is reported once. Level-triggered and one-shot entries are tested in
//! `epoll.rs`.

use conformance::prelude::*;
use rstest::rstest;
use rstest_reuse::apply;

use super::epoll::{EDGE, ERR, HUP, IN, OUT, none, now, one, watching};
use common::pipe::{Kind, pipe_and_fifo};

/// With `EPOLLET` on the read end, the first `epoll_wait` after each `write` reports `EPOLLIN` and the second reports no event,
/// even if earlier bytes are unread.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "epoll(7)", level = customary, fixed_in = "Linux 5.14 (3a34b13a88ca)")]
fn reports_each_write_once(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let list = watching(&reader, IN | EDGE)?;
    expect_eq!(now(&list), none());
    for _ in 0..4 {
        write(&writer, b"ab")?;
        expect_eq!((now(&list), now(&list)), (one(IN), none()));
    }
    // A `read` causes no event, whether bytes are left or not.
    read_exactly(&reader, 3)?;
    expect_eq!(now(&list), none());
    read_exactly(&reader, 5)?;
    expect_eq!(now(&list), none());
    write(&writer, b"c")?;
    expect_eq!((now(&list), now(&list)), (one(IN), none()));
    Ok(())
}

/// If `epoll_ctl(EPOLL_CTL_ADD)` with `EPOLLET` adds a read end with unread bytes or a write end with free space, the first
/// `epoll_wait` reports `EPOLLIN` or `EPOLLOUT` for that end, and the second no event.
#[conformance::test(man = "epoll(7)", level = customary)]
fn reports_an_end_ready_when_added_once() -> Outcome {
    let (reader, writer) = pipe()?;
    write(&writer, b"x")?;
    let (to_read, to_write) = (watching(&reader, IN | EDGE)?, watching(&writer, OUT | EDGE)?);
    expect_eq!((now(&to_read), now(&to_read)), (one(IN), none()));
    expect_eq!((now(&to_write), now(&to_write)), (one(OUT), none()));
    Ok(())
}

/// With `EPOLLET` on the write end of a full pipe, `epoll_wait` reports `EPOLLOUT` exactly once after a page has been read.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "epoll(7)", level = customary)]
fn reports_free_space_once(kind: Kind) -> Outcome {
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

/// With `EPOLLET` on the write end of a full pipe, `epoll_wait` after a `read` of part of a page reports `EPOLLOUT` if `poll` for
/// `POLLOUT` reports `POLLOUT`, and no event otherwise. After the last byte of the page has been read, `epoll_wait` reports
/// `EPOLLOUT`.
#[conformance::test(man = "epoll(7)", level = customary)]
fn agrees_with_poll_about_free_space() -> Outcome {
    let (reader, writer) = pipe()?;
    let list = watching(&writer, OUT | EDGE)?;
    now(&list)?;
    fill(&writer)?;
    for count in [1, page_size() - 2] {
        read_exactly(&reader, count)?;
        let writable = ready(&writer, PollFlags::POLLOUT)?.contains(PollFlags::POLLOUT);
        expect_eq!(now(&list), if writable { one(OUT) } else { none() });
    }
    read_exactly(&reader, 1)?;
    expect_eq!(now(&list), one(OUT));
    Ok(())
}

/// With `EPOLLET` on the read end, `epoll_wait` reports `EPOLLHUP` exactly once when the last writer closes, together with
/// `EPOLLIN` if bytes are unread.
#[apply(pipe_and_fifo)]
#[case::empty(0, false)]
#[case::bytes_unread(3, true)]
#[conformance::test(man = "epoll(7)", level = customary)]
fn reports_end_of_file_once(#[case] left: usize, #[case] data: bool, kind: Kind) -> Outcome {
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

/// With `EPOLLET` on the write end of an empty pipe, the first `epoll_wait` after the close of the last reader reports `EPOLLOUT`
/// and `EPOLLERR`, and the second no event.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "epoll(7)", level = customary)]
fn reports_a_broken_pipe_once(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    let list = watching(&writer, OUT | EDGE)?;
    expect_eq!(now(&list), one(OUT));
    drop(reader);
    expect_eq!((now(&list), now(&list)), (one(OUT | ERR), none()));
    Ok(())
}

/// With `EPOLLET` on the read end of a FIFO, `epoll_wait` reports exactly `EPOLLHUP` once each time that the last writer closes,
/// and no event after a writer has opened the FIFO with `O_WRONLY`.
#[conformance::test(man = "epoll(7)", man = "fifo(7)", level = customary)]
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

/// With `EPOLLET` on the write end of a full pipe, `epoll_wait` reports `EPOLLOUT` exactly once after `fcntl(F_SETPIPE_SZ)` has
/// doubled the size.
#[conformance::test(man = "epoll(7)", man = "fcntl(2)", level = customary, fixed_in = "Linux 6.8 (e95aada4cb93)")]
fn reports_free_space_after_resize() -> Outcome {
    let (reader, writer) = pipe()?;
    let list = watching(&writer, OUT | EDGE)?;
    now(&list)?;
    let size = fill(&writer)?;
    expect_eq!(now(&list), none());
    set_pipe_size(&reader, i32::try_from(2 * size).unwrap_or(1))?;
    expect_eq!((now(&list), now(&list)), (one(OUT), none()));
    Ok(())
}
