//! `O_ASYNC`: the signal that a process gets when input or output becomes possible.
//!
//! With a real-time signal set by `F_SETSIG` the signals are queued and carry the descriptor (fcntl(2)), so that they can be
//! counted.

use conformance::prelude::*;
use conformance::sys::fd::async_io::{
    IoSignal, block_number, io_owner, realtime_signal, set_io_owner, set_io_signal, take_io_signal,
};
use rstest::rstest;
use rstest_reuse::apply;

use common::pipe::{Kind, pipe_and_fifo};

/// Sets `O_ASYNC` on the end, with this process as the owner and queued signals.
pub(super) fn signal_me(end: &OwnedFd) -> Result<(), Errno> {
    block_number(realtime_signal())?;
    set_io_owner(end, nix::unistd::getpid())?;
    set_io_signal(end, realtime_signal())?;
    set_status_flags(end, status_flags(end)? | OFlag::O_ASYNC)
}

/// Takes all queued signals: `si_code` and `si_band` of each.
pub(super) fn queued_signals() -> Result<Vec<(i32, i64)>, Errno> {
    let mut all = Vec::new();
    while let Some(signal) = take_io_signal(realtime_signal())? {
        all.push((signal.code, signal.band));
    }
    Ok(all)
}

/// `si_code` and `si_band` of a signal for input.
pub(super) fn input() -> (i32, i64) {
    (IoSignal::IN, i64::from((PollFlags::POLLIN | PollFlags::POLLRDNORM).bits()))
}

/// `si_code` and `si_band` of a signal for output.
pub(super) fn output() -> (i32, i64) {
    (IoSignal::OUT, i64::from((PollFlags::POLLOUT | PollFlags::POLLWRNORM | PollFlags::POLLWRBAND).bits()))
}

/// With `O_ASYNC` on the read end and a real-time signal from `F_SETSIG`, each `write` queues one signal for the owner
/// (`F_SETOWN`), even if earlier bytes are unread. The signal has `si_code` `POLL_IN`, `si_band` `POLLIN | POLLRDNORM` and the
/// descriptor in `si_fd`.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "fcntl(2)", man = "pipe(7)", level = customary, fixed_in = "Linux 5.15 (fe67f4dd8daa)")]
fn each_write_signals_the_reader(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    signal_me(&reader)?;
    write(&writer, b"ab")?;
    let first = take_io_signal(realtime_signal());
    let (code, band) = input();
    expect_eq!(first, Ok(Some(IoSignal { code, band, descriptor: reader.as_raw_fd() })));
    write(&writer, b"cd")?;
    write(&writer, b"ef")?;
    expect_eq!(queued_signals(), Ok(vec![input(), input()]));
    Ok(())
}

/// With `O_ASYNC` on the read end and a real-time signal from `F_SETSIG`, `read` of unread bytes and `write` of 0 bytes queue no
/// signal for the owner (`F_SETOWN`).
#[conformance::test(man = "fcntl(2)", level = customary)]
fn read_sends_the_reader_no_signal() -> Outcome {
    let (reader, writer) = pipe()?;
    write(&writer, b"abc")?;
    signal_me(&reader)?;
    read_exactly(&reader, 1)?;
    read_exactly(&reader, 2)?;
    write(&writer, b"")?;
    expect_eq!(queued_signals(), Ok(vec![]));
    Ok(())
}

/// With `O_ASYNC` on the read end and a real-time signal from `F_SETSIG`, the close of the last writer queues exactly one signal,
/// with `si_code` `POLL_IN`, for the owner (`F_SETOWN`).
#[apply(pipe_and_fifo)]
#[conformance::test(man = "fcntl(2)", level = customary)]
fn close_of_the_last_writer_signals_the_reader(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    signal_me(&reader)?;
    drop(writer);
    expect_eq!(queued_signals(), Ok(vec![input()]));
    Ok(())
}

/// With `O_ASYNC` on the write end of a full pipe and a real-time signal from `F_SETSIG`, a `read` of a page queues exactly one
/// signal, with `si_code` `POLL_OUT`, for the owner (`F_SETOWN`). `write` calls that fill the pipe again queue none.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "fcntl(2)", level = customary)]
fn read_from_a_full_pipe_signals_the_writer(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    fill(&writer)?;
    signal_me(&writer)?;
    expect_eq!(queued_signals(), Ok(vec![]));
    read_exactly(&reader, page_size())?;
    expect_eq!(queued_signals(), Ok(vec![output()]));
    fill(&writer)?;
    expect_eq!(queued_signals(), Ok(vec![]));
    Ok(())
}

/// With `O_ASYNC` on the write end of a full pipe and a real-time signal from `F_SETSIG`, the close of the last reader queues
/// exactly one signal, with `si_code` `POLL_OUT`, for the owner (`F_SETOWN`).
#[apply(pipe_and_fifo)]
#[conformance::test(man = "fcntl(2)", level = customary)]
fn close_of_the_last_reader_signals_the_writer(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    fill(&writer)?;
    signal_me(&writer)?;
    drop(reader);
    expect_eq!(queued_signals(), Ok(vec![output()]));
    Ok(())
}

/// After `fcntl(F_SETFL)` clears `O_ASYNC` on the read end, `write` queues no signal for the owner (`F_SETOWN`). After `F_SETFL`
/// sets `O_ASYNC` again, the next `write` queues exactly one.
#[conformance::test(man = "fcntl(2)", level = customary)]
fn cleared_o_async_sends_no_signal() -> Outcome {
    let (reader, writer) = pipe()?;
    signal_me(&reader)?;
    let flags = status_flags(&reader)?;
    expect_eq!(flags & OFlag::O_ASYNC, OFlag::O_ASYNC);
    set_status_flags(&reader, flags - OFlag::O_ASYNC)?;
    expect_eq!(status_flags(&reader)? & OFlag::O_ASYNC, OFlag::empty());
    write(&writer, b"a")?;
    expect_eq!(queued_signals(), Ok(vec![]));
    set_status_flags(&reader, flags)?;
    expect_eq!(queued_signals(), Ok(vec![]));
    write(&writer, b"b")?;
    expect_eq!(queued_signals(), Ok(vec![input()]));
    Ok(())
}

/// With `O_ASYNC` on a read end without owner, `fcntl(F_GETOWN)` returns 0 and `write` sends no signal. After `F_SETOWN` with the
/// process ID of the caller, the next `write` sends one `SIGIO` to the caller.
#[conformance::test(man = "fcntl(2)", level = customary)]
fn without_an_owner_sends_no_signal() -> Outcome {
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

/// If `F_SETOWN` on a read end with `O_ASYNC` names another process as the owner, a `write` sends one `SIGIO` to that process and
/// none to the process that set `O_ASYNC`.
#[conformance::test(man = "fcntl(2)")]
fn signals_another_process_as_owner() -> Outcome {
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

/// If a FIFO is open with `O_RDWR` through two open file descriptions, of which the first has `O_ASYNC`, `write` through the
/// second queues a signal with `si_code` `POLL_IN` while a duplicate of the first is open. After the last descriptor of the first
/// is closed, `write` through the second queues no signal.
#[conformance::test(man = "fcntl(2)")]
fn closed_description_sends_no_signal() -> Outcome {
    let scratch = Scratch::new()?;
    let path = scratch.join("fifo");
    mkfifo(&path, 0o600)?;
    let watched = open(&path, OFlag::O_RDWR)?;
    let other = open(&path, OFlag::O_RDWR)?;
    signal_me(&watched)?;
    let copy = dup(&watched)?;
    drop(watched);
    write(&other, b"a")?;
    // The open file description is still open through the duplicate, and signals input.
    let signals = queued_signals()?;
    expect!(signals.contains(&input()), "{signals:?}");
    drop(copy);
    write(&other, b"b")?;
    read_exactly(&other, 2)?;
    expect_eq!(queued_signals(), Ok(vec![]));
    Ok(())
}

/// With `O_ASYNC` on the write end, a `write` queues no signal for its owner. Whether a `read` that blocks on the empty pipe and
/// whether a `read` of 1 of 3 unread bytes queue a signal is recorded; all results are allowed.
#[conformance::test(man = "fcntl(2)", level = observed)]
fn read_without_freeing_a_page_may_signal_the_writer() -> Outcome {
    let (reader, writer) = pipe()?;
    signal_me(&writer)?;
    let blocked = Participant::spawn("reader", dup(&reader)?, |end, _| read_some(&end, 10))?;
    blocked.until_blocked()?;
    observe!("pipe.blocking-in-read-signals-the-writer", !queued_signals()?.is_empty());
    expect_eq!(write(&writer, b"abc"), Ok(3));
    expect_eq!(blocked.join()?, Ok(b"abc".to_vec()));
    queued_signals()?;
    write(&writer, b"abc")?;
    expect_eq!(queued_signals(), Ok(vec![]));
    read_exactly(&reader, 1)?;
    observe!("pipe.read-of-part-of-a-page-signals-the-writer", !queued_signals()?.is_empty());
    Ok(())
}

/// With `O_ASYNC` on the write end of an empty pipe, a `read` of 0 bytes queues no signal for the owner of the write end. Whether
/// a non-blocking `read` that fails with `EAGAIN` queues a signal is recorded; both are allowed.
#[apply(pipe_and_fifo)]
#[conformance::test(man = "fcntl(2)", level = observed)]
fn failed_read_may_signal_the_writer(kind: Kind) -> Outcome {
    let (reader, writer) = kind.open()?;
    set_nonblocking(&reader, true)?;
    signal_me(&writer)?;
    expect_eq!((read(&reader, &mut []), queued_signals()), (Ok(0), Ok(vec![])));
    expect_eq!(read(&reader, &mut [0]), Err(EAGAIN));
    observe!("pipe.failed-read-signals-the-writer", !queued_signals()?.is_empty());
    Ok(())
}
