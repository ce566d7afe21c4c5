//! Who else is woken: readers, writers and watchers of a pipe into which, or out of which, others move bytes.

use conformance::prelude::*;
use conformance::sys::inotify::Watch;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rstest::rstest;

use common::transfer::{Drain, Supply, drain, full, holding};

/// A way of waiting for bytes or for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// The call itself: `read` or `write`.
    Call,
    /// `poll`.
    Poll,
    /// `epoll_wait`.
    Epoll,
}

impl Wait {
    /// Waits for bytes, and reads them.
    fn read(self, reader: &OwnedFd) -> Result<Vec<u8>, Errno> {
        self.until(reader, PollFlags::POLLIN, EpollFlags::EPOLLIN)?;
        read_some(reader, 100)
    }

    /// Waits for room, and writes a byte.
    fn write(self, writer: &OwnedFd) -> Result<usize, Errno> {
        self.until(writer, PollFlags::POLLOUT, EpollFlags::EPOLLOUT)?;
        write(writer, b"x")
    }

    fn until(self, end: &OwnedFd, polled: PollFlags, watched: EpollFlags) -> Result<(), Errno> {
        match self {
            Wait::Call => {}
            Wait::Poll => drop(poll(&[(end.as_fd(), polled)], None)?),
            Wait::Epoll => {
                let epoll = Epoll::new(EpollCreateFlags::empty())?;
                epoll.add(end, EpollEvent::new(watched, 0))?;
                epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::NONE)?;
            }
        }
        Ok(())
    }
}

/// Whoever waits for bytes wakes up, however they come, and gets them all.
#[rstest]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", man = "sendfile(2)")]
fn reaches_a_reader(
    #[values(Wait::Call, Wait::Poll, Wait::Epoll)] wait: Wait,
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let (reader_end, writer) = pipe()?;
    let source = call.source(b"abc")?;
    let reader = Participant::spawn("reader", reader_end, move |end, _| wait.read(&end))?;
    reader.until_blocked()?;
    expect_eq!(call.once(&source, b"abc", &writer), Ok(3));
    expect_eq!(reader.join()?, Ok(b"abc".to_vec()));
    Ok(())
}

/// Whoever waits for room wakes up, however it is made.
#[rstest]
#[conformance::test(man = "splice(2)", man = "vmsplice(2)")]
fn reaches_a_writer(
    #[values(Wait::Call, Wait::Poll, Wait::Epoll)] wait: Wait,
    #[values(Drain::SpliceToDevNull, Drain::SpliceToFile, Drain::SpliceToPipe, Drain::Vmsplice)] call: Drain,
) -> Outcome {
    let ((reader, writer_end), count) = full()?;
    let sink = call.sink()?;
    let writer = Participant::spawn("writer", writer_end, move |end, _| wait.write(&end))?;
    writer.until_blocked()?;
    expect_eq!(call.once(&reader, &sink, page_size()), Ok(page_size()));
    expect_eq!(writer.join()?, Ok(1));
    expect_eq!(unread(&reader)?, count - page_size() + 1);
    Ok(())
}

/// A transfer that leaves a byte of a page makes no room where pages are counted, and one of the byte that is left does.
#[rstest]
#[conformance::test(man = "splice(2)", man = "vmsplice(2)", level = observed)]
fn reaches_a_writer_only_when_a_page_is_free(
    #[values(Drain::SpliceToDevNull, Drain::SpliceToFile, Drain::SpliceToPipe, Drain::Vmsplice)] call: Drain,
) -> Outcome {
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

/// A transfer of several pages out of a full pipe serves as many sleeping writers as there is room for.
#[conformance::test(man = "splice(2)")]
fn reaches_all_writers_that_find_room() -> Outcome {
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

/// A transfer of several bytes serves as many sleeping readers as there are bytes.
#[rstest]
#[conformance::test(man = "splice(2)", man = "tee(2)", man = "vmsplice(2)", man = "sendfile(2)")]
fn reaches_all_readers_that_find_bytes(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
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

/// An edge-triggered watch of a reading end reports bytes once each time that they come, also while older ones are unread.
#[rstest]
#[conformance::test(man = "epoll(7)", level = observed, fixed_in = "Linux 5.14 (3a34b13a88ca)")]
fn is_an_edge_each_time(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
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

/// An edge-triggered watch of a full pipe's writing end reports room once, when a page is free.
#[rstest]
#[conformance::test(man = "epoll(7)", level = observed)]
fn out_of_a_full_pipe_is_an_edge_at_its_writing_end(
    #[values(Drain::SpliceToDevNull, Drain::SpliceToFile, Drain::SpliceToPipe, Drain::Vmsplice)] call: Drain,
) -> Outcome {
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

/// A copy tells nobody that its source had changed: a writer of the source and an edge-triggered watch of it sleep on.
#[conformance::test(man = "tee(2)")]
fn of_a_copy_is_no_event_of_its_source() -> Outcome {
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

/// Who watches a FIFO with `inotify` hears of a change however bytes come into it.
#[rstest]
#[conformance::test(man = "inotify(7)", level = observed, fixed_in = "Linux 6.6 (983652c69199)")]
fn reaches_a_watch_of_the_name_with_a_change(
    #[values(Supply::SpliceFromPipe, Supply::SpliceFromFile, Supply::Tee, Supply::Vmsplice, Supply::Sendfile)] call: Supply,
) -> Outcome {
    let (scratch, both) = named()?;
    let source = call.source(b"abc")?;
    let watch = Watch::new(&scratch.join("fifo"), libc::IN_MODIFY | libc::IN_ACCESS)?;
    expect_eq!(call.once(&source, b"abc", &both), Ok(3));
    expect_eq!(watch.events()?, [libc::IN_MODIFY]);
    Ok(())
}

/// Who watches a FIFO with `inotify` hears of an access however bytes go out of it.
#[rstest]
#[conformance::test(man = "inotify(7)", level = observed, fixed_in = "Linux 6.6 (983652c69199)")]
fn reaches_a_watch_of_the_name_with_an_access(
    #[values(Drain::SpliceToDevNull, Drain::SpliceToFile, Drain::SpliceToPipe)] call: Drain,
) -> Outcome {
    let (scratch, both) = named()?;
    write_all(&both, b"abc")?;
    let sink = call.sink()?;
    let watch = Watch::new(&scratch.join("fifo"), libc::IN_MODIFY | libc::IN_ACCESS)?;
    expect_eq!(call.once(&both, &sink, 3), Ok(3));
    expect_eq!(watch.events()?, [libc::IN_ACCESS]);
    Ok(())
}

/// A FIFO that is open for both directions, under the name `fifo`.
fn named() -> Result<(Scratch, OwnedFd), Errno> {
    let scratch = Scratch::new()?;
    mkfifo(&scratch.join("fifo"), 0o600)?;
    let both = open(&scratch.join("fifo"), OFlag::O_RDWR)?;
    Ok((scratch, both))
}
