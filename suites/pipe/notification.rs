//! `O_ASYNC`: a signal for each time that input or output becomes possible.
//!
//! Signals are queued and carry the descriptor where `F_SETSIG` names a real-time one (fcntl(2)), so that they can be counted.

use conformance::prelude::*;
use conformance::sys::fd::async_io::{
    IoSignal, block_number, io_owner, realtime_signal, set_io_owner, set_io_signal, take_io_signal,
};
use rstest::rstest;

use common::pipe::Kind;

/// Makes the end tell this process, by queued signals.
pub(super) fn tell_me(end: &OwnedFd) -> Result<(), Errno> {
    block_number(realtime_signal())?;
    set_io_owner(end, nix::unistd::getpid())?;
    set_io_signal(end, realtime_signal())?;
    set_status_flags(end, status_flags(end)? | OFlag::O_ASYNC)
}

/// All signals that are queued: code and events of each.
pub(super) fn told() -> Result<Vec<(i32, i64)>, Errno> {
    let mut all = Vec::new();
    while let Some(signal) = take_io_signal(realtime_signal())? {
        all.push((signal.code, signal.band));
    }
    Ok(all)
}

/// That input is possible, as `poll` says it.
pub(super) fn input() -> (i32, i64) {
    (IoSignal::IN, i64::from((PollFlags::POLLIN | PollFlags::POLLRDNORM).bits()))
}

/// That output is possible, as `poll` says it.
pub(super) fn output() -> (i32, i64) {
    (IoSignal::OUT, i64::from((PollFlags::POLLOUT | PollFlags::POLLWRNORM | PollFlags::POLLWRBAND).bits()))
}

/// A reader is told by one signal of each write, also where earlier data is unread, with its descriptor and the events.
#[rstest]
#[conformance::test(man = "fcntl(2)", man = "pipe(7)", fixed_in = "Linux 5.15 (fe67f4dd8daa)")]
fn tells_a_reader_of_each_write(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    tell_me(&reader)?;
    write(&writer, b"ab")?;
    let first = take_io_signal(realtime_signal());
    let (code, band) = input();
    expect_eq!(first, Ok(Some(IoSignal { code, band, descriptor: reader.as_raw_fd() })));
    write(&writer, b"cd")?;
    write(&writer, b"ef")?;
    expect_eq!(told(), Ok(vec![input(), input()]));
    Ok(())
}

/// What the reader does itself, and what moves nothing, is not told to it.
#[conformance::test(man = "fcntl(2)")]
fn tells_a_reader_nothing_of_its_own_reads() -> Outcome {
    let (reader, writer) = pipe()?;
    write(&writer, b"abc")?;
    tell_me(&reader)?;
    read_exactly(&reader, 1)?;
    read_exactly(&reader, 2)?;
    write(&writer, b"")?;
    expect_eq!(told(), Ok(vec![]));
    Ok(())
}

/// A reader is told when the last writer is gone, and not of the writers before it.
#[rstest]
#[conformance::test(man = "fcntl(2)")]
fn tells_a_reader_of_the_end(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    tell_me(&reader)?;
    drop(writer);
    expect_eq!(told(), Ok(vec![input()]));
    Ok(())
}

/// A writer is told when a reader has made room in a full pipe, once for each read that does.
#[rstest]
#[conformance::test(man = "fcntl(2)")]
fn tells_a_writer_of_room(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    fill(&writer)?;
    tell_me(&writer)?;
    expect_eq!(told(), Ok(vec![]));
    read_exactly(&reader, page_size())?;
    expect_eq!(told(), Ok(vec![output()]));
    fill(&writer)?;
    expect_eq!(told(), Ok(vec![]));
    Ok(())
}

/// A writer is told when the last reader is gone.
#[rstest]
#[conformance::test(man = "fcntl(2)")]
fn tells_a_writer_of_the_last_reader(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    fill(&writer)?;
    tell_me(&writer)?;
    drop(reader);
    expect_eq!(told(), Ok(vec![output()]));
    Ok(())
}

/// Once the flag is cleared nothing is told, and when it is set again only what happens from then on.
#[conformance::test(man = "fcntl(2)")]
fn ends_with_the_flag() -> Outcome {
    let (reader, writer) = pipe()?;
    tell_me(&reader)?;
    let flags = status_flags(&reader)?;
    expect!(flags.contains(OFlag::O_ASYNC));
    set_status_flags(&reader, flags - OFlag::O_ASYNC)?;
    expect!(!status_flags(&reader)?.contains(OFlag::O_ASYNC));
    write(&writer, b"a")?;
    expect_eq!(told(), Ok(vec![]));
    set_status_flags(&reader, flags)?;
    expect_eq!(told(), Ok(vec![]));
    write(&writer, b"b")?;
    expect_eq!(told(), Ok(vec![input()]));
    Ok(())
}

/// Without an owner nobody is told; an owner can be asked for.
#[conformance::test(man = "fcntl(2)")]
fn needs_an_owner() -> Outcome {
    let (reader, writer) = pipe()?;
    let me = nix::unistd::getpid();
    signal::catch(Signal::SIGIO, Restart::Yes)?;
    set_status_flags(&reader, status_flags(&reader)? | OFlag::O_ASYNC)?;
    expect_eq!(io_owner(&reader), Ok(nix::unistd::Pid::from_raw(0)));
    write(&writer, b"a")?;
    expect_eq!(signal::caught(Signal::SIGIO), 0);
    expect_eq!((set_io_owner(&reader, me), io_owner(&reader)), (Ok(()), Ok(me)));
    write(&writer, b"b")?;
    expect_eq!(signal::caught(Signal::SIGIO), 1);
    Ok(())
}

/// Another process that is the owner is told by `SIGIO`, also by descriptors that it has not got, and the one that set it is not.
#[conformance::test(man = "fcntl(2)")]
fn reaches_another_process() -> Outcome {
    let (reader, writer) = pipe()?;
    signal::catch(Signal::SIGIO, Restart::Yes)?;
    let owner = Participant::spawn("owner", (), |(), link| -> Result<u32, Errno> {
        signal::catch(Signal::SIGIO, Restart::Yes)?;
        link.meet("signal sent");
        Ok(signal::caught(Signal::SIGIO))
    })?;
    owner.until_reached("signal sent")?;
    set_io_owner(&reader, owner.id())?;
    set_status_flags(&reader, status_flags(&reader)? | OFlag::O_ASYNC)?;
    write(&writer, b"a")?;
    owner.open("signal sent")?;
    expect_eq!((owner.join()?, signal::caught(Signal::SIGIO)), (Ok(1), 0));
    Ok(())
}

/// A description that is closed tells nobody any more, even if the pipe lives on through another.
#[conformance::test(man = "fcntl(2)")]
fn ends_with_the_description() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    let told_end = open(&path, OFlag::O_RDWR)?;
    let other = open(&path, OFlag::O_RDWR)?;
    tell_me(&told_end)?;
    let copy = dup(&told_end)?;
    drop(told_end);
    write(&other, b"a")?;
    // A description that both reads and writes is told of input; it lives on in its copy.
    expect!(told()?.contains(&input()));
    drop(copy);
    write(&other, b"b")?;
    read_exactly(&other, 2)?;
    expect_eq!(told(), Ok(vec![]));
    Ok(())
}

/// A read that goes to sleep has made no room: whether a writer is told all the same is the system's choice, and so is whether one
/// that takes a part of a page is.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn tells_a_writer_what_it_likes_of_reads_that_make_no_room() -> Outcome {
    let (reader, writer) = pipe()?;
    tell_me(&writer)?;
    let sleeper = Participant::spawn("reader", dup(&reader)?, |end, _| read_some(&end, 10))?;
    sleeper.until_blocked()?;
    observe!("pipe.sleeping-reader-tells-a-writer", !told()?.is_empty());
    expect_eq!(write(&writer, b"abc"), Ok(3));
    expect_eq!(sleeper.join()?, Ok(b"abc".to_vec()));
    told()?;
    write(&writer, b"abc")?;
    expect_eq!(told(), Ok(vec![]));
    read_exactly(&reader, 1)?;
    observe!("pipe.read-of-a-part-tells-a-writer", !told()?.is_empty());
    Ok(())
}

/// A read of nothing tells a writer nothing; whether one that finds nothing and does not wait does is the system's choice.
#[rstest]
#[conformance::test(man = "fcntl(2)", level = observed)]
fn tells_a_writer_what_it_likes_of_reads_that_fail(#[values(Kind::Pipe, Kind::Fifo)] kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    tell_me(&writer)?;
    expect_eq!((read(&reader, &mut []), told()), (Ok(0), Ok(vec![])));
    expect_eq!(read(&reader, &mut [0]), Err(EAGAIN));
    observe!("pipe.failed-read-tells-a-writer", !told()?.is_empty());
    Ok(())
}
