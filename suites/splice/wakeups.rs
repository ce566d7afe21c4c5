//! Processes and watches that `splice`, `tee`, `vmsplice` and `sendfile` wake: blocked `read`, `write` and `poll`, `epoll` and
//! `inotify`.

use conformance::prelude::*;
use conformance::sys::path::inotify::Watch;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rstest::rstest;
use rstest_reuse::apply;

use common::transfer::{Drain, Supply, drain, every_drain, every_supply, full, holding};

/// The call in which a process is blocked until bytes arrive or space is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockedIn {
    /// `read` or `write`.
    ReadOrWrite,
    /// `poll`.
    Poll,
    /// `epoll_wait`.
    EpollWait,
}

impl BlockedIn {
    /// Blocks until bytes arrive, and reads them.
    fn read(self, reader: &OwnedFd) -> Result<Vec<u8>, Errno> {
        self.until(reader, PollFlags::POLLIN, EpollFlags::EPOLLIN)?;
        read_some(reader, 100)
    }

    /// Blocks until space is free, and writes a byte.
    fn write(self, writer: &OwnedFd) -> Result<usize, Errno> {
        self.until(writer, PollFlags::POLLOUT, EpollFlags::EPOLLOUT)?;
        write(writer, b"x")
    }

    fn until(self, end: &OwnedFd, polled: PollFlags, watched: EpollFlags) -> Result<(), Errno> {
        match self {
            BlockedIn::ReadOrWrite => {}
            BlockedIn::Poll => drop(poll(&[(end.as_fd(), polled)], None)?),
            BlockedIn::EpollWait => {
                let epoll = Epoll::new(EpollCreateFlags::empty())?;
                epoll.add(end, EpollEvent::new(watched, 0))?;
                epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::NONE)?;
            }
        }
        Ok(())
    }
}

/// If a process is blocked in `read`, in `poll` for `POLLIN` or in `epoll_wait` for `EPOLLIN` on the read end of an empty pipe,
/// that call returns after `splice`, `tee`, `vmsplice` or `sendfile` of 3 bytes into the pipe. `read` by that process returns the
/// 3 bytes.
#[apply(every_supply)]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", man = "sendfile(2)")]
fn wakes_a_blocked_reader(
    #[values(BlockedIn::ReadOrWrite, BlockedIn::Poll, BlockedIn::EpollWait)] blocked_in: BlockedIn,
    call: Supply,
) -> Outcome {
    let (reader_end, writer) = pipe()?;
    let source = call.source(b"abc")?;
    let reader = Participant::spawn("reader", reader_end, move |end, _| blocked_in.read(&end))?;
    reader.until_blocked()?;
    expect_eq!(call.once(&source, b"abc", &writer), Ok(3));
    expect_eq!(reader.join()?, Ok(b"abc".to_vec()));
    Ok(())
}

/// If a process is blocked in `write` of 1 byte, in `poll` for `POLLOUT` or in `epoll_wait` for `EPOLLOUT` on the write end of a
/// full pipe, that call returns after `splice` or `vmsplice` of a page out of the pipe. `write` of 1 byte by that process
/// returns 1.
#[apply(every_drain)]
#[conformance::test(man = "splice(2)", man = "vmsplice(2)")]
fn wakes_a_blocked_writer(
    #[values(BlockedIn::ReadOrWrite, BlockedIn::Poll, BlockedIn::EpollWait)] blocked_in: BlockedIn,
    call: Drain,
) -> Outcome {
    let ((reader, writer_end), count) = full()?;
    let sink = call.sink()?;
    let writer = Participant::spawn("writer", writer_end, move |end, _| blocked_in.write(&end))?;
    writer.until_blocked()?;
    expect_eq!(call.once(&reader, &sink, page_size()), Ok(page_size()));
    expect_eq!(writer.join()?, Ok(1));
    expect_eq!(unread(&reader)?, count - page_size() + 1);
    Ok(())
}

/// `splice` or `vmsplice` of all but one byte of the first page out of a full pipe leaves a blocked `write` of 1 byte blocked.
/// After `splice` or `vmsplice` of that last byte of the page, the blocked `write` returns 1.
#[apply(every_drain)]
#[conformance::test(man = "splice(2)", man = "vmsplice(2)", level = customary)]
fn wakes_a_writer_when_a_page_is_free(call: Drain) -> Outcome {
    let ((reader, writer_end), _) = full()?;
    let sink = call.sink()?;
    let writer = Participant::spawn("writer", writer_end, |end, _| write(&end, b"x"))?;
    writer.until_blocked()?;
    expect_eq!(call.once(&reader, &sink, page_size() - 1), Ok(page_size() - 1));
    writer.expect_still_blocked()?;
    expect_eq!(call.once(&reader, &sink, 1), Ok(1));
    expect_eq!(writer.join()?, Ok(1));
    Ok(())
}

/// After `splice` of three pages out of a full pipe, three `write` calls of a page each that were blocked on that pipe in three
/// processes return the page size.
#[conformance::test(man = "splice(2)")]
fn wakes_as_many_writers_as_pages_are_freed() -> Outcome {
    let ((reader, writer_end), count) = full()?;
    let sink = Drain::SpliceToDevNull.sink()?;
    let page = page_size();
    let spawn = |name| Participant::spawn(name, dup(&writer_end)?, move |end, _| write(&end, &vec![b'x'; page]));
    let writers = [spawn("first")?, spawn("second")?, spawn("third")?];
    for writer in &writers {
        writer.until_blocked()?;
    }
    expect_eq!(Drain::SpliceToDevNull.once(&reader, &sink, 3 * page), Ok(3 * page));
    for writer in writers {
        expect_eq!(writer.join()?, Ok(page));
    }
    expect_eq!(unread(&reader)?, count);
    Ok(())
}

/// After `splice`, `tee`, `vmsplice` or `sendfile` of 3 bytes into an empty pipe, three blocked `read` calls of 1 byte in three
/// processes each return 1. Each of the 3 bytes is returned by one of them.
#[apply(every_supply)]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", man = "sendfile(2)")]
fn wakes_as_many_readers_as_bytes_arrive(call: Supply) -> Outcome {
    let (reader_end, writer) = pipe()?;
    let source = call.source(b"abc")?;
    let spawn = |name| Participant::spawn(name, dup(&reader_end)?, |end, _| read_some(&end, 1));
    let readers = [spawn("first")?, spawn("second")?, spawn("third")?];
    for reader in &readers {
        reader.until_blocked()?;
    }
    expect_eq!(call.once(&source, b"abc", &writer), Ok(3));
    let mut all = Vec::new();
    for reader in readers {
        all.push(reader.join()?);
    }
    all.sort_unstable();
    expect_eq!(all, [Ok(b"a".to_vec()), Ok(b"b".to_vec()), Ok(b"c".to_vec())]);
    Ok(())
}

/// If the read end of a pipe is registered for `EPOLLIN | EPOLLET`, the first `epoll_wait` with timeout 0 after each `splice`,
/// `tee`, `vmsplice` or `sendfile` of 3 bytes into the pipe returns 1 and the second returns 0, also while earlier bytes are
/// unread.
#[apply(every_supply)]
#[conformance::test(man = "epoll(7)", level = customary, fixed_in = "Linux 5.14 (3a34b13a88ca)")]
fn edge_triggered_event_for_each_transfer(call: Supply) -> Outcome {
    let (reader, writer) = pipe()?;
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    epoll.add(&reader, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 7))?;
    let events = || epoll.wait(&mut [EpollEvent::empty(); 2], EpollTimeout::ZERO).map_err(Errno::from);
    expect_eq!(events(), Ok(0));
    for turn in 1..=2 {
        let source = call.source(b"abc")?;
        expect_eq!(call.once(&source, b"abc", &writer), Ok(3));
        expect_eq!((events(), events()), (Ok(1), Ok(0)), "transfer {turn}");
    }
    expect_eq!(drain(&reader)?, b"abcabc");
    Ok(())
}

/// If the write end of a full pipe is registered for `EPOLLOUT | EPOLLET`, the first `epoll_wait` with timeout 0 after `splice`
/// or `vmsplice` of a page out of the pipe returns 1 and the second returns 0.
#[apply(every_drain)]
#[conformance::test(man = "epoll(7)", level = customary)]
fn edge_triggered_event_when_a_page_is_freed(call: Drain) -> Outcome {
    let (reader, writer) = pipe()?;
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    epoll.add(&writer, EpollEvent::new(EpollFlags::EPOLLOUT | EpollFlags::EPOLLET, 7))?;
    let events = || epoll.wait(&mut [EpollEvent::empty(); 2], EpollTimeout::ZERO).map_err(Errno::from);
    expect_eq!((events(), events()), (Ok(1), Ok(0)));
    fill(&writer)?;
    let sink = call.sink()?;
    expect_eq!(events(), Ok(0));
    expect_eq!((call.once(&reader, &sink, page_size()), events(), events()), (Ok(page_size()), Ok(1), Ok(0)));
    Ok(())
}

/// If the read ends of two pipes are registered for `EPOLLIN | EPOLLET` and the event of the source, which holds 3 bytes, has
/// been reported, the first `epoll_wait` with timeout 0 after `tee` of 3 bytes from the source into the other pipe reports one
/// event, for the target. The second reports no event.
#[conformance::test(man = "tee(2)", level = customary)]
fn tee_causes_no_event_on_the_source() -> Outcome {
    let (source, _feed) = holding(b"abc")?;
    let (sink, target) = pipe()?;
    let epoll = Epoll::new(EpollCreateFlags::empty())?;
    epoll.add(&source, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 7))?;
    epoll.add(&sink, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 8))?;
    let seen = || -> Result<Vec<u64>, Errno> {
        let mut events = [EpollEvent::empty(); 3];
        let count = epoll.wait(&mut events, EpollTimeout::ZERO)?;
        Ok(events[..count].iter().map(EpollEvent::data).collect())
    };
    expect_eq!(seen()?, [7]);
    expect_eq!(tee(&source, &target, 3, common::transfer::NO_FLAGS), Ok(3));
    expect_eq!((seen()?, seen()?), (vec![8], Vec::new()));
    Ok(())
}

/// `inotify` on the name of a FIFO reports `IN_MODIFY` for `splice`, `tee`, `vmsplice` or `sendfile` into the FIFO.
#[apply(every_supply)]
#[conformance::test(man = "inotify(7)", level = customary, fixed_in = "Linux 6.6 (983652c69199)")]
fn inotify_reports_modification(call: Supply) -> Outcome {
    let (scratch, both) = fifo()?;
    let source = call.source(b"abc")?;
    let watch = Watch::new(&scratch.join("fifo"), libc::IN_MODIFY | libc::IN_ACCESS)?;
    expect_eq!(call.once(&source, b"abc", &both), Ok(3));
    expect_eq!(watch.events()?, [libc::IN_MODIFY]);
    Ok(())
}

/// `inotify` on the name of a FIFO reports `IN_ACCESS` for `splice` from the FIFO to `/dev/null`, a file or a pipe.
#[rstest]
#[conformance::test(man = "inotify(7)", level = customary, fixed_in = "Linux 6.6 (983652c69199)")]
fn inotify_reports_access(#[values(Drain::SpliceToDevNull, Drain::SpliceToFile, Drain::SpliceToPipe)] call: Drain) -> Outcome {
    let (scratch, both) = fifo()?;
    write_all(&both, b"abc")?;
    let sink = call.sink()?;
    let watch = Watch::new(&scratch.join("fifo"), libc::IN_MODIFY | libc::IN_ACCESS)?;
    expect_eq!(call.once(&both, &sink, 3), Ok(3));
    expect_eq!(watch.events()?, [libc::IN_ACCESS]);
    Ok(())
}

/// A FIFO with the name `fifo`, opened with `O_RDWR`.
fn fifo() -> Result<(Scratch, OwnedFd), Errno> {
    let scratch = Scratch::new()?;
    mkfifo(&scratch.join("fifo"), 0o600)?;
    let both = open(&scratch.join("fifo"), OFlag::O_RDWR)?;
    Ok((scratch, both))
}
